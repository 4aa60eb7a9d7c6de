"""Bodies on their way in: spooled to local disk and hashed while they arrive, never held in memory whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from registry.errors import Malformed, RegistryError, TooLarge, Unavailable
from registry.model.publications import DOCUMENT_BYTES, Upload

FIELDS = 200
"""Text fields of a form at most; the core metadata of a project fills about forty."""
FIELD_BYTES = 4 * 2**20
"""Bytes of all text fields together; a long description is the largest of them."""
CHUNK = 256 * 1024


@asynccontextmanager
async def spool(directory: Path) -> AsyncIterator[Path]:
    """An empty file of our own that is gone afterwards, whatever happens."""
    try:
        descriptor, name = tempfile.mkstemp(dir=directory, prefix="upload-")
    except OSError as error:
        raise Unavailable(f"Uploads can't be spooled ({error.strerror}); check the disk.") from error
    os.close(descriptor)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)  # noqa: ASYNC240  local disk, one system call


class _Hashes:
    """All digests that an upload form may carry, computed in one pass."""

    def __init__(self) -> None:
        names = ("md5", "sha256", "sha512")
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        self._blake = hashlib.blake2b(digest_size=32)

    def update(self, chunk: bytes) -> None:
        for each in self._hashes.values():
            each.update(chunk)
        self._blake.update(chunk)

    def digests(self) -> dict[str, str]:
        return {name: each.hexdigest() for name, each in self._hashes.items()} | {
            "blake2b_256": self._blake.hexdigest()
        }


async def read_form(request: web.Request, path: Path, limit: int) -> Upload:
    """Read a multipart upload (twine, uv publish) with its file into `path`.

    Raises Malformed for a form that isn't one, and TooLarge beyond `limit` bytes of file.
    """
    if not request.content_type.startswith("multipart/"):
        raise Malformed("An upload is a multipart form; use twine or uv publish.")
    fields: dict[str, list[str]] = {}
    taken = 0
    filename, size, hashes = "", 0, _Hashes()
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise Malformed("The upload form has a part that isn't a field.")
            if part.name == "content" and part.filename:
                if filename:
                    raise Malformed("The upload form has two files; send one at a time.")
                filename = part.filename
                size = await _spool_part(part, path, limit, hashes)
                continue
            if sum(map(len, fields.values())) >= FIELDS:
                raise _too_wordy()
            data = await _read_field(part, FIELD_BYTES - taken)
            taken += len(data)
            fields.setdefault(part.name, []).append(data.decode("utf-8", "replace"))
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as error:
        raise Malformed("The upload form is broken; it ends early or isn't multipart.") from error
    except OSError as error:
        raise _broken_off(error) from error
    if not filename:
        raise Malformed("The upload form has no file in a field named 'content'.")
    return Upload(
        fields={name: tuple(values) for name, values in fields.items()},
        filename=filename,
        size=size,
        digests=hashes.digests(),
    )


async def read_document(request: web.Request, path: Path, limit: int) -> None:
    """Spool a JSON body that carries a file of `limit` bytes at most, in base64.

    Raises TooLarge for a body that holds more than that; what is inside is looked at later.
    """
    most = (limit + 2) // 3 * 4 + DOCUMENT_BYTES
    if (request.content_length or 0) > most:
        raise TooLarge.of_upload(limit)
    size = 0
    try:
        with path.open("wb") as file:
            async for chunk in request.content.iter_chunked(CHUNK):
                size += len(chunk)
                if size > most:
                    raise TooLarge.of_upload(limit)
                file.write(chunk)
    except OSError as error:
        raise _broken_off(error) from error


async def read_change(request: web.Request) -> bytes:
    """A JSON body that carries no file, whole. Raises TooLarge beyond what any change of a project needs."""
    body = bytearray()
    try:
        async for chunk in request.content.iter_chunked(CHUNK):
            body += chunk
            if len(body) > DOCUMENT_BYTES:
                raise _too_long()
    except OSError as error:
        raise _broken_off(error) from error
    return bytes(body)


def change_in(path: Path) -> bytes:
    """A spooled body that turned out to carry no file. Raises TooLarge like `read_change`."""
    if path.stat().st_size > DOCUMENT_BYTES:
        raise _too_long()
    return path.read_bytes()


async def _read_field(part: BodyPartReader, room: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        data += chunk
        if len(data) > room:
            raise _too_wordy()
    return bytes(data)


async def _spool_part(part: BodyPartReader, path: Path, limit: int, hashes: _Hashes) -> int:
    size = 0
    with path.open("wb") as file:
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            if size > limit:
                raise TooLarge.of_upload(limit)
            hashes.update(chunk)
            file.write(chunk)
    return size


def _broken_off(error: OSError) -> RegistryError:
    """The client has left, or our disk is full."""
    if isinstance(error, ConnectionError):
        return Malformed("The upload broke off before its end; send it again.")
    return Unavailable(f"Uploads can't be spooled ({error.strerror}); check the disk.")


def _too_wordy() -> TooLarge:
    return TooLarge("The upload form's text fields are larger than any package's metadata.")


def _too_long() -> TooLarge:
    return TooLarge(f"A change without a file is a document of {DOCUMENT_BYTES >> 20} MiB at most.")
