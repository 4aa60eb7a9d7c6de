"""Bodies in pieces, so that of our memory a client that takes its time holds a few of them, never a body.

What one client is sent may be shared by many (a rendered index) or made for it alone (the same, unpacked).
Either way a transport copies what its socket doesn't take, so it is given no more than a piece then.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from isal import isal_zlib

PIECE = 32 * 1024
"""Bytes that are given to a transport at a time."""
PACKED_PIECE, UNPACKED_PIECE = 4 * 1024, 16 * 1024
"""Bytes of a gzip stream that are unpacked at a time, and how many they make at most, until the next time."""
LARGE = 64 * 1024
"""Bytes of a body from which on it is sent in pieces."""
_GZIP = 31


class HasFileno(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Its descriptor."""


Drain = Callable[[], Awaitable[None]]
"""Waits while the transport has more than it likes. Raises ConnectionError when the client has left."""


async def push_body(transport: asyncio.WriteTransport, body: memoryview, drain: Drain) -> None:
    """Give it a body: what its socket takes at once, then pieces as the client takes them. Raises
    ConnectionError when that leaves."""
    while body:
        await drain()
        _require_open(transport)
        size = PIECE if transport.get_write_buffer_size() else LARGE
        transport.write(body[:size])
        body = body[size:]


async def push_file(
    transport: asyncio.WriteTransport, file: HasFileno, start: int, length: int, drain: Drain
) -> int:
    """Give it that part of a file on a local disk; gives how many bytes there were, fewer where the file is
    too short. Raises ConnectionError when the client leaves, OSError when reading fails."""
    sent = 0
    while sent < length:
        await drain()
        _require_open(transport)
        piece = os.pread(file.fileno(), min(PIECE, length - sent), start + sent)
        if not piece:
            break
        transport.write(piece)
        sent += len(piece)
        await asyncio.sleep(0)  # others first, however quickly this one takes it
    return sent


def _require_open(transport: asyncio.WriteTransport) -> None:
    if transport.is_closing():
        raise ConnectionResetError("The client has left.")


def unpacked(packed: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """One gzip member, however it was cut, as pieces of what is in it."""
    inflate = isal_zlib.decompressobj(wbits=_GZIP)
    for chunk in packed:
        piece = inflate.decompress(chunk, UNPACKED_PIECE)
        while piece:
            yield piece
            piece = inflate.decompress(inflate.unconsumed_tail, UNPACKED_PIECE)


def cut(body: bytes, size: int = PIECE) -> Iterator[memoryview]:
    """A body as pieces of it, not copied."""
    whole = memoryview(body)
    return (whole[start : start + size] for start in range(0, len(body), size))


class InPieces(web.StreamResponse):
    """A body of known length that is sent in pieces."""

    def __init__(
        self, status: int, fields: dict[str, str], length: int, pieces: Iterable[bytes | memoryview]
    ) -> None:
        super().__init__(status=status, headers=fields)
        self.content_length = length
        self._pieces = pieces

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        if self.prepared:
            return await super().prepare(request)
        writer = await super().prepare(request)
        if writer is not None and request.method != hdrs.METH_HEAD:
            await write_pieces(writer, self._pieces)
        return writer


async def write_pieces(writer: AbstractStreamWriter, pieces: Iterable[bytes | memoryview]) -> int:
    """Write them as the client takes them; gives how many bytes that were. Raises ConnectionError."""
    written = 0
    for piece in pieces:
        await writer.write(piece)
        written += len(piece)
        await asyncio.sleep(0)  # others first, however quickly this one takes it
    return written
