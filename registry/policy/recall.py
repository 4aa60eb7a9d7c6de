"""Recall: what an operator calls back is refused at every door from now on, whatever is here already.

A recall is an act, not a setting: no mode, exemption or entry of policy.toml weakens it, and it counts where
the policy otherwise only observes. It ends when an operator lifts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import Entry, Roster, plain
from registry.policy.rules import Judge, with_ranges


@dataclass(frozen=True, slots=True)
class Recall:
    """The names and versions that were called back."""

    entries: Roster
    name: str = "recall"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """The recalls of this project, the team's own included."""
        del ours
        found = self.entries.about(project.name)
        return Recalled(project.name, found) if found else None


@dataclass(frozen=True, slots=True)
class Recalled(Judge):
    """A project of which something was called back."""

    project: str
    entries: tuple[Entry, ...]

    def on_name(self, now: datetime) -> Objection | None:
        """All of it was."""
        del now
        found = next((entry for entry in self.entries if entry.versions is None), None)
        return _objection(found, f"'{self.project}'") if found else None

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """The version was, or nobody can tell."""
        del first_seen, now
        return self._on_version(artifact.version)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """All, where an entry has a range."""
        del now
        return artifacts if with_ranges(self.entries) else ()

    def on_publication(self, version: str, known_public: bool, now: datetime) -> Objection | None:
        """What was called back can't be published again."""
        del known_public
        return self.on_name(now) or self._on_version(version)

    def _on_version(self, version: str) -> Objection | None:
        for entry in self.entries:
            if entry.versions is not None and entry.versions.holds(version) is not False:
                return _objection(entry, f"'{self.project}' {version}")
        return None


def _objection(entry: Entry, subject: str) -> Objection:
    return Objection(
        rule="recall",
        effect=Effect.DENY,
        reason=plain(f"{subject} was recalled: {entry.reason}"),
        remedy=f"{entry.undo} --reason ...",
        binding=True,
    )
