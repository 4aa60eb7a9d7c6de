"""Code that runs while installing: sdists are built, npm packages may have install scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import plain
from registry.policy.rules import Judge


@dataclass(frozen=True, slots=True)
class Scripts:
    """Only files that are unpacked and nothing else: wheels, and npm packages without install scripts."""

    effect: Effect
    name: str = "scripts"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours else Unscripted(project, self.effect)


@dataclass(frozen=True, slots=True)
class Unscripted(Judge):
    """A project whose files may not run code while they are installed."""

    project: Project
    effect: Effect

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """Its source says that installing it runs code."""
        del first_seen, now
        if not artifact.install_script:
            return None
        return Objection(
            rule="scripts",
            effect=self.effect,
            reason=plain(f"installing '{artifact.filename}' would run code of the package"),
            remedy=(
                f"registry policy exempt scripts {self.project.ecosystem} '{self.project.name}'"
                " --days 365 --reason ..."
            ),
        )

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """Those that would run code."""
        del now
        return [artifact for artifact in artifacts if artifact.install_script]
