"""What a blob's file looked like when its bytes were last known to be right.

A file that still looks so isn't read again. It is remembered here for the blobs that are asked for, and in
the `blob` table for after a restart: a row that a crash loses only costs one more hashing.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import OrderedDict
from pathlib import Path

import apsw

from registry.errors import Unavailable
from registry.storage.database import Database

Look = tuple[int, int, int]
"""Size, mtime in nanoseconds, inode."""

_REMEMBERED = 10_000


class Looks:
    """Of one volume's blobs."""

    def __init__(self, volume: str, database: Database) -> None:
        """`volume` is what the database calls it."""
        self._volume = volume
        self._database = database
        self._trusted: OrderedDict[str, tuple[Path, Look]] = OrderedDict()

    def get(self, sha256: str) -> tuple[Path, Look] | None:
        """Where a blob lies and how it looked, if it was found before."""
        return self._trusted.get(sha256)

    def remember(self, sha256: str, path: Path, look: Look) -> None:
        """A blob was found, as it is known to be."""
        self._trusted[sha256] = (path, look)
        self._trusted.move_to_end(sha256)
        if len(self._trusted) > _REMEMBERED:
            self._trusted.popitem(last=False)

    def trust(self, sha256: str, path: Path, look: Look) -> None:
        """Its bytes are known to be right."""
        self.remember(sha256, path, look)

        def job(connection: apsw.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO blob (volume, sha256, size, mtime_ns, inode) VALUES (?, ?, ?, ?, ?)",
                (self._volume, sha256, *look),
            )

        with contextlib.suppress(Unavailable):  # the appliance is stopping
            self._database.post(job)

    def recorded(self, sha256: str) -> Look | None:
        """How it looked by the table. A point look-up."""
        row = self._database.row(
            "SELECT size, mtime_ns, inode FROM blob WHERE volume = ? AND sha256 = ?", (self._volume, sha256)
        )
        return None if row is None else (row[0], row[1], row[2])

    def forget(self, sha256: str) -> None:
        """It is trusted no more for now."""
        self._trusted.pop(sha256, None)

    def drop(self, sha256: str) -> None:
        """It is gone: nor is it after a restart."""
        self.forget(sha256)
        self._database.post(
            lambda connection: connection.execute(
                "DELETE FROM blob WHERE volume = ? AND sha256 = ?", (self._volume, sha256)
            )
        )


def look_of(status: os.stat_result) -> Look:
    """The look that a stat shows."""
    # inodes are unsigned 64 bits, SQLite's integers signed
    return status.st_size, status.st_mtime_ns, status.st_ino & 0x7FFF_FFFF_FFFF_FFFF


def look_at(path: Path) -> Look | None:
    """None when there is nothing; what isn't a plain file is nothing. Blocks."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return look_of(status) if stat.S_ISREG(status.st_mode) else None


def first_look_at(path: Path) -> Look | None:
    """The same for a file that isn't known yet; what a link leads to is somebody else's. Blocks."""
    return None if path.parent.is_symlink() else look_at(path)
