"""What its source took back: quarantined, removed or yanked after it was let in here.

The log has an alarm of each; this is what becomes of those who ask for the bytes that are here. Yanks are
told to clients, which have rules of their own for them, so nothing is done unless a policy says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import plain
from registry.policy.rules import Judge

SAID = {
    "quarantined": "was quarantined by its index",
    "removed": "is no longer offered by its source",
    "yanked": "was yanked",
}
"""Rule → what is said about a version."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """One way of taking back: a rule of its own, so that each has its effect."""

    name: str
    """A key of SAID."""
    effect: Effect

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours else TakenBack(project, self.name, self.effect)


@dataclass(frozen=True, slots=True)
class TakenBack(Judge):
    """A project whose source may take files back."""

    project: Project
    rule: str
    effect: Effect

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """Its source took it back in this way."""
        del first_seen, now
        taken = artifact.yanked is not None if self.rule == "yanked" else artifact.withdrawn == self.rule
        if not taken:
            return None
        reason = f": {artifact.yanked}" if self.rule == "yanked" and artifact.yanked else ""
        return Objection(
            rule=self.rule,
            effect=self.effect,
            reason=plain(f"'{self.project.name}' {artifact.version} {SAID[self.rule]}{reason}"),
            remedy=f"An operator can set rules.{self.rule} in policy.toml.",
        )

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """Those that were taken back, in whichever way."""
        del now
        return [artifact for artifact in artifacts if artifact.withdrawn or artifact.yanked is not None]


def rules_about_withdrawals(effects: Mapping[str, Effect | None]) -> tuple[Withdrawn, ...]:
    """Those that aren't switched off."""
    return tuple(Withdrawn(name, effect) for name in SAID if (effect := effects[name]))
