"""Answers as HTTP responses: renditions, verified files by sendfile, files still on their way in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from isal import igzip
from multidict import CIMultiDict

from registry.errors import RegistryError, Unavailable
from registry.model.indexes import Rendition
from registry.pipeline.gateway import BytesAnswer, FactsAnswer, FileAnswer, FlightAnswer
from registry.pipeline.rendering import IndexAnswer
from registry.pipeline.verify import HELD_BACK
from registry.web.packed import PackedResponse
from registry.web.ranges import Span, parse_range
from registry.web.sendfile import send_file

STREAM_AFTER = 2.0
"""Seconds after which a file that is still on its way is streamed instead of waited for. A file that arrives
sooner is verified first, so a wrong one is a clean 502 with its reason and not a broken connection."""
PIECE = 256 * 1024
"""Bytes that are read and sent at a time while a file is on its way."""
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
SMALL = 32 * 1024
"""Files up to this size are read and written in one go, which is cheaper than setting up a sendfile."""

FILE_TYPE = "application/octet-stream"


def matches(request: web.BaseRequest, etag: str) -> bool:
    """Whether If-None-Match names this ETag (RFC 9110 §13.1.2, weak comparison)."""
    header = request.headers.get(hdrs.IF_NONE_MATCH)
    if header is None:
        return False
    return header.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in header.split(","))


def takes_bytes(request: web.BaseRequest, sha256: str, size: int) -> bool:
    """Whether the answer will have bytes of the file: no HEAD, condition that holds or range beyond it."""
    etag = f'"{sha256}"'
    whole = request.method == hdrs.METH_GET and not matches(request, etag)
    return whole and parse_range(request, size, etag) is not None


def rendition_response(
    request: web.BaseRequest, answer: IndexAnswer, cache_control: str
) -> web.StreamResponse:
    """A rendered index, or the 304 that says the client has it."""
    rendition = answer.rendition
    headers = {
        hdrs.ETAG: rendition.etag,
        hdrs.VARY: "Accept, Accept-Encoding",
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.CONTENT_TYPE: rendition.content_type,
        hdrs.AGE: str(answer.age),
        "X-Cache": answer.state,
    }
    headers.update(rendition.headers)
    if answer.state in {"STALE", "OFFLINE"}:
        headers["Warning"] = '110 - "the source could not be asked; this is what it said last"'
    if matches(request, rendition.etag):
        return web.Response(status=304, headers=headers)
    if rendition.path:
        return PackedResponse(rendition, headers, unpack=not _accepts_gzip(request))
    if _accepts_gzip(request):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=rendition.gzipped, headers=headers)
    return web.Response(body=unpacked(rendition), headers=headers)


def unpacked(rendition: Rendition) -> bytes:
    """The body as it was before gzip, for the few clients that don't take it."""
    body: bytes = igzip.decompress(rendition.gzipped)  # type: ignore[no-untyped-call]
    return body


def bytes_response(
    request: web.BaseRequest, answer: BytesAnswer, cache_control: str, content_type: str = FILE_TYPE
) -> web.Response:
    """A small verified document."""
    headers = {hdrs.ETAG: answer.etag, hdrs.CACHE_CONTROL: cache_control, hdrs.CONTENT_TYPE: content_type}
    if matches(request, answer.etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=answer.body, headers=headers)


def facts_response(answer: FactsAnswer, headers: Mapping[str, str]) -> web.Response:
    """The headers of a file that isn't here yet, as a later GET will have them."""
    response = web.Response(headers=headers)
    response.headers[hdrs.ACCEPT_RANGES] = "bytes"
    response.headers[hdrs.CONTENT_TYPE] = FILE_TYPE
    response.headers[hdrs.CONTENT_LENGTH] = str(answer.size)
    if answer.sha256 is not None:
        response.headers[hdrs.ETAG] = f'"{answer.sha256}"'
    return response


