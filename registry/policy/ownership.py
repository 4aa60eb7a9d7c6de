"""Which names are ours: by pattern, by a claim, or because we published them.

A name that is ours is never asked upstream, however long ago somebody claimed it: claims don't end by
themselves, since a name that stopped being ours over night would leak, and could be taken by a stranger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import Entry, Roster
from registry.policy.rules import Judge


class Owned:
    """The names of one ecosystem that are the team's.

    Claims are compared without regard to case: npm still has names with capitals, and `Acme-Billing` must no
    more be asked upstream than `acme-billing` where `acme-*` is ours.
    """

    def __init__(self, claims: Iterable[Entry], private: Iterable[str] = ()) -> None:
        given = tuple(claims)
        self._given = Roster(given)
        self._claims = Roster(replace(claim, pattern=claim.pattern.lower()) for claim in given)
        self._private = frozenset(private)

    def __contains__(self, name: str) -> bool:
        return name in self._private or bool(self._claims.about(name.lower()))

    @property
    def patterns(self) -> frozenset[str]:
        """All of them as they were given: names, and globs."""
        return self._private.union(self._given.patterns)


@dataclass(frozen=True, slots=True)
class Ownership:
    """A name that the world knows as public can't become private unless somebody claims it."""

    public: Collection[str]
    """The names known as public without asking anybody: the reference list."""
    effect: Effect = Effect.DENY
    name: str = "ownership"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours else Unclaimed(project, project.name in self.public, self.effect)


@dataclass(frozen=True, slots=True)
class Unclaimed(Judge):
    """A name that isn't ours, or not yet."""

    project: Project
    listed: bool
    """Whether the reference list has it."""
    effect: Effect

    def on_publication(self, version: str, known_public: bool, now: datetime) -> Objection | None:
        """Publishing a public name would put our bytes in the place of everybody's."""
        del version, now
        if not (known_public or self.listed):
            return None
        name = self.project.name
        return Objection(
            rule="ownership",
            effect=self.effect,
            reason=f"'{name}' is known as a public package and not claimed as ours",
            remedy=f"registry policy claim {self.project.ecosystem} {name} --reason ...",
        )
