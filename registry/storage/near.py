"""Copies of documents on the local disk, so that no index waits for the LAN volume or the NAS behind it.

Where the volume is itself a directory of that disk, a copy is a second name of the volume's file.

A cache and nothing more: not made durable, and whoever reads a copy verifies it. What was used least recently
goes when it grows too large. Several processes may share one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

_MOST = 1 << 30
"""Bytes: the gzipped documents of some twenty thousand projects."""
_SHARE = 16
"""After every sixteenth part of it that was added, what lies there is measured, and cut by as much."""


class NearCopies:
    """Files by name in one directory. Every call blocks, for as long as a local disk takes."""

    def __init__(self, root: Path, most: int = _MOST) -> None:
        """`most` is how many bytes they may take."""
        self._root = root
        self._most = most
        self._added = most  # what earlier processes left is measured by the first `put`
        self._lock = threading.Lock()

    def find(self, name: str) -> Path | None:
        """Where the copy lies, which counts as used now; None where there is none."""
        path = self._root / name
        try:
            os.utime(path, follow_symlinks=False)
        except OSError:
            return None
        return path

    def put(self, name: str, pieces: Iterable[bytes]) -> Path | None:
        """Keep a copy; where it lies, or None where the disk doesn't take it."""
        path, temp = self._root / name, self._root / f"{secrets.token_hex(16)}.temp"
        size = 0
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with temp.open("xb") as file:
                for piece in pieces:
                    size += file.write(piece)
            temp.rename(path)
        except OSError:
            with contextlib.suppress(OSError):
                temp.unlink()
            return None
        self._trim(size)
        return path

    def link(self, name: str, file: Path, pieces: Callable[[], Iterable[bytes]]) -> Path | None:
        """The same for what `file` holds already: on one disk a second name of it, which takes no room."""
        path = self._root / name
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.hardlink_to(file)
        except OSError:
            return self.put(name, pieces())
        self._trim(path.stat().st_size)
        return path

    def drop(self, name: str) -> None:
        """Forget a copy, if there is one."""
        with contextlib.suppress(OSError):
            (self._root / name).unlink()

    def _trim(self, added: int) -> None:
        """Remove the oldest until the rest fits, with room for some more."""
        with self._lock:
            self._added += added
            if self._added < self._most // _SHARE:
                return
            self._added = 0
        found = []
        with os.scandir(self._root) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, status.st_size, entry.name))
        surplus = sum(size for _, size, _ in found) - self._most + self._most // _SHARE
        for _, size, name in sorted(found):
            if surplus <= 0:
                return
            self.drop(name)
            surplus -= size
