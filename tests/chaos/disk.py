"""A disk that forgets what wasn't fsynced when the power is cut, as far as Python's `os` shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class ForgetfulDisk:
    """Knows which files and directories were made durable."""

    def __init__(self) -> None:
        self.synced: set[tuple[int, int]] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take note of every fsync meanwhile."""
        real = os.fsync

        def fsync(fd: Any) -> None:
            real(fd)
            status = os.fstat(fd if isinstance(fd, int) else fd.fileno())
            self.synced.add((status.st_dev, status.st_ino))

        os.fsync = fsync
        try:
            yield
        finally:
            os.fsync = real

    def cut(self, top: Path) -> list[str]:
        """The power is cut: files below `top` that were never fsynced have their names and no bytes, as ext4 does
        it. Gives their names."""
        forgotten = []
        for path in top.rglob("*"):
            status = path.lstat()
            if path.is_file() and (status.st_dev, status.st_ino) not in self.synced:
                path.write_bytes(b"")
                forgotten.append(path.name)
        return forgotten
