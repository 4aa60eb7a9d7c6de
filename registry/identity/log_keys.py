"""The key that checkpoints of the log are signed with, in a file; those before it follow it there."""

from __future__ import annotations

from pathlib import Path

from registry.identity.keys import ensure_secret, replace_secret
from registry.provenance.checkpoints import LogKey, new_key


class LogKeys:
    """Reads the file again when another process has replaced it."""

    def __init__(self, path: Path) -> None:
        """Makes a key where there is none. Raises Malformed for a file that has none."""
        self._path = path
        ensure_secret(path, new_key)
        self._read()

    def current(self) -> LogKey:
        """The key. Raises Malformed, OSError."""
        if self._look() != self._seen:
            self._read()
        return self._key

    def replace(self, pem: str) -> None:
        """Keep another one, durably."""
        replace_secret(self._path, pem.encode())

    def _read(self) -> None:
        self._seen = self._look()
        self._key = LogKey(self._path.read_text(encoding="utf-8"))

    def _look(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino
