"""A rendition that is too large for memory, sent from its file: as it lies there, or unpacked on the way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from registry.errors import Unavailable
from registry.model.indexes import Rendition
from registry.web.pieces import PACKED_PIECE, unpacked, write_pieces
from registry.web.sendfile import send_file


class PackedResponse(web.StreamResponse):
    """One rendition, which stays referenced, and its file in place, until it was sent."""

    def __init__(self, rendition: Rendition, headers: Mapping[str, str], *, unpack: bool) -> None:
        super().__init__(status=200, headers=headers)
        self._rendition = rendition
        self._unpack = unpack

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        if self.prepared:
            return await super().prepare(request)
        if request.method == hdrs.METH_HEAD:
            return await super().prepare(request)
        try:
            file = Path(self._rendition.path).open("rb", buffering=0)  # noqa: SIM115, ASYNC230 - a local file
        except OSError as error:
            raise Unavailable("A rendered index was removed; it is made again.", 1) from error
        with file:
            sent = 0
            try:
                sent = await (self._send_unpacked if self._unpack else self._send)(request, file)
            finally:
                if sent != self.content_length and request.transport is not None:
                    request.transport.abort()  # headers are out: a short body must not look complete
        return self._payload_writer

    async def _send(self, request: web.BaseRequest, file: BinaryIO) -> int:
        writer = await super().prepare(request)
        if writer is None or request.transport is None:
            raise ConnectionResetError("The client has left.")
        return await send_file(request.transport, file, 0, self._rendition.packed, writer.drain)

    async def _send_unpacked(self, request: web.BaseRequest, file: BinaryIO) -> int:
        writer = await super().prepare(request)
        assert writer is not None
        return await write_pieces(writer, unpacked(iter(lambda: file.read(PACKED_PIECE), b"")))
