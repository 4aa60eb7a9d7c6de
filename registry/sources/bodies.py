"""Reading what a source sends: no faster than asked for, no slower than allowed, no more than announced.

Bodies are decoded here, in steps with a limit, because a library that decodes by itself has no limit.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
from aiohttp import ClientPayloadError, ClientResponse
from isal import isal_zlib

from registry.errors import SourceFailed
from registry.sources.failures import Outage
from registry.sources.limits import MIB, Limits
from registry.sources.spool import Spool

CHUNK = 256 * 1024
"""Bytes that are read or decoded in one go: a millisecond's work at most."""
SUSPICIOUS = 16 * MIB
"""Decoded bytes from which on the ratio counts."""
RATIO = 200
"""Decoded bytes a received byte may make; packuments make 10 to 40, a bomb makes 1,000."""
_GZIP = 31


async def chunks(response: ClientResponse, limits: Limits, name: str) -> AsyncGenerator[bytes, None]:
    """A body as it arrives, at most CHUNK bytes at a time.

    Raises Outage when it ends before its announced length, is cut off, or is slower than the limits allow.
    Only the time we wait for the source counts, not the time that the reader of this takes.
    """
    clock = asyncio.get_running_loop().time
    chunk: bytes | None
    left, got = limits.window, 0
    stream = response.content
    while True:
        began = clock()
        try:
            chunk = stream.read_nowait(CHUNK)
            if not chunk and not stream.at_eof():  # a small body came whole, with its head
                async with asyncio.timeout(left):
                    chunk = await stream.read(CHUNK)
        except TimeoutError:
            chunk = None
        except (ClientPayloadError, OSError) as exc:
            raise Outage(f"{name} broke the connection before the end of its answer.", again=True) from exc
        if chunk == b"":
            return
        left -= clock() - began
        got += len(chunk or b"")
        if chunk is None or left <= 0:
            if got < limits.rate * limits.window:
                raise Outage(
                    f"{name} sends slower than {limits.rate} bytes a second; the request was given up."
                )
            left, got = limits.window, 0
        if chunk:
            yield chunk


class Body(msgspec.Struct, frozen=True):
    """A whole document."""

    data: bytes = b""
    """Empty where it lies in a file."""
    path: str = ""
    """A gzip file with it, which is the reader's; empty where it is in memory."""
    sha256: str = ""
    """Of the document as decoded, in hex."""


async def read_document(
    response: ClientResponse, limits: Limits, name: str, directory: Path | None = None
) -> Body:
    """A whole document, decoded from gzip where it is coded so; a large one as a file in `directory`.

    It is hashed while it arrives: at the end, 100 MB would hold everybody else up.

    Raises SourceFailed for another coding, broken gzip, and more than `document_bytes` (the message names the
    setting), without ever holding more than that.
    """
    limit = limits.document_bytes
    too_large = (
        f"{name} sent an index larger than {limit:,} bytes; raise {limits.document_setting} to accept it."
    )
    coding = coding_of(response)
    if coding not in {"identity", "gzip", "x-gzip"}:
        raise SourceFailed(f"{name} sent an index in a coding that was not asked for ({coding[:20]!r}).")
    if (response.content_length or 0) > limit:
        raise SourceFailed(too_large)
    inflater = Inflater(name) if "gzip" in coding else None
    body, hashed = Spool(directory), hashlib.sha256()
    try:
        async with aclosing(chunks(response, limits, name)) as arriving:
            async for chunk in arriving:
                for piece in inflater.feed(chunk) if inflater else (chunk,):
                    if body.size + len(piece) > limit:
                        raise SourceFailed(too_large)  # noqa: TRY301 - what was spooled goes with it
                    body.write(piece)
                    hashed.update(piece)
                    await asyncio.sleep(0)
        if inflater is not None:
            inflater.finish()
        return Body(body.finish(), body.path, hashed.hexdigest())
    except BaseException:
        body.discard()
        raise


def coding_of(response: ClientResponse) -> str:
    """All Content-Encodings of a body, lower case, in the order they were applied; `identity` for none."""
    return ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower() or "identity"


class Inflater:
    """One gzip member, unpacked in steps of at most CHUNK bytes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inflate = isal_zlib.decompressobj(wbits=_GZIP)
        self._received = 0
        self._unpacked = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What a received chunk unpacks to. Raises SourceFailed for what isn't gzip, and for a bomb."""
        self._received += len(chunk)
        piece = b""
        while chunk or len(piece) == CHUNK:
            if self._inflate.eof:
                if not chunk:
                    return
                raise SourceFailed(f"{self._name} sent gzip that goes on after its end.")
            try:
                piece = self._inflate.decompress(chunk, CHUNK)
            except isal_zlib.error as exc:  # type: ignore[misc]  # its stub says instance
                raise SourceFailed(f"{self._name} sent an index that isn't valid gzip.") from exc
            chunk = self._inflate.unconsumed_tail or self._inflate.unused_data
            self._unpacked += len(piece)
            if self._unpacked > max(SUSPICIOUS, self._received * RATIO):
                raise SourceFailed(f"{self._name} sent gzip that unpacks to over {RATIO} times its size.")
            yield piece

    def finish(self) -> None:
        """The body is over. Raises Outage when the gzip is not."""
        if not self._inflate.eof:
            raise Outage(f"{self._name} sent gzip that ends too early.", again=True)
