"""The trees of a volume, walked: which files lie there. Every call blocks."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

_HEX = re.compile("[0-9a-f]{64}")


def blob_files(root: Path, after: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Name and stat of every blob after that name, in order; strangers and links are passed over."""
    top = root / "blobs" / "sha256"
    for folder in sorted(_names(top)):
        if len(folder) != 2 or folder < after[:2] or (top / folder).is_symlink():
            continue
        for name in sorted(_names(top / folder)):
            if name > after and _HEX.fullmatch(name):
                status = _plain(top / folder / name)
                if status is not None:
                    yield name, status


def documents(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Path and stat of every document; strangers and links are passed over."""
    for path, status in files_below(root / "index"):
        if _HEX.fullmatch(path.name):
            yield path, status


def files_below(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Path and stat of every plain file."""
    for folder, _, names in os.walk(top):
        for name in names:
            status = _plain(Path(folder) / name)
            if status is not None:
                yield Path(folder) / name, status


def _plain(path: Path) -> os.stat_result | None:
    """The stat of a plain file; None for a link, a folder, or nothing."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _names(folder: Path) -> Sequence[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are all that is wanted
    except (FileNotFoundError, NotADirectoryError):
        return ()
