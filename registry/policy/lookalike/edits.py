"""The edits that turn the known spelling into the one asked for, each with what kind of slip it is."""

from __future__ import annotations

from typing import NamedTuple


class Edit(NamedTuple):
    """One slip of the pen, seen from the known name."""

    kind: str
    """`omission`, `insertion`, `substitution`, `transposition`, `doubling` (a letter typed twice),
    `undoubling` (one of two equal letters left out)."""
    at: int
    """Where in the known skeleton."""
    was: str
    """The letter (two for a transposition) in the known name."""
    now: str
    """The letter in the name asked for."""


def edits(known: str, asked: str) -> tuple[Edit, ...] | None:
    """The fewest edits (optimal string alignment) from `known` to `asked`; None beyond two."""
    return _edits(known, asked, 0, 2)


def _edits(known: str, asked: str, start: int, limit: int) -> tuple[Edit, ...] | None:
    """As `edits`, where the first `start` letters are known to agree."""
    shorter = min(len(known), len(asked))
    if abs(len(known) - len(asked)) > limit:
        return None
    while start < shorter and known[start] == asked[start]:
        start += 1
    end = 0
    while end < shorter - start and known[-1 - end] == asked[-1 - end]:
        end += 1
    was, now = known[start : len(known) - end], asked[start : len(asked) - end]
    if len(was) <= 1 and len(now) <= 1:
        return (_edit(known, start, was, now),) if was or now else ()
    if len(was) == 2 and now == was[::-1]:
        return (_edit(known, start, was, now),)
    if limit == 1:
        return None
    for taken, given in _firsts(was, now):
        # One edit where the names part; what is left must be exactly one more.
        first = _edit(known, start, was[:taken], now[:given])
        mended = known[:start] + now[:given] + known[start + taken :]
        rest = _edits(mended, asked, start + given, 1)
        if rest is not None and len(rest) == 1:
            return (first, rest[0]._replace(at=rest[0].at + taken - given))
    return None


def _firsts(was: str, now: str) -> list[tuple[int, int]]:
    """How many letters the first edit takes from each side, the likeliest first."""
    swapped = len(was) > 1 and len(now) > 1 and was[0] == now[1] and was[1] == now[0]
    return [(2, 2), (1, 1), (1, 0), (0, 1)] if swapped else [(1, 1), (1, 0), (0, 1)]


def _edit(known: str, at: int, was: str, now: str) -> Edit:
    if len(was) == 2:
        return Edit("transposition", at, was, now)
    if was and now:
        return Edit("substitution", at, was, now)
    if was:
        twice = was in (known[max(0, at - 1) : at], known[at + 1 : at + 2])
        return Edit("undoubling" if twice else "omission", at, was, "")
    twice = now in (known[max(0, at - 1) : at], known[at : at + 1])
    return Edit("doubling" if twice else "insertion", at, "", now)
