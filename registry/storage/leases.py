"""Leases: what only one process of an appliance may do at a time, by name.

A lease is a lock on one byte of a file on the local disk, at the place that a hash of its name says. The
kernel lets go of it however its process ends. Whoever holds one can leave words for those who wait for it, in
a file beside it; they are never what anything's rightness rests on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
import time
from pathlib import Path

_OPEN_FILE_LOCK: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_PLACES = 1 << 62
_LETTERS = 32
_FORGOTTEN = 3_600.0
"""Seconds after which words are of a process that was killed."""


class FileLeases:
    """The port's implementation over byte locks. `close` it."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder where it is missing, and drops words of long ago. Blocks; raises OSError."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(folder / "lock", flags, 0o600)
        oldest = time.time() - _FORGOTTEN
        for path in folder.glob(f"{'?' * _LETTERS}*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def take(self, name: str) -> bool:
        """Take a lease, or see at once that another process has it. One that is ours already stays ours."""
        try:
            self._lock(fcntl.F_WRLCK, name)
        except (BlockingIOError, PermissionError):  # POSIX lets a system say either
            return False
        return True

    def drop(self, name: str) -> None:
        """Give a lease back; nothing happens to one that isn't ours."""
        self._lock(fcntl.F_UNLCK, name)

    def say(self, name: str, words: bytes) -> None:
        """Leave words about a lease; they stay until others take their place. Raises OSError."""
        path = self._words(name)
        staged = path.with_name(f"{path.name}.{os.getpid()}")
        staged.write_bytes(words)
        staged.rename(path)

    def heard(self, name: str) -> bytes | None:
        """The words that were left last."""
        try:
            return self._words(name).read_bytes()
        except FileNotFoundError:
            return None

    def unsay(self, name: str) -> None:
        """Take the words back."""
        self._words(name).unlink(missing_ok=True)

    def close(self) -> None:
        """Give all back."""
        os.close(self._descriptor)

    def _lock(self, kind: int, name: str) -> None:
        place = place_of(name)
        if _OPEN_FILE_LOCK is None:  # a lock of the process: the same, as long as nobody else opens the file
            operation = fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
            fcntl.lockf(self._descriptor, operation, 1, place)
            return
        fcntl.fcntl(self._descriptor, _OPEN_FILE_LOCK, struct.pack("hhqqi4x", kind, os.SEEK_SET, place, 1, 0))

    def _words(self, name: str) -> Path:
        return self._folder / _hash(name)[:_LETTERS]


def place_of(name: str) -> int:
    """The byte whose lock is the lease."""
    return int(_hash(name)[:16], 16) % _PLACES


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
