"""Finds known names by anything that could be left of them after a slip.

Every known name is filed under its skeleton, the skeleton with one letter missing (two for the most popular),
its look-alike fold, its words in order and, on npm, what follows its scope. A name asked for is looked up the
same way (symmetric deletes), so an edit is found without trying the alphabet. The file is a flat, sorted
array of checksums and numbers: a few megabytes for 20,000 names, and nothing that a forked worker would copy.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from registry.policy.lookalike.spelling import folded, skeleton, words

_BITS = 20
"""Of an entry, behind the 32 of its checksum, for the name's number; together they fit a float, which sorts
three times as fast as an integer of that size."""
_ROOM = float(1 << _BITS)
_MASK = (1 << _BITS) - 1
_PART = 26
"""Checksums that differ above so many bits are in different parts while the file is sorted."""
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

    def __init__(self, entries: array[int]) -> None:
        """`entries` are checksums with numbers behind them, sorted: what `of` made, or `packed` kept."""
        self._entries = entries
        self._shift = 32 - min(16, len(entries).bit_length())
        ends = range(0, (1 << 32) + 1, 1 << self._shift)
        self._starts = array("I", [bisect_left(entries, end << _BITS) for end in ends])

    @classmethod
    def of(cls, names: Sequence[str], deep: int) -> Table:
        """The first `deep` of `names` are also found by two edits."""
        # Sorted a part at a time: lists of half a million numbers would leave holes of 30 MB in the heap.
        parts = [array("d") for _ in range(1 << (32 - _PART))]
        for number, name in enumerate(names):
            filed = _deletes(skeleton(name).encode(), twice=_LONGEST_DEEP if number < deep else 0)
            filed.update(crc32(key.encode()) for key in _other_keys(name))
            for key in filed:
                parts[key >> _PART].append(key * _ROOM + number)
        entries = array("Q")
        while parts:
            entries.extend(map(int, sorted(parts.pop(0))))
        return cls(entries)

    @classmethod
    def unpacked(cls, packed: bytes) -> Table:
        """The table that `packed` was."""
        entries = array("Q")
        entries.frombytes(packed)
        return cls(entries)

    def packed(self) -> bytes:
        """As bytes, for the same kind of machine; a few megabytes."""
        return self._entries.tobytes()

    def find(self, keys: Iterable[int]) -> set[int]:
        """Numbers of the known names filed under any of the keys, some by chance."""
        entries, starts, shift = self._entries, self._starts, self._shift
        found: set[int] = set()
        for key in keys:
            bucket = key >> shift
            place, high = starts[bucket], starts[bucket + 1]
            if place == high:
                continue
            first = key << _BITS
            place = bisect_left(entries, first, place, high)
            while place < high and entries[place] - first <= _MASK:
                found.add(entries[place] & _MASK)
                place += 1
        return found


def keys(name: str) -> set[int]:
    """All that a name is looked up under."""
    bare = skeleton(name)
    found = _deletes(bare.encode(), twice=_LONGEST_DEEP)
    found.update(crc32(key.encode()) for key in _other_keys(name))
    found.add(crc32((skeleton(name.partition("/")[2]) if "/" in name else f"/{bare}").encode()))
    found.update(crc32(key.encode()) for key in _stripped(name))
    return found


def _deletes(text: bytes, twice: int) -> set[int]:
    """Checksums of a skeleton, and of it with one letter missing; with two, up to `twice` letters."""
    starts = [crc32(text[:i]) for i in range(len(text) + 1)]
    found = {crc32(text[i + 1 :], starts[i]) for i in range(len(text))}
    found.add(starts[-1])
    if _SHORTEST_DEEP <= len(text) <= twice:
        for i in range(len(text) - 1):
            for j in range(i + 1, len(text)):
                found.add(crc32(text[j + 1 :], crc32(text[i + 1 : j], starts[i])))
    return found


def _other_keys(name: str) -> Iterator[str]:
    yield f"~{folded(skeleton(name))}"
    parts = words(name)
    if len(parts) > 1:
        yield f"+{''.join(sorted(parts))}"
    if "/" in name:
        yield f"/{skeleton(name.partition('/')[2])}"


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
