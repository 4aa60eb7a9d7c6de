"""Content: a file whose own metadata names another project or version, or that nobody can look into.

Its digest fits, so its source did announce these very bytes under this name: by mistake, or to have one
package taken for another. What is inside is known once the file is here; until then there is nothing to say.
"""

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
class Content:
    """Files that aren't what their names say."""

    effect: Effect = Effect.HOLD
    name: str = "content"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names: their files are checked when they are uploaded."""
        return None if ours else Contradicted(project, self.effect)


@dataclass(frozen=True, slots=True)
class Contradicted(Judge):
    """A project whose files may turn out to be something else."""

    project: Project
    effect: Effect

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """What is inside contradicts the name."""
        del first_seen, now
        if not artifact.mismatch:
            return None
        release = f"{self.project.ecosystem} '{self.project.name}@{artifact.version}'"
        return Objection(
            rule="content",
            effect=self.effect,
            reason=plain(f"'{artifact.filename}' is not what its name says: {artifact.mismatch.rstrip('.')}"),
            remedy=f"registry policy exempt content {release} --days 365 --reason ...",
        )

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """Those in which something was found."""
        del now
        return [artifact for artifact in artifacts if artifact.mismatch]
