"""Documents and renditions that don't fit into memory: files in, files out. For worker processes.

A document's bytes are mapped, not read, and the map is emptied as it is walked; a rendition is compressed
piece by piece. So a packument of a hundred megabytes costs the worker little more than a small one.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

import msgspec
from isal import igzip

from registry.errors import Unavailable
from registry.model.indexes import Document, Rendition

GZIP_LEVEL = 2
"""isal's levels go from 0 to 3; 2 costs a few milliseconds a megabyte and comes near zlib's 6."""
PIECE = 1024 * 1024


class DocumentLost(Unavailable):
    """A kept document's file is gone, or isn't what was kept."""


@contextmanager
def opened(document: Document, scratch: str, *, mapped: bool) -> Iterator[Document]:
    """The document with its body in place: mapped from a file of `scratch`, or read where a map won't do.

    Raises DocumentLost for a file that is gone or has other bytes.
    """
    if not document.path:
        yield document
        return
    with tempfile.TemporaryFile(dir=scratch) as plain:
        _unpack(document, plain)
        if not mapped:
            plain.seek(0)
            yield msgspec.structs.replace(document, body=plain.read())
            return
        # Not closed by hand: views of it end when the last artifact does.
        view = mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ)
        yield msgspec.structs.replace(document, body=cast("bytes", view))


def relieve(document: Document) -> None:
    """Give back the memory that a walk through a mapped body took; its pages come again when asked for."""
    body = cast("object", document.body)
    if isinstance(body, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        body.madvise(mmap.MADV_DONTNEED)


def pack_pieces(
    pieces: Iterable[bytes],
    content_type: str,
    revision: str,
    headers: tuple[tuple[str, str], ...],
    scratch: str,
) -> Rendition:
    """The rendition of a body that comes in pieces, as a file of `scratch`; whoever gets it removes that."""
    digest, size = hashlib.sha256(), 0
    descriptor, path = tempfile.mkstemp(dir=scratch, prefix="rendition-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            with igzip.IGzipFile(fileobj=file, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as packer:  # type: ignore[no-untyped-call]
                for piece in _gathered(pieces):
                    digest.update(piece)
                    packer.write(piece)  # type: ignore[no-untyped-call]
                    size += len(piece)
            file.flush()
            packed = os.fstat(file.fileno()).st_size
    except BaseException:
        with suppress(OSError):
            Path(path).unlink()
        raise
    return Rendition(
        content_type=content_type,
        etag=etag_of(digest.digest(), content_type, revision),
        path=path,
        packed=packed,
        size=size,
        headers=headers,
    )


def etag_of(body_sha256: bytes, content_type: str, revision: str) -> str:
    """A strong ETag: it differs by bytes, form and policy revision."""
    whole = hashlib.sha256(body_sha256 + f"\0{content_type}\0{revision}".encode())
    return f'"{whole.hexdigest()[:32]}"'


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Fewer, larger pieces."""
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _unpack(document: Document, plain: IO[bytes]) -> None:
    digest = hashlib.sha256()
    try:
        with igzip.open(document.path, "rb") as packed:  # type: ignore[no-untyped-call]
            while piece := packed.read(PIECE):
                digest.update(piece)
                plain.write(piece)
    except (FileNotFoundError, EOFError, igzip.BadGzipFile) as error:
        raise DocumentLost("A kept index can't be read any more; it is fetched again.", 1) from error
    plain.flush()
    if digest.hexdigest() != document.sha256:
        raise DocumentLost("A kept index is damaged; it is fetched again.", 1)
