"""The rule: an unknown name that looks like a known one is denied or held, by how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import Entry, Roster, plain
from registry.policy.lookalike.index import LookalikeIndex
from registry.policy.rules import Judge, ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """Flags slips of known names."""

    index: LookalikeIndex
    allowed: Roster
    """An entry that allows a name makes it known."""
    hold: float
    """Score from which a name is held until an admin allows it."""
    deny: float
    """Score from which it is refused outright."""
    effect: Effect = Effect.DENY
    """The strictest thing this rule may do."""
    name: str = "lookalike"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for known names, ours included."""
        if ours:
            return None
        found = self.index.nearest(project.name)
        if found is None or found.score < self.hold:
            return None
        objection = Objection(
            rule=self.name,
            effect=self._effect(found.score),
            reason=plain(f"'{project.name}' {found.explanation}"),
            resembles=found.target,
            remedy=f"registry policy allow {project.ecosystem} {project.name} --reason ...",
        )
        return Resembling(objection, self.allowed.about(project.name))

    def _effect(self, score: float) -> Effect:
        if self.effect is not Effect.DENY:
            return self.effect
        return Effect.DENY if score >= self.deny else Effect.HOLD


@dataclass(frozen=True, slots=True)
class Resembling(Judge):
    """A name that looks like a known one, unless an entry in force allows it."""

    objection: Objection
    allowed: tuple[Entry, ...]

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The ends of the entries that allow it."""
        return ends(self.allowed)

    def on_name(self, now: datetime) -> Objection | None:
        """The same for every file."""
        return None if any(entry.in_force(now) for entry in self.allowed) else self.objection

    def on_publication(self, version: str, known_public: bool, now: datetime) -> Objection | None:
        """A look-alike isn't published either: it would catch our own people's slips."""
        del version, known_public
        return self.on_name(now)
