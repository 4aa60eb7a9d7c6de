"""What goes over the wire for a file on its way: the tail last, and never a wrong whole."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given

from registry.errors import RegistryError, Unavailable
from registry.pipeline.answers import FlightAnswer
from registry.pipeline.flight import Flight, Landed
from registry.web import flights, reading
from registry.web.flights import flight_response
from tests.fakes import PlaceAtHand
from tests.web.wire import Wire, request

HELD = 8
"""Bytes held back in these tests."""


async def follow(flight: Flight, wire: Wire, record: Any, **headers: str) -> int:
    """A client of a flight, to its end; gives the status it was answered with."""
    asked = request(wire, **headers)
    answer = FlightAnswer(flight, "foo.whl", lambda: asyncio.shield(flight.done), record)
    try:
        response = await flight_response(asked, answer, {}, deliver=True)
        await response.prepare(asked)
        await response.write_eof()
    except RegistryError as error:
        return error.status
    return response.status


ENDS = ["lands", "crashes", "lands unrecorded"]


@given(
    data=st.binary(min_size=1, max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    end=st.sampled_from(ENDS),
    late=st.booleans(),
)
def test_a_follower_never_has_the_tail_before_the_file_has_landed_and_is_recorded(
    data: bytes, cuts: list[int], end: str, late: bool
) -> None:
    """Any chunking, any end: the whole exactly once it is verified and on record, else less than the whole."""
    with (
        TemporaryDirectory() as folder,
        mock.patch.multiple(flights, HELD_BACK=HELD, STREAM_AFTER=0),
        mock.patch.object(reading, "PIECE", 5),
    ):
        asyncio.run(_fly(Path(folder), data, cuts, end, late=late))


async def _fly(folder: Path, data: bytes, cuts: list[int], end: str, *, late: bool) -> None:
    flight, wire = Flight(PlaceAtHand()), Wire()
    recorded: list[str] = []
    flight.announced = len(data)
    staged, kept = folder / "staged", folder / "kept"
    staged.touch()

    def watch() -> None:
        if not recorded:
            assert len(wire.body) <= max(len(data) - HELD, 0)

    async def record(sha256: str) -> None:
        if end == "lands unrecorded":
            raise Unavailable("The log can't be written.")
        recorded.append(sha256)

    wire.watch = watch
    client = None if late else asyncio.create_task(follow(flight, wire, record))
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        with staged.open("ab") as file:
            file.write(data[start:stop])
        flight.advance(staged, min(stop, len(data)))
        await asyncio.sleep(0.001 if cuts else 0)
    staged.rename(kept)
    client = client or asyncio.create_task(follow(flight, wire, record))
    for _ in range(3):
        await asyncio.sleep(0)  # a client may come between the rename and the landing
    if end == "crashes":
        flight.crash(Unavailable("It was not what was announced."))
    else:
        flight.land(Landed(kept, "0" * 64, len(data)))
    status = await client
    if end == "lands":
        assert (status, bytes(wire.body), wire.broken) == (200, data, False)
    else:
        assert status == 503 or (status == 200 and wire.broken)
        assert len(wire.body) < len(data)
        assert not wire.ended


async def test_a_staged_file_that_shrinks_breaks_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the volume does: no endless loop, no error page in the middle of a body."""
    monkeypatch.setattr(flights, "STREAM_AFTER", 0)
    monkeypatch.setattr(flights, "HELD_BACK", HELD)
    for failure in (None, OSError(5, "Input/output error")):
        flight, wire = Flight(PlaceAtHand()), Wire()
        flight.announced = 100
        staged = tmp_path / "staged"
        staged.write_bytes(b"x" * 50)
        flight.advance(staged, 90)
        if failure is not None:
            monkeypatch.setattr(os, "pread", mock.Mock(side_effect=failure))
        assert await follow(flight, wire, mock.AsyncMock()) == 200
        assert wire.broken
        assert not wire.ended
