"""The bytes of small files in memory: to open, read and close one costs more than sending it."""

from __future__ import annotations

from collections import OrderedDict

SMALL = 32 * 1024
"""Bytes of the largest file that is kept so."""
ROOM = 8 * 1024 * 1024
"""Bytes of all of them."""


class SmallFiles:
    """Verified bytes by their sha256; those that were asked for least recently give way."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def get(self, sha256: str) -> bytes | None:
        """All of a file's bytes, if they are here."""
        data = self._kept.get(sha256)
        if data is not None:
            self._kept.move_to_end(sha256)
        return data

    def keep(self, sha256: str, data: bytes) -> None:
        """Remember them."""
        self.drop(sha256)
        self._kept[sha256] = data
        self._size += len(data)
        while self._size > ROOM:
            self._size -= len(self._kept.popitem(last=False)[1])

    def drop(self, sha256: str) -> None:
        """Forget them."""
        self._size -= len(self._kept.pop(sha256, b""))
