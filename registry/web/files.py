"""Verified files as HTTP responses: by sendfile from a local disk, in pieces from where a call may hang."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from registry.errors import RegistryError, Unavailable
from registry.pipeline.gateway import FileAnswer
from registry.web.ranges import Span, parse_range
from registry.web.reading import READING, Reader, unreadable
from registry.web.responses import FILE_TYPE, matches
from registry.web.sendfile import send_file

SMALL = 32 * 1024
"""Files up to this size are read and written in one go, which is cheaper than setting up a sendfile."""


async def file_response(
    request: web.BaseRequest, answer: FileAnswer, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Verified bytes from the volume, or what is asked for of them: Range, ETag, sendfile.

    What is small is read and sent with its headers in one go: a sendfile costs more. What lies where a call
    may hang is read in threads, never on the loop. Raises Unavailable.
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
        body = await answer.place.quickly(lambda: _read(answer.path, span))
        return web.Response(status=status, body=body, headers=fields)
    if answer.place.local:
        return _LargeFile(status, fields, answer.path, span)
    return _DistantFile(status, fields, answer, span)


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


class _DistantFile(web.StreamResponse):
    """A file, or a part of one, from where a call may hang."""

    def __init__(self, status: int, headers: CIMultiDict[str], answer: FileAnswer, span: Span) -> None:
        super().__init__(status=status, headers=headers)
        self._answer = answer
        self._span = span

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it. What fails before the first byte is still an answer."""
        if self.prepared:
            return await super().prepare(request)
        span = self._span
        async with Reader(self._answer.place, self._answer.path) as reader:
            piece = await reader.read(span.start, span.length)
            writer = await super().prepare(request)
            try:
                await self.write(piece)
                await send_pieces(self, reader, span.start + len(piece), span.stop)
            except (RegistryError, OSError):
                reset(request)
        return writer


async def send_pieces(response: web.StreamResponse, reader: Reader, start: int, stop: int) -> None:
    """That part of a file; the next piece is read when the client has taken the last."""
    while start < stop:
        piece = await reader.read(start, stop - start)
        await response.write(piece)
        start += len(piece)


def reset(request: web.BaseRequest) -> None:
    """Break the connection: headers are out, and what was sent must not look like a complete file."""
    if request.transport is not None:
        request.transport.abort()


def _read(path: Path, span: Span) -> bytes:
    try:
        descriptor = os.open(path, READING)
        try:
            data = os.pread(descriptor, span.length, span.start)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(error) from error
    if len(data) != span.length:
        raise Unavailable("The kept file is shorter than it should be; it will be fetched again.", 1)
    return data


def _open(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, READING), "rb", buffering=0)
    except OSError as error:
        raise unreadable(error) from error
