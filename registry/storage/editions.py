"""Editions that all processes of one appliance see: counters in a file that each of them has mapped.

Reading one is reading memory, a tenth of a microsecond. Raising one takes a lock, so that two processes never
write the same number; it happens when something was changed, which is rare. The file has no other meaning:
after a restart its numbers go on, and a lost file begins anew at nought.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
from functools import lru_cache, partial
from pathlib import Path
from zlib import crc32

from registry.model.names import Project

_NAMED = ("policy", "people", "offline", "tables")
_SHARED = 1 << 16
"""Words that projects share by a hash, and files: a neighbour's change costs one more look, nothing else."""
_WORD = 8
_DOCUMENTS = 64
_ROWS = _DOCUMENTS + _SHARED
_USES = _ROWS + _SHARED
"""When files were last asked for, in seconds since 1970."""
_SIZE = (_USES + _SHARED) * _WORD


class SharedEditions:
    """The mapped file. `close` it."""

    def __init__(self, path: Path) -> None:
        """Blocks; raises OSError."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(self._descriptor).st_size != _SIZE:
            os.ftruncate(self._descriptor, _SIZE)
        self._map = mmap.mmap(self._descriptor, _SIZE)
        # Aligned words of a memoryview are read and written whole.
        self._words = memoryview(self._map).cast("Q")
        self._turn = threading.Lock()
        self.policy, self.people, self.offline, self.tables = map(partial(Word, self), range(len(_NAMED)))
        self.documents = ProjectWords(self, _DOCUMENTS)
        """Raised when another document of a project is kept, or none any more."""
        self.rows = ProjectWords(self, _ROWS)
        """Raised when our own rows about a project say something else to its index."""

    def read(self, index: int) -> int:
        """One word."""
        return self._words[index]

    def raise_(self, index: int) -> tuple[int, int]:
        """Raise a word, with all other processes kept out; gives the numbers before and after.

        A number is a time in microseconds: none comes twice, even if a power cut loses the latest ones.
        """
        with self._turn:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                before = self._words[index]
                self._words[index] = after = max(before + 1, time.time_ns() // 1_000)
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return before, after

    def note_use(self, sha256: str) -> None:
        """A file was asked for now. `sha256` is hex."""
        self._words[_USES + int(sha256[:4], 16)] = int(time.time())

    def used_since(self, sha256: str, moment: float) -> bool:
        """Whether some process was asked for the file, or for one that shares its word, since then (seconds
        since 1970). Never no by mistake. Safe in any thread."""
        return self._words[_USES + int(sha256[:4], 16)] >= int(moment)

    def close(self) -> None:
        """Unmap."""
        self._words.release()
        self._map.close()
        os.close(self._descriptor)


class Word:
    """The edition of one thing."""

    def __init__(self, shared: SharedEditions, index: int) -> None:
        self._shared = shared
        self._index = index

    def now(self) -> int:
        """The number."""
        return self._shared.read(self._index)

    def bump(self) -> tuple[int, int]:
        """Raise it; gives the numbers before and after."""
        return self._shared.raise_(self._index)


class ProjectWords:
    """The editions of projects."""

    def __init__(self, shared: SharedEditions, first: int) -> None:
        self._shared = shared
        self._first = first

    def now(self, project: Project) -> int:
        """The number."""
        return self._shared.read(self._first + _place(project))

    def bump(self, project: Project) -> tuple[int, int]:
        """Raise it; gives the numbers before and after."""
        return self._shared.raise_(self._first + _place(project))


@lru_cache(maxsize=4_096)
def _place(project: Project) -> int:
    return crc32(project.name.encode(), crc32(project.ecosystem.encode())) % _SHARED
