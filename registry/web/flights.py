"""Files on their way in as HTTP responses: followed while they arrive, the tail last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import hdrs, web

from registry.errors import RegistryError, Unavailable
from registry.model.ports import Place
from registry.pipeline.answers import FileAnswer, FlightAnswer
from registry.pipeline.flight import Landed
from registry.pipeline.verify import HELD_BACK
from registry.web.files import file_response, reset, send_pieces
from registry.web.reading import Reader
from registry.web.replies import FILE_TYPE, takes_bytes

STREAM_AFTER = 2.0
"""Seconds after which a file that is still on its way is streamed instead of waited for. A file that arrives
sooner is verified first, so a wrong one is a clean 502 with its reason and not a broken connection."""


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
            landed = await answer.landed()
    except TimeoutError:
        return await _stream(request, answer, headers)
    if deliver and takes_bytes(request, landed.sha256, landed.size):
        await answer.record(landed.sha256)
    return await file_response(request, _landed(answer, landed), headers)


def _landed(answer: FlightAnswer, landed: Landed) -> FileAnswer:
    return FileAnswer(landed.path, landed.sha256, landed.size, answer.filename, answer.flight.place)


async def _stream(
    request: web.BaseRequest, answer: FlightAnswer, headers: Mapping[str, str]
) -> web.StreamResponse:
    flight = answer.flight
    response = web.StreamResponse(status=200, headers=headers)
    response.content_type = FILE_TYPE
    response.content_length = flight.announced
    sent = 0
    async with AsyncExitStack() as open_file:
        reader: Reader | None = None
        try:
            while not flight.done.done():
                ready = min(flight.available, flight.announced or 0) - HELD_BACK
                if sent >= ready or flight.path is None:
                    await flight.news()
                    continue
                if reader is None:
                    reader = await _staged(flight.place, flight.path, open_file)
                    if reader is None:
                        await asyncio.wait([flight.done])
                        break
                    await response.prepare(request)
                piece = await reader.read(sent, ready - sent)
                await response.write(piece)
                sent += len(piece)
            return await _finish(request, answer, response, reader, sent)
        except (RegistryError, OSError):
            if not response.prepared:
                raise
            reset(request)
            return response


async def _finish(
    request: web.BaseRequest,
    answer: FlightAnswer,
    response: web.StreamResponse,
    reader: Reader | None,
    sent: int,
) -> web.StreamResponse:
    """The file is verified and kept: record the delivery, then send the tail."""
    landed = await answer.flight.done
    await answer.record(landed.sha256)
    if reader is None:
        return await file_response(request, _landed(answer, landed), response.headers)
    if not await reader.is_at(landed.path):
        raise Unavailable("The file was fetched a second time; what was sent so far is of the first.")
    await send_pieces(response, reader, sent, landed.size)
    await response.write_eof()
    return response


async def _staged(place: Place, path: Path, stack: AsyncExitStack) -> Reader | None:
    """The staged file, open; None when it is just being moved to its place, or was thrown away: that is its
    end."""
    try:
        return await stack.enter_async_context(Reader(place, path))
    except Unavailable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
