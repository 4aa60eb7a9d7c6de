"""Verified files as HTTP responses: by sendfile from a local disk, in pieces from where a call may hang."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from registry.errors import RegistryError, Unavailable
from registry.pipeline.answers import FileAnswer
from registry.web.opened import OpenFile
from registry.web.pieces import Drain
from registry.web.ranges import Span
from registry.web.reading import READING, Reader, unreadable
from registry.web.replies import Reply, file_reply
from registry.web.responses import response_of
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
    reply, span = file_reply(request, answer, dict(headers))
    if span is None:
        return response_of(reply)
    if span.length <= SMALL:
        body = await answer.place.quickly(lambda: read_span(answer.path, span))
        return response_of(reply._replace(body=body))
    if answer.place.local:
        return _LargeFile(reply, answer.path, span)
    return _DistantFile(reply, answer, span)


class _LargeFile(web.StreamResponse):
    """A file, or a part of one, by sendfile."""

    def __init__(self, reply: Reply, path: Path, span: Span) -> None:
        super().__init__(status=reply.status, headers=reply.fields)
        self._path = path
        self._span = span

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        if self.prepared:
            return await super().prepare(request)
        file = open_file(self._path)
        writer = await super().prepare(request)
        if writer is None or request.transport is None:
            raise ConnectionResetError("The client has left.")
        await send_span(request.transport, file, self._span, writer.drain)
        return writer


class _DistantFile(web.StreamResponse):
    """A file, or a part of one, from where a call may hang."""

    def __init__(self, reply: Reply, answer: FileAnswer, span: Span) -> None:
        super().__init__(status=reply.status, headers=reply.fields)
        self._answer = answer
        self._span = span

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it. What fails before the first byte is still an answer."""
        if self.prepared:
            return await super().prepare(request)
        span = self._span
        async with Reader(self._answer.place, self._answer.path) as reader:
            piece = await reader.read(span.start, span.length)
            start = span.start + len(piece)
            writer = await super().prepare(request)
            try:
                await self.write(piece)
                del piece  # memory, for as long as the client takes
                await send_pieces(self, reader, start, span.stop)
            except (RegistryError, OSError):
                reset(request)
        return writer


async def send_span(transport: asyncio.Transport, file: OpenFile, span: Span, drain: Drain) -> None:
    """Send that part of a file after its head. Where it ends early the connection is broken: a short file
    must not look complete. Raises ConnectionError, OSError."""
    sent = 0
    try:
        sent = await send_file(transport, file, span.start, span.length, drain)
    finally:
        if sent != span.length:
            transport.abort()


async def send_pieces(response: web.StreamResponse, reader: Reader, start: int, stop: int) -> None:
    """That part of a file; the next piece is read when the client has taken the last."""
    while start < stop:
        piece = await reader.read(start, stop - start)
        start += len(piece)
        await response.write(piece)
        del piece


def reset(request: web.BaseRequest) -> None:
    """Break the connection: headers are out, and what was sent must not look like a complete file."""
    if request.transport is not None:
        request.transport.abort()


def read_span(path: Path, span: Span) -> bytes:
    """That part of a kept file. Raises Unavailable."""
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


def read_small(path: Path) -> bytes:
    """All of a small kept file. Raises Unavailable."""
    try:
        with os.fdopen(os.open(path, READING), "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise unreadable(error) from error


def open_file(path: Path) -> OpenFile:
    """A kept file, to be sent. Raises Unavailable."""
    try:
        return OpenFile(path)
    except OSError as error:
        raise unreadable(error) from error
