"""Find the known name that an unknown one was meant to be, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from registry.policy.names import KnownNames


class Resemblance(msgspec.Struct, frozen=True):
    """One known name that another could be taken for."""

    target: str
    kind: str
    """The slip: `transposition`, `omission`, `separator` …"""
    explanation: str
    """Ends the sentence "'x' looks like 'y' ...": `with two letters swapped`."""
    score: float
    """0 to 1."""


class LookalikeIndex:
    """The known names of one ecosystem, ready to be compared with."""

    def __init__(self, known: KnownNames, own: Iterable[str] = ()) -> None:
        self._known = known
        self._own = frozenset(own)
        self._deletes: dict[str, str] = {}
        for name in (*known, *self._own):
            for key in _deletes(_skeleton(name)):
                self._deletes.setdefault(key, name)

    def nearest(self, name: str) -> Resemblance | None:
        """The best match of a name that isn't known."""
        if len(name) < 4 or name in self._known:
            return None
        for key in _deletes(_skeleton(name)):
            target = self._deletes.get(key)
            if target is not None and target != name:
                return Resemblance(target, "edit", "with one letter different", 0.9)
        return None


def build(ecosystem: str, known: Mapping[str, KnownNames], own: Iterable[str] = ()) -> LookalikeIndex:
    """The index of one ecosystem. `own` are names that matter here: the team's, and those it allowed."""
    return LookalikeIndex(known[ecosystem], own)


def _skeleton(name: str) -> str:
    return name.replace("-", "").replace("_", "").replace(".", "").lower()


def _deletes(text: str) -> Iterator[str]:
    yield text
    for i in range(len(text)):
        yield text[:i] + text[i + 1 :]
