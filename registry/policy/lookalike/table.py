"""Finds known names by anything that could be left of them after a slip.

Every known name is filed under its skeleton, the skeleton with one letter missing (two for the most popular),
its look-alike fold, its words in order and, on npm, what follows its scope. A name asked for is looked up the
same way (symmetric deletes), so an edit is found without trying the alphabet. The file is two flat arrays of
checksums and numbers: a few megabytes for 20,000 names, and nothing in it that a forked worker would copy.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from zlib import crc32

from registry.policy.lookalike.spelling import folded, skeleton, words

_SHORTEST_DEEP = 7
_LONGEST_DEEP = 26
"""Letters of the skeletons that are also compared with two of them missing."""

_AFFIXES = frozenset(
    (
        *("js", "node", "npm", "ts", "jsx", "es", "py", "python", "python3", "py3", "go"),
        *("lib", "libs", "api", "sdk", "cli", "core", "pkg", "package", "module", "client", "web", "app"),
        *("tool", "tools", "util", "utils", "helper", "helpers", "native", "x"),
        *("dev", "plus", "pro", "lite", "next", "new", "latest", "fix", "official"),
    )
)
_GLUED = ("python", "node", "npm", "py", "js", "lib", "dev", "pro", "api", "sdk", "ts")


class Table:
    """Known names by what they may have become."""

    def __init__(self, names: Sequence[str], deep: int) -> None:
        """The first `deep` of `names` are also found by two edits."""
        packed: list[int] = []
        for number, name in enumerate(names):
            packed += [crc32(key.encode()) << 32 | number for key in _filed(name, deep=number < deep)]
        packed.sort()
        self._sums = array("I", [entry >> 32 for entry in packed])
        self._numbers = array("I", [entry & 0xFFFFFFFF for entry in packed])
        bits = min(16, len(packed).bit_length())
        self._shift = 32 - bits
        ends = (bucket << self._shift for bucket in range(1 << bits))
        self._starts = array("I", [bisect_left(self._sums, end) for end in ends])
        self._starts.append(len(packed))

    def find(self, keys: Collection[int]) -> set[int]:
        """Numbers of the known names filed under any of the keys, some by chance."""
        sums, numbers, starts, shift = self._sums, self._numbers, self._starts, self._shift
        found: set[int] = set()
        for key in keys:
            bucket = key >> shift
            place, high = starts[bucket], starts[bucket + 1]
            if place == high:
                continue
            place = bisect_left(sums, key, place, high)
            while place < high and sums[place] == key:
                found.add(numbers[place])
                place += 1
        return found


def keys(name: str) -> set[int]:
    """All that a name is looked up under."""
    return {crc32(key.encode()) for key in _asked(name)}


def _filed(name: str, *, deep: bool) -> set[str]:
    bare = skeleton(name)
    found = {bare, *_shorter(bare), *_other_keys(name, bare)}
    if deep and _SHORTEST_DEEP <= len(bare) <= _LONGEST_DEEP:
        found.update(_much_shorter(bare))
    return found


def _asked(name: str) -> Iterator[str]:
    bare = skeleton(name)
    yield bare
    yield from _shorter(bare)
    if len(bare) <= _LONGEST_DEEP:
        yield from _much_shorter(bare)
    yield from _other_keys(name, bare)
    yield skeleton(name.partition("/")[2]) if "/" in name else f"/{bare}"
    yield from _stripped(name)


def _other_keys(name: str, bare: str) -> Iterator[str]:
    yield f"~{folded(bare)}"
    parts = words(name)
    if len(parts) > 1:
        yield f"+{''.join(sorted(parts))}"
    if "/" in name:
        yield f"/{skeleton(name.partition('/')[2])}"


def _shorter(text: str) -> Iterator[str]:
    for i in range(len(text)):
        yield text[:i] + text[i + 1 :]


def _much_shorter(text: str) -> Iterator[str]:
    for i in range(len(text)):
        start = text[:i]
        for j in range(i + 1, len(text)):
            yield start + text[i + 1 : j] + text[j + 1 :]


def _stripped(name: str) -> Iterator[str]:
    """Skeletons without a customary prefix, suffix or number: `cross-env.js` → `crossenv`."""
    parts = words(name)
    if len(parts) > 1:
        end = len(parts)
        while end > 1 and parts[end - 1].lstrip("v").isdigit():
            end -= 1
        if end < len(parts):
            yield "".join(parts[:end])
        if parts[-1] in _AFFIXES:
            yield "".join(parts[:-1])
        if parts[0] in _AFFIXES:
            yield "".join(parts[1:])
    bare = "".join(parts)
    for affix in _GLUED:
        if len(bare) > len(affix) + 3:
            if bare.endswith(affix):
                yield bare.removesuffix(affix)
            if bare.startswith(affix):
                yield bare.removeprefix(affix)
    number = bare.rstrip("0123456789")
    if number != bare:
        yield number
