"""Documents as gzip files on a volume: written durably, read with their digest checked. Everything blocks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from isal import igzip

from registry.storage.durable import read_whole, seal, temp_file, write_all
from registry.storage.volume import Volume

_PIECE = 1024 * 1024
_LEVEL = 2
"""igzip's default: a tenth of zlib's time for nearly zlib's size."""


def packed(body: bytes) -> bytes:
    """The file's bytes for a body."""
    return igzip.compress(body, _LEVEL, mtime=0)


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file that is a gzip already, a mebibyte at a time."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def write(volume: Volume, path: Path, size: int, pieces: Iterable[bytes]) -> None:
    """Write the file durably under its name. Raises Unavailable, OSError."""
    volume.require_identity()
    volume.require_space(size)
    descriptor, temp = temp_file(volume.temp)
    try:
        try:
            for piece in pieces:
                write_all(descriptor, piece)
        except BaseException:
            os.close(descriptor)
            raise
        seal(descriptor)
        volume.settle(temp, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise


def body_of(path: Path, sha256: str) -> bytes | None:
    """The body with this sha256, or None for a file that is missing or damaged."""
    try:
        body: bytes = igzip.decompress(read_whole(path))  # type: ignore[no-untyped-call]
    except (FileNotFoundError, NotADirectoryError, EOFError, zlib.error, igzip.BadGzipFile):
        return None
    return body if hashlib.sha256(body).hexdigest() == sha256 else None


def found_on(volume: Volume, path: Path, sha256: str) -> bytes | None:
    """`body_of`, None being believed only while the right volume is mounted. Raises Unavailable."""
    body = body_of(path, sha256)
    if body is None:
        volume.require_identity()
        body = body_of(path, sha256)  # the volume may have come back just now
        volume.require_identity()
    return body
