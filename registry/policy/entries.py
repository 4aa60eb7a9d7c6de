"""Lines of an operator: a name or glob, a version range, a reason, and until when it counts.

An entry comes from policy.toml or from a row of the database; behind this module nobody sees a difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

Holds = Callable[[str], bool]
ParseRange = Callable[[str], Holds]
"""`Ecosystem.parse_range`: a module-level function, so that it pickles by reference."""

_LONGEST_REASON = 160


def plain(text: str) -> str:
    """Any text as one short line of printable ASCII, fit for a reason phrase."""
    line = " ".join(text.split()).encode("ascii", "replace").decode()
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 3]}..."


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A range in an ecosystem's grammar, compiled when first asked; equal by text, picklable."""

    text: str
    parse: ParseRange = field(compare=False, repr=False)
    _compiled: list[tuple[Holds, Holds]] = field(default_factory=list, compare=False, repr=False)

    def holds(self, version: str) -> bool | None:
        """Whether `version` lies in the range; None when that can't be told: what not even the empty range
        holds, which is for all versions, is no version of this ecosystem."""
        if not self._compiled:
            self._compiled.append((self.parse(self.text), self.parse("")))
        within, is_version = self._compiled[0]
        return within(version) or (False if is_version(version) else None)

    def __reduce__(self) -> tuple[type[VersionRange], tuple[str, ParseRange]]:
        return VersionRange, (self.text, self.parse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line about one name or glob."""

    pattern: str
    """Canonical."""
    versions: VersionRange | None = None
    """None for every version."""
    reason: str = ""
    place: str
    """Where it is written: `pypi.deny[2]`, `policy entry 12`."""
    undo: str = ""
    """How an operator takes it back."""
    until: datetime | None = None
    rule: str = ""
    """The rule that an exemption is from; empty for other entries."""

    def in_force(self, now: datetime) -> bool:
        """Whether it still counts."""
        return self.until is None or now < self.until


def is_glob(pattern: str) -> bool:
    """Whether a pattern stands for more than one name."""
    return "*" in pattern or "?" in pattern


def compile_glob(pattern: str) -> re.Pattern[str]:
    """A glob over canonical names: `*` and `?` stand for anything but a slash, so `*` enters no scope."""
    parts = (re.escape(c) if c not in "*?" else "[^/]*" if c == "*" else "[^/]" for c in pattern)
    return re.compile("".join(parts))


class Roster:
    """Entries by name: a dictionary for the names, a few expressions for the globs."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._exact: dict[str, list[Entry]] = {}
        self._globs: list[tuple[re.Pattern[str], Entry]] = []
        for entry in sorted(entries, key=lambda e: (e.pattern, e.place)):
            if is_glob(entry.pattern):
                self._globs.append((compile_glob(entry.pattern), entry))
            else:
                self._exact.setdefault(entry.pattern, []).append(entry)

    def __bool__(self) -> bool:
        return bool(self._exact or self._globs)

    def about(self, name: str) -> tuple[Entry, ...]:
        """All entries that concern the name, ended ones included."""
        globs = (entry for glob, entry in self._globs if glob.fullmatch(name))
        return (*self._exact.get(name, ()), *globs)

    @property
    def patterns(self) -> frozenset[str]:
        """All names and globs."""
        return frozenset((*self._exact, *(entry.pattern for _, entry in self._globs)))
