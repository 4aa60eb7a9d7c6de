"""What npm's scopes tell: who publishes where, and which unscoped names only one of them would use.

Only its owner can publish into a scope, so nothing in a known scope is a slip. But an unscoped `arm-advisor`
is nobody's, while every known `arm-...` is in `@azure`: names leave their scope more often than they lose a
letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from registry.policy.lookalike.edits import edits
from registry.policy.lookalike.spelling import skeleton, words
from registry.policy.lookalike.table import Table, keys

_TYPES = "@types"
"""Its bases are, by definition, names of other packages: they lead nowhere."""


_SHORTEST_MISSPELT = 4
"""Letters of the shortest scope that is taken for a misspelt one."""
_OF_FINGERS = frozenset(("transposition", "doubling", "undoubling"))


class Family(NamedTuple):
    """The scope that uses a first word, or the two first ones."""

    scope: str
    members: int
    """Known names of this scope that begin so."""
    total: int
    """Known names anywhere that begin so."""


class Scopes:
    """The scopes of known names."""

    def __init__(self, names: Sequence[str]) -> None:
        scoped = [name.partition("/") for name in names if "/" in name]
        self.sizes = Counter(scope for scope, _, _ in scoped)
        self.bases = Counter(skeleton(base) for _, _, base in scoped)
        self._by_word = {scope.removeprefix("@"): scope for scope in self.sizes}
        self._order = tuple(self.sizes)
        self._table = Table.of(self._order, deep=0)
        self._openings: dict[tuple[str, ...], Counter[str]] = {}
        if scoped:
            self._learn(names)

    def _learn(self, names: Iterable[str]) -> None:
        for name in names:
            scope, slash, base = name.partition("/")
            if scope == _TYPES:
                continue
            parts = words(base if slash else name)
            for opening in {parts[:1], parts[:2]}:
                self._openings.setdefault(opening, Counter())[scope if slash else ""] += 1

    def knows(self, name: str) -> bool:
        """Whether a name lies in a scope that has known names."""
        return name.partition("/")[0] in self.sizes

    def opening(self, first: str) -> Counter[str]:
        """How many known names begin with a word, by scope; '' for those without one."""
        return self._openings.get((first,), Counter())

    def family(self, parts: tuple[str, ...]) -> Family | None:
        """The scope that most names with the same opening are in."""
        best: Family | None = None
        for opening in (parts[:1], parts[:2]):
            counts = self._openings.get(opening, Counter())
            scope, members = max(
                ((s, n) for s, n in counts.items() if s), key=lambda c: c[1], default=("", 0)
            )
            family = Family(scope, members, counts.total())
            if members > 1 and (best is None or members * best.total > best.members * family.total):
                best = family
        return best

    def vendor(self, word: str) -> str | None:
        """The scope of that name: azure → @azure."""
        return self._by_word.get(word)

    def misspelt(self, name: str) -> Iterator[tuple[str, bool]]:
        """The known scopes one edit away from a name's: `@bable/x` → `@babel`, and whether that edit is one
        that fingers make by themselves."""
        mine = skeleton(name.partition("/")[0])
        if len(mine) < _SHORTEST_MISSPELT:
            return
        for number in self._table.find(keys(mine)):
            scope = self._order[number]
            found = edits(skeleton(scope), mine)
            if found is not None and len(found) <= 1:
                yield scope, not found or found[0].kind in _OF_FINGERS
