"""Rendered indexes in memory: the least recently used go when their bytes exceed the bound.

Behind them may be the same on local disk (`shelf_files`), from where they come back after a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from registry.storage.shelf_files import ShelfFiles

_Key = tuple[str, ...]
_PROJECT = 2
"""Parts of a key that name its project: ecosystem and name."""


class Shelf:
    """The port's implementation; every key begins with (ecosystem, project)."""

    def __init__(
        self,
        max_bytes: int,
        files: ShelfFiles | None = None,
        encode: Callable[[object], tuple[bytes, str] | None] = lambda _: None,
        decode: Callable[[bytes, str], tuple[object, int] | None] = lambda *_: None,
    ) -> None:
        """`encode` gives an entry's bytes for `files` and the path of its body, empty where it has none, or
        None for one that is of memory only; `decode` gives the entry and its size back, None for bytes that
        aren't one."""
        self._max = max_bytes
        self._files = files
        self._encode = encode
        self._decode = decode
        self._bytes = 0
        self._entries: OrderedDict[_Key, tuple[object, int]] = OrderedDict()
        self._projects: dict[_Key, set[_Key]] = {}

    @property
    def size(self) -> int:
        """Bytes that the entries count for."""
        return self._bytes

    def get(self, key: _Key) -> object | None:
        """What was put under the key, which thereby becomes the last to go."""
        found = self._entries.get(key)
        if found is None:
            return self._from_file(key)
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: _Key, entry: object, size: int) -> None:
        """Keep `entry`; one that is larger than the whole shelf isn't kept in memory."""
        self._keep(key, entry, size)
        if self._files is not None and (encoded := self._encode(entry)) is not None:
            self._files.put(key, *encoded)

    def _from_file(self, key: _Key) -> object | None:
        found = self._files.get(key) if self._files is not None else None
        decoded = self._decode(*found) if found is not None else None
        if decoded is None:
            return None
        self._keep(key, *decoded)
        return decoded[0]

    def _keep(self, key: _Key, entry: object, size: int) -> None:
        self._forget(key)
        if size > self._max:
            return
        self._entries[key] = (entry, size)
        self._projects.setdefault(key[:_PROJECT], set()).add(key)
        self._bytes += size
        while self._bytes > self._max:
            self._forget(next(iter(self._entries)))

    def drop(self, prefix: _Key) -> None:
        """Forget all keys that begin so; quick when the prefix names a project."""
        if len(prefix) >= _PROJECT:
            near = self._projects.get(prefix[:_PROJECT], set())
        else:
            near = set(self._entries)
        for key in [key for key in near if key[: len(prefix)] == prefix]:
            self._forget(key)
        if self._files is not None:
            self._files.drop(prefix[:_PROJECT])

    def _forget(self, key: _Key) -> None:
        found = self._entries.pop(key, None)
        if found is None:
            return
        self._bytes -= found[1]
        keys = self._projects[key[:_PROJECT]]
        keys.discard(key)
        if not keys:
            del self._projects[key[:_PROJECT]]
