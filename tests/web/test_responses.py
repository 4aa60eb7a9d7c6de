"""What goes over the wire for a file, on its way or here: the tail last, and never a wrong whole."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import pytest
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.test_utils import make_mocked_request
from hypothesis import given

from registry.errors import RegistryError, Unavailable
from registry.pipeline.gateway import FileAnswer, FlightAnswer
from registry.pipeline.verify import Flight, Landed
from registry.web import responses
from registry.web.responses import file_response, flight_response, takes_bytes

HELD = 8
"""Bytes held back in these tests."""


class Wire(AbstractStreamWriter):
    """What a client has received, and whether its connection was broken."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.ended = False
        self.broken = False
        self.pipe = mock.Mock()
        self.pipe.wire = self
        self.pipe.is_closing = lambda: self.broken
        self.pipe.get_extra_info = lambda key, default=None: default
        self.pipe.abort = self._abort
        self.watch: Any = lambda: None

    @property
    def transport(self) -> Any:
        return self.pipe

    def _abort(self) -> None:
        self.broken = True

    async def write(self, chunk: Any) -> None:
        if self.broken:
            raise ConnectionResetError
        self.body += chunk
        self.watch()

    async def write_eof(self, chunk: bytes = b"") -> None:
        if not self.broken:
            self.body += chunk
            self.ended = True

    async def drain(self) -> None: ...

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None: ...

    def enable_chunking(self) -> None: ...

    async def write_headers(self, status_line: str, headers: Any) -> None: ...


def request(wire: Wire, method: str = "GET", **headers: str) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request(method, "/", headers=named, writer=wire, transport=wire.pipe)


async def follow(flight: Flight, wire: Wire, record: Any, **headers: str) -> int:
    """A client of a flight, to its end; gives the status it was answered with."""
    asked = request(wire, **headers)
    answer = FlightAnswer(flight, "foo.whl", record)
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
        mock.patch.multiple(responses, HELD_BACK=HELD, PIECE=5, STREAM_AFTER=0),
    ):
        asyncio.run(_fly(Path(folder), data, cuts, end, late=late))


async def _fly(folder: Path, data: bytes, cuts: list[int], end: str, *, late: bool) -> None:
    flight, wire = Flight(), Wire()
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
    monkeypatch.setattr(responses, "STREAM_AFTER", 0)
    monkeypatch.setattr(responses, "HELD_BACK", HELD)
    for failure in (None, OSError(5, "Input/output error")):
        flight, wire = Flight(), Wire()
        flight.announced = 100
        staged = tmp_path / "staged"
        staged.write_bytes(b"x" * 50)
        flight.advance(staged, 90)
        if failure is not None:
            monkeypatch.setattr(os, "pread", mock.Mock(side_effect=failure))
        assert await follow(flight, wire, mock.AsyncMock()) == 200
        assert wire.broken
        assert not wire.ended


@pytest.fixture
def kept(tmp_path: Path) -> FileAnswer:
    path = tmp_path / "blob"
    path.write_bytes(bytes(range(200)))
    return FileAnswer(path, "a" * 64, 200, "foo.whl")


@pytest.fixture(params=[0, responses.SMALL], ids=["by sendfile", "in one go"], autouse=True)
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sendfile(transport: Any, file: Any, offset: int, count: int) -> int:
        data = os.pread(file.fileno(), count, offset)
        await transport.wire.write(data)
        return len(data)

    monkeypatch.setattr(responses, "SMALL", request.param)
    monkeypatch.setattr(responses, "send_file", sendfile)


async def sent(answer: FileAnswer, method: str = "GET", **headers: str) -> tuple[web.StreamResponse, Wire]:
    wire = Wire()
    asked = request(wire, method, **headers)
    response = file_response(asked, answer, {})
    await response.prepare(asked)
    await response.write_eof()
    return response, wire


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 200, slice(None)),
        ({"Range": "bytes=10-19"}, 206, slice(10, 20)),
        ({"Range": "bytes=190-"}, 206, slice(190, None)),
        ({"Range": "bytes=-5"}, 206, slice(-5, None)),
        ({"Range": "bytes=200-"}, 416, slice(0, 0)),
        ({"If_None_Match": f'"{"a" * 64}"'}, 304, slice(0, 0)),
        ({"If_None_Match": f'W/"{"a" * 64}"'}, 304, slice(0, 0)),
        ({"If_None_Match": '"other"'}, 200, slice(None)),
        ({"Range": "bytes=0-1", "If_Range": '"other"'}, 200, slice(None)),
        ({"Range": "bytes=0-1", "If_Range": f'"{"a" * 64}"'}, 206, slice(0, 2)),
        ({"Range": "bytes=0-1", "If_None_Match": f'"{"a" * 64}"'}, 304, slice(0, 0)),
    ],
)
async def test_a_kept_file_is_given_whole_in_part_or_not_at_all(
    kept: FileAnswer, headers: dict[str, str], status: int, body: slice
) -> None:
    response, wire = await sent(kept, **headers)
    assert (response.status, bytes(wire.body)) == (status, bytes(range(200))[body])
    assert response.headers["ETag"] == f'"{"a" * 64}"'
    asked = request(Wire(), **headers)
    assert takes_bytes(asked, kept.sha256, kept.size) == bool(wire.body)


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=5-9"}])
async def test_head_has_the_headers_and_no_body(kept: FileAnswer, headers: dict[str, str]) -> None:
    got, _ = await sent(kept, **headers)
    head, wire = await sent(kept, "HEAD", **headers)
    assert not wire.body
    assert (head.status, head.content_length) == (got.status, got.content_length)
    assert head.headers.get("Content-Range") == got.headers.get("Content-Range")


async def test_a_file_that_is_not_there_is_an_error_before_any_header(kept: FileAnswer) -> None:
    kept.path.unlink()
    with pytest.raises(Unavailable):
        await sent(kept)


async def test_a_link_is_not_followed(kept: FileAnswer) -> None:
    kept.path.unlink()
    kept.path.symlink_to("/etc/passwd")
    with pytest.raises(Unavailable):
        await sent(kept)


async def test_a_file_that_was_cut_never_looks_complete(kept: FileAnswer) -> None:
    os.truncate(kept.path, 100)
    try:
        _, wire = await sent(kept)
    except Unavailable:
        return
    assert wire.broken
