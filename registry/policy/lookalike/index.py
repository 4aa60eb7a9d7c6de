"""Finds the known name that an unknown one was meant to be, and how sure that is.

Candidates come from the tables of the known names, are weighed by `features` and `weights`, and the best one
is the answer. What only its owner could publish (into a known scope) is no slip, and no known name is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from math import exp
from typing import NamedTuple

import msgspec

from registry.policy.entries import is_glob
from registry.policy.lookalike.features import Features, compare, guess_family, guess_vendor
from registry.policy.lookalike.scopes import Scopes
from registry.policy.lookalike.slips import Slip, slip, told
from registry.policy.lookalike.table import Table, keys
from registry.policy.lookalike.weights import SCALES, WEIGHTS
from registry.policy.names import KnownNames

_CLOSEST = 24
"""Candidates that are weighed: a short name has hundreds of neighbours, and means a popular one."""
_OWN_DEEP = 300
"""How many of the team's own names are also found by two edits."""
_OWN_RANK = 100
"""The rank that they count with."""
_ABROAD = 1_000
"""How many names of each other ecosystem are protected here too."""
_ABROAD_SHORTEST = 7
_ABROAD_LESS = 3.0
"""What a slip of a name of another ecosystem counts less, on the scale of the weights."""
_LARGE_SCOPE = 30
"""Known names in a scope whose misspelling is no accident, whatever follows it."""
_OFTEN_TYPED = 2_500
"""Rank up to which another separator (`crossenv`) or order of words (`env-cross`) is enough for a hold."""
_SLIPS_OF_HABIT = frozenset(("separator", "order"))
_CERTAIN, _LIKELY = 0.95, 0.6
"""Scores of slips that need no weighing, above the shipped deny and hold scores."""
_LEAVES_SCOPE = frozenset(("base", "rescoped"))
_MEASURED = "pypi"
"""The ecosystem whose weights one without its own is judged by."""
_TYPES = "@types/"
"""What follows this scope is the name of another package by definition, so it may stand alone."""


class Resemblance(msgspec.Struct, frozen=True):
    """A known name that another could be taken for."""

    target: str
    kind: str
    """The kind of slip, as in `slips.Slip`."""
    explanation: str
    """What the name does, in words: "looks like 'requests' with two letters swapped; rank 4 ..."."""
    score: float
    """0 to 1; 0.5 is as alike as 6 harmless names in 1,000, 0.9 as 1 in 1,000."""


class Candidate(NamedTuple):
    """One known name, and what speaks for it."""

    target: str
    slip: Slip
    features: Features
    rank: int | None = None
    """None for a name that was guessed rather than known, and for our own."""
    abroad: str = ""
    """The other ecosystem that it is known in."""


