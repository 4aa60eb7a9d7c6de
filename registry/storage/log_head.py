"""How far the log had got, noted beside the database: it shows when commits that were durable are gone.

A database can't tell that its -wal file was deleted, or that an older copy took its place: it is sound, and
shorter. So the number of the log's newest row is noted in a small file of its own that every process of the
appliance has mapped: after each commit, without waiting for a disk, and surviving whatever kills a process.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

_SIZE = 8


class LogHead:
    """The mapped file. `close` it."""

    def __init__(self, database: Path) -> None:
        """Makes it where it is missing. Blocks; raises OSError."""
        self.path = database.with_name(f"{database.name}.head")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        try:
            if os.fstat(descriptor).st_size != _SIZE:
                os.ftruncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        # An aligned word of a memoryview is read and written whole.
        self._word = memoryview(self._map).cast("Q")

    @property
    def row(self) -> int:
        """Number of a row that the log has, or had; no more than a few are newer."""
        return self._word[0]

    def reached(self, row: int) -> None:
        """The log has this row, durably. Of two processes at once the smaller number may stay: it promises
        less."""
        self._word[0] = max(self._word[0], row)

    def close(self) -> None:
        """Unmap."""
        self._word.release()
        self._map.close()