def file_response(
    request: web.BaseRequest, answer: FileAnswer, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Verified bytes from the volume, or what is asked for of them: Range, ETag, sendfile.

    What is small is read and sent with its headers in one go: a sendfile costs more. Raises Unavailable.
    """
    etag = f'"{answer.sha256}"'
    fields = CIMultiDict(headers)
    fields[hdrs.ETAG] = etag
    fields[hdrs.ACCEPT_RANGES] = "bytes"
    fields[hdrs.CONTENT_TYPE] = FILE_TYPE
    if matches(request, etag):
        return web.Response(status=304, headers=fields)
    span = parse_range(request, answer.size, etag)
    if span is None:
        fields[hdrs.CONTENT_RANGE] = f"bytes */{answer.size}"
        return web.Response(status=416, headers=fields)
    fields[hdrs.CONTENT_LENGTH] = str(span.length)
    if span.partial:
        fields[hdrs.CONTENT_RANGE] = f"bytes {span.start}-{span.stop - 1}/{answer.size}"
    status = 206 if span.partial else 200
    if request.method == hdrs.METH_HEAD:
        return web.Response(status=status, headers=fields)
    if span.length <= SMALL:
        return web.Response(status=status, body=_read(answer.path, span), headers=fields)
    return _LargeFile(status, fields, answer.path, span)


class _LargeFile(web.StreamResponse):
    """A file, or a part of one, by sendfile."""

    def __init__(self, status: int, headers: CIMultiDict[str], path: Path, span: Span) -> None:
        super().__init__(status=status, headers=headers)
        self._path = path
        self._span = span

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        if self.prepared:
            return await super().prepare(request)
        with _open(self._path) as file:
            writer = await super().prepare(request)
            await self._send(request, file)
            return writer

    async def _send(self, request: web.BaseRequest, file: BinaryIO) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("The client has left.")
        span, sent = self._span, 0
        try:
            sent = await send_file(transport, file, span.start, span.length)
        finally:
            if sent != span.length:
                transport.abort()  # headers are out: a short file must not look complete


def _read(path: Path, span: Span) -> bytes:
    try:
        descriptor = os.open(path, _READING)
        try:
            data = os.pread(descriptor, span.length, span.start)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(error) from error
    if len(data) != span.length:
        raise Unavailable("The kept file is shorter than it should be; it will be fetched again.", 1)
    return data


def _open(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, _READING), "rb", buffering=0)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> Unavailable:
    return Unavailable(f"A kept file can't be read ({error.strerror}); check the volume.")


async def flight_response(
    request: web.BaseRequest, answer: FlightAnswer, headers: Mapping[str, str], *, deliver: bool
) -> web.StreamResponse:
    """A file on its way in: waited for when it comes soon, streamed with its tail held back when not.

    A part (Range), a HEAD and a file of unknown size always wait, so that their answer is exact.
    """
    flight = answer.flight
    streamable = deliver and flight.announced is not None and hdrs.RANGE not in request.headers
    try:
        async with asyncio.timeout(STREAM_AFTER if streamable else None):
            landed = await asyncio.shield(flight.done)
    except TimeoutError:
        return await _stream(request, answer, headers)
    if deliver and takes_bytes(request, landed.sha256, landed.size):
        await answer.record(landed.sha256)
    here = FileAnswer(landed.path, landed.sha256, landed.size, answer.filename)
    return file_response(request, here, headers)


async def _stream(
    request: web.BaseRequest, answer: FlightAnswer, headers: Mapping[str, str]
) -> web.StreamResponse:
    flight = answer.flight
    response = web.StreamResponse(status=200, headers=headers)
    response.content_type = FILE_TYPE
    response.content_length = flight.announced
    sent = 0
    file: BinaryIO | None = None
    try:
        while not flight.done.done():
            ready = min(flight.available, flight.announced or 0) - HELD_BACK
            if sent >= ready or flight.path is None:
                await flight.news()
                continue
            if file is None:
                file = _open_staged(flight.path)
                if file is None:
                    await asyncio.wait([flight.done])
                    break
                await response.prepare(request)
            piece = await asyncio.to_thread(os.pread, file.fileno(), min(PIECE, ready - sent), sent)
            await _send_piece(response, piece)
            sent += len(piece)
        return await _finish(request, answer, response, file, sent)
    except (RegistryError, OSError):
        if not response.prepared:
            raise
        _reset(request)  # headers are out, so no error can be told any more
        return response
    finally:
        if file is not None:
            file.close()


async def _finish(
    request: web.BaseRequest,
    answer: FlightAnswer,
    response: web.StreamResponse,
    file: BinaryIO | None,
    sent: int,
) -> web.StreamResponse:
    """The file is verified and kept: record the delivery, then send the tail."""
    landed = await answer.flight.done
    await answer.record(landed.sha256)
    if file is None:
        here = FileAnswer(landed.path, landed.sha256, landed.size, answer.filename)
        return file_response(request, here, response.headers)
    if not await asyncio.to_thread(_is_same, file, landed.path):
        raise Unavailable("The file was fetched a second time; what was sent so far is of the first.")
    while sent < landed.size:
        piece = await asyncio.to_thread(os.pread, file.fileno(), min(PIECE, landed.size - sent), sent)
        await _send_piece(response, piece)
        sent += len(piece)
    await response.write_eof()
    return response


async def _send_piece(response: web.StreamResponse, piece: bytes) -> None:
    if not piece:
        raise Unavailable("The file is shorter than it was a moment ago; check the volume.")
    await response.write(piece)


def _open_staged(path: Path) -> BinaryIO | None:
    """The staged file; None when it is just being moved to its place, or was thrown away: that is its end."""
    try:
        return _open(path)
    except Unavailable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _is_same(file: BinaryIO, path: Path) -> bool:
    """Whether the staged file became the kept one: another process may have fetched it anew meanwhile."""
    return os.path.samestat(os.fstat(file.fileno()), path.stat())


def _reset(request: web.BaseRequest) -> None:
    """Break the connection, so that what was sent can't be taken for a complete file."""
    if request.transport is not None:
        request.transport.abort()


def _accepts_gzip(request: web.BaseRequest) -> bool:
    accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "")
    if "gzip" not in accepted and "*" not in accepted:
        return False
    return "gzip;q=0" not in accepted.replace(" ", "")
