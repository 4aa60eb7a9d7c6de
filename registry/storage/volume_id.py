"""The file volume-id: 128 random bits, written once, by which a volume is known. Every call blocks."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from registry.errors import Unavailable
from registry.storage.durable import read_whole, seal, sync_directory, write_all

NAME = "volume-id"


class VolumeId:
    """That of one directory."""

    def __init__(self, root: Path, title: str) -> None:
        """`title` is what messages call the volume."""
        self._root = root
        self._path = root / NAME
        self._title = title
        self._confirmed: tuple[int, ...] | None = None

    def read(self) -> str | None:
        """What it says; None where there is no such file. Raises Unavailable for a damaged one."""
        try:
            found = read_whole(self._path).decode("ascii", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not re.fullmatch("[0-9a-f]{32}", found):
            raise Unavailable(
                f"The file volume-id of {self._title} is damaged; bring it back from a backup, or remove it"
                " if the volume was never used."
            )
        return found

    def is_confirmed(self) -> bool:
        """Whether the file looks as it did when it was last found to be right: on a local disk it is that
        file then, and needn't be read."""
        return self._confirmed is not None and self.look() == self._confirmed

    def confirm(self, look: tuple[int, ...] | None) -> None:
        """It was the right one, and looked so before it was read."""
        self._confirmed = look

    def look(self) -> tuple[int, ...] | None:
        """What tells this file from any other, or another state of it; None where there is none."""
        try:
            status = os.lstat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def create(self) -> str:
        """One for a directory that is new or empty; exclusive, so two that start at once agree. Raises
        Unavailable where other files lie."""
        self._root.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not all(_ignored(entry.name) for entry in self._root.iterdir()):
            raise Unavailable(
                f"{self._title[:1].upper()}{self._title[1:]} has other files in it but no volume-id; give it"
                " an empty directory, or bring back its file 'volume-id' from a backup."
            )
        found = secrets.token_hex(16)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o644)
        except FileExistsError:
            return self.read() or self.create()
        write_all(descriptor, found.encode() + b"\n")
        seal(descriptor)
        sync_directory(self._root.resolve())
        return found


def _ignored(name: str) -> bool:
    """What may lie in an empty volume: a file system's own things."""
    return name.startswith(".") or name in {"lost+found", "Thumbs.db"}