class LookalikeIndex:
    """The known names of one ecosystem and the team's own, ready to be compared with."""

    def __init__(self, ecosystem: str, known: Mapping[str, KnownNames], own: Iterable[str] = ()) -> None:
        """`own` are names that matter here: the team's, and those it allowed; of globs, their scope does."""
        self.known = known[ecosystem]
        self._abroad = {name: names for name, names in known.items() if name != ecosystem}
        patterns = sorted(own)
        self._own = tuple(name for name in patterns if not is_glob(name))
        self._own_table = Table.of(self._own, _OWN_DEEP)
        self._own_scopes = Scopes(patterns)
        self._weights = WEIGHTS.get(ecosystem, WEIGHTS[_MEASURED])
        self._slope, self._shift = SCALES.get(ecosystem, SCALES[_MEASURED])

    def nearest(self, name: str) -> Resemblance | None:
        """The known name that `name` was most likely meant to be; None if it is known, or alone."""
        if self.is_settled(name):
            return None
        found = [self._resemblance(candidate) for candidate in self.candidates(name)]
        found += self._by_rule(name)
        return max(found, key=lambda resemblance: resemblance.score, default=None)

    def is_settled(self, name: str) -> bool:
        """Whether a name is known, or in a scope that is: only the scope's owner publishes there."""
        return name in self.known or self.known.scopes.knows(name) or self._own_scopes.knows(name)

    def candidates(self, name: str) -> Iterator[Candidate]:
        """Every known name that `name` may be a slip of, with what speaks for it."""
        known = self.known
        near = self._near(name)
        for target, how, rank, abroad in near[:_CLOSEST]:
            features = compare(name, target, how, rank, len(near), known.language, known.scopes)
            yield Candidate(target, how, features, rank, abroad)
        if "/" in name or not known.scopes.sizes:
            return
        if family := guess_family(name, known.language, known.scopes):
            yield Candidate(family[0], Slip("family"), family[1])
        if vendor := guess_vendor(name, known.scopes):
            yield Candidate(vendor[0], Slip("vendor"), vendor[1])

    def _near(self, name: str) -> list[tuple[str, Slip, int, str]]:
        """Target, slip, rank and other ecosystem of all that the tables hold, the most popular first."""
        found: list[tuple[str, Slip, int, str]] = []
        for target, rank, abroad in self._filed(keys(name), len(name)):
            how = slip(name, target) if target != name else None
            if how is None or (how.kind in _LEAVES_SCOPE and target.startswith(_TYPES)):
                continue
            if abroad and (how.kind != "edit" or len(how.edits) > 1):
                continue
            found.append((target, how, rank, abroad))
        return sorted(found, key=lambda near: (len(near[1].edits) > 1, near[2], near[0]))

    def _filed(self, looked_up: Collection[int], size: int) -> Iterator[tuple[str, int, str]]:
        known = self.known
        for number in known.table.find(looked_up):
            yield known.order[number], known[known.order[number]], ""
        for number in self._own_table.find(looked_up):
            yield self._own[number], _OWN_RANK, ""
        if size < _ABROAD_SHORTEST:
            return
        for ecosystem, names in self._abroad.items():
            for number in names.table.find(looked_up):
                name = names.order[number]
                if names[name] <= _ABROAD and name not in known:
                    yield name, names[name], ecosystem

    def _resemblance(self, candidate: Candidate) -> Resemblance:
        target, how = candidate.target, candidate.slip
        score = self._score(candidate)
        if how.kind in _SLIPS_OF_HABIT and (candidate.rank or 0) <= _OFTEN_TYPED:
            score = max(score, _LIKELY)
        where = f" of {candidate.abroad}" if candidate.abroad else ""
        known = self.known.get(target) or candidate.rank
        rank = f"; rank {known}{where} against unknown" if known and target not in self._own else ""
        return Resemblance(target, how.kind, f"{told(how, target)}{rank}", score)

    def _score(self, candidate: Candidate) -> float:
        """0 to 1; 0 for a kind of slip that was never measured in this ecosystem."""
        weighed = [
            self._weights[feature] * value
            for feature, value in candidate.features.items()
            if feature in self._weights
        ]
        if not weighed:
            return 0.0
        weight = sum(weighed) - (_ABROAD_LESS if candidate.abroad else 0.0)
        return 1 / (1 + exp(-max(-30.0, min(30.0, self._slope * weight + self._shift))))

    def _by_rule(self, name: str) -> Iterator[Resemblance]:
        """Slips that need no weighing: a misspelt scope, an import name."""
        if target := self.known.imports.get(name):
            yield Resemblance(target, "import", told(Slip("import"), target), _LIKELY)
        if "/" not in name:
            return
        base = name.partition("/")[2]
        for scopes, names in ((self.known.scopes, self.known), (self._own_scopes, self._own)):
            for scope, natural in scopes.misspelt(name):
                target = f"{scope}/{base}"
                if target in names:
                    yield Resemblance(target, "scope", told(Slip("scope"), target), _CERTAIN)
                elif scopes is self._own_scopes or (natural and scopes.sizes[scope] >= _LARGE_SCOPE):
                    yield Resemblance(target, "scope", told(Slip("scope"), target), _LIKELY)
