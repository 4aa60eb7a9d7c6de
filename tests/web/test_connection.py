"""A connection answers what is at hand by itself, and leaves the rest to the application, always in order."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from registry.errors import Malformed, Unavailable
from registry.pipeline.answers import FileAnswer, Told
from registry.web.at_hand import AtHand, Delivery, Filed, Given
from registry.web.door import Door
from registry.web.files import SMALL
from registry.web.heads import BareHead
from registry.web.opened import OpenFile
from registry.web.ranges import Span
from registry.web.replies import Reply
from registry.web.server import AT_HAND, DOOR, listen
from tests.fakes import PlaceAtHand

LARGE = bytes(range(256)) * (SMALL // 64)
BODY = b"".join(number.to_bytes(4, "big") for number in range(4_000_000))
"""More than the kernel keeps for a connection, and no part of it like another."""


class Counter(AtHand):
    """What is at hand: `/reply`, and files whose record is made when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[Told] = []
        self.begun = asyncio.Event()
        self.sent: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens to the index between a look at it and its sending."""

    def look(self, request: BareHead) -> Given | None:
        name = request.path[1:]
        if name == "malformed":
            raise Malformed("This is told by the application.")
        if name == "defect":
            raise ZeroDivisionError
        if name == "reply":
            return Given(Reply(200, {"X-Way": "at hand"}, b"reply"), "pypi", 0)
        if name == "body":
            return Given(Reply(200, {"X-Way": "at hand"}, BODY), "pypi", 0)
        if not (self.folder / name).is_file():
            return None
        size = (self.folder / name).stat().st_size
        fields = {"X-Way": "at hand", "Content-Length": str(size)}
        if name == "index":
            self.meanwhile()
            return Given(
                Filed(Reply(200, fields), OpenFile(self.folder / name), Span(0, size, partial=False)),
                "npm",
                0,
            )
        file = FileAnswer(self.folder / name, "a" * 64, size, name, PlaceAtHand(local=True))
        return Given(
            Delivery(Reply(200, fields), file, Span(0, size, partial=False), self._record), "pypi", 0
        )

    def count(self, given: Given) -> None:
        self.sent.append(given.reply.status)

    def _record(self, told: Told) -> None:
        self.records.append(told)
        self.begun.set()


class World:
    """A server with a counter, and one connection to it."""

    def __init__(self, folder: Path) -> None:
        self.counter = Counter(folder)
        self.may_stop = asyncio.Event()
        self.may_stop.set()
        (folder / "small").write_bytes(b"small")
        (folder / "large").write_bytes(LARGE)
        (folder / "index").write_bytes(BODY)

    async def start(self) -> None:
        self.door = door = Door(head_seconds=0.3)
        app = web.Application(middlewares=[door.watch])
        app[DOOR], app[AT_HAND] = door, self.counter
        app.on_shutdown.append(self._stopped)
        app.router.add_route("*", "/{name}", self._application)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)  # its connections have it from it
        self.runner = await listen(app, listener)
        self.reader, self.writer = await asyncio.open_connection(*listener.getsockname())

    def ask(self, *names: str, method: str = "GET", more: str = "") -> None:
        text = "".join(f"{method} /{name} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n" for name in names)
        self.writer.write(text.encode())

    async def answer(self) -> tuple[str, bytes]:
        """Who answered, and the body."""
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            assert head.lower().count(b"content-length:") == 1
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            way = head.partition(b"X-Way: ")[2].partition(b"\r\n")[0].decode()
            return way, await self.reader.readexactly(length)

    async def _stopped(self, _: web.Application) -> None:
        await self.may_stop.wait()

    async def _application(self, request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(
            body=body or request.match_info["name"].encode(), headers={"X-Way": "application"}
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    made.writer.close()
    await made.runner.cleanup()


async def test_what_is_at_hand_is_given_again_and_again(world: World) -> None:
    for _ in range(3):
        world.ask("reply")
        assert await world.answer() == ("at hand", b"reply")
    assert world.counter.sent == [200, 200, 200]


@pytest.mark.parametrize("name", ["body", "index"])
async def test_a_large_body_comes_whole_and_in_order_as_the_client_takes_it(world: World, name: str) -> None:
    for _ in range(2):
        world.ask(name)
        while not world.reader._buffer:  # type: ignore[attr-defined]  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        assert world.counter.sent == [], "it can't have been sent as a whole"
        way, body = await world.answer()
        assert (way, body == BODY) == ("at hand", True)
        world.ask("reply")
        assert await world.answer() == ("at hand", b"reply")
        world.counter.sent.clear()


@pytest.mark.parametrize("name", ["unknown", "malformed"])
async def test_the_rest_is_the_applications(world: World, name: str) -> None:
    for asked in (name, "reply", name):
        world.ask(asked)
        assert await world.answer() == (
            ("at hand", b"reply") if asked == "reply" else ("application", asked.encode())
        )


async def test_a_defect_is_logged_and_the_application_answers(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.ask("defect")
    assert await world.answer() == ("application", b"defect")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
async def test_only_a_get_is_looked_at(world: World, method: str) -> None:
    world.ask("reply", method=method, more="Content-Length: 3\r\n")
    world.writer.write(b"abc")
    async with asyncio.timeout(20):
        head = await world.reader.readuntil(b"\r\n\r\n")
    assert b"X-Way: application" in head


async def test_a_get_with_a_body_is_the_applications_and_its_body_no_request(world: World) -> None:
    smuggled = b"GET /reply HTTP/1.1\r\nHost: localhost\r\n\r\n"
    world.ask("reply", more=f"Content-Length: {len(smuggled)}\r\n")
    world.writer.write(smuggled)
    assert await world.answer() == ("application", smuggled)
    world.ask("reply")
    assert await world.answer() == ("at hand", b"reply")


@pytest.mark.parametrize(("name", "body"), [("small", b"small"), ("large", LARGE)])
async def test_nothing_of_a_file_is_sent_before_its_record(world: World, name: str, body: bytes) -> None:
    world.ask(name)
    await world.counter.begun.wait()
    reading = asyncio.create_task(world.answer())
    done, _ = await asyncio.wait([reading], timeout=0.05)
    assert not done
    world.counter.records[0](1, None)
    assert await reading == ("at hand", body)


@pytest.mark.parametrize("first", ["small", "large", "unknown", "reply"])
async def test_answers_come_in_the_order_of_their_requests(world: World, first: str) -> None:
    world.ask(first, "reply", "unknown", "reply")
    if first in {"small", "large"}:  # several at once are the application's; one and then more is ours
        assert (await world.answer())[0] == "application"
        for _ in range(3):
            await world.answer()
        world.ask(first)
        await world.counter.begun.wait()
        world.ask("reply", "unknown", "reply")
        world.counter.records[0](1, None)
    assert [(await world.answer())[1] for _ in range(4)][1:] == [b"reply", b"unknown", b"reply"]


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_record_that_fails_makes_it_the_applications(world: World, name: str) -> None:
    world.ask(name)
    await world.counter.begun.wait()
    world.counter.records[0](0, Unavailable("The disk is full."))
    assert await world.answer() == ("application", name.encode())
    world.ask("reply")
    assert await world.answer() == ("at hand", b"reply")


@pytest.mark.parametrize("name", ["small", "large"])
async def test_a_file_that_went_away_meanwhile_is_the_applications(world: World, name: str) -> None:
    world.ask(name)
    await world.counter.begun.wait()
    (world.counter.folder / name).unlink()
    world.counter.records[0](1, None)
    assert await world.answer() == ("application", name.encode())


async def test_a_body_that_is_shorter_than_was_said_never_looks_complete(world: World) -> None:
    world.counter.meanwhile = lambda: os.truncate(world.counter.folder / "index", len(BODY) - 1)
    world.ask("index")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await world.answer()


@pytest.mark.parametrize("name", ["reply", "small", "large"])
async def test_the_connection_ends_where_the_client_wants_that(world: World, name: str) -> None:
    world.ask(name, more="Connection: close\r\n")
    if name != "reply":
        await world.counter.begun.wait()
        world.counter.records[0](1, None)
    assert (await world.answer())[0] == "at hand"
    async with asyncio.timeout(20):
        assert await world.reader.read() == b""


async def test_a_client_that_leaves_disturbs_nobody(world: World) -> None:
    world.ask("small")
    await world.counter.begun.wait()
    world.writer.transport.abort()
    while world.door.connections:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    world.counter.records[0](1, None)


async def test_a_stop_that_takes_its_time_ends_connections_on_which_nothing_is_under_way(
    world: World,
) -> None:
    world.may_stop.clear()
    world.ask("reply")
    await world.answer()
    stopping = asyncio.create_task(world.runner.cleanup())
    async with asyncio.timeout(20):
        assert await world.reader.read() == b""
    assert not stopping.done()
    world.may_stop.set()
    await stopping


async def test_a_stop_waits_for_a_file_that_is_handed_over(world: World) -> None:
    world.ask("small")
    await world.counter.begun.wait()
    stopping = asyncio.create_task(world.runner.cleanup())
    await asyncio.wait([stopping], timeout=0.05)
    world.counter.records[0](1, None)
    assert await world.answer() == ("at hand", b"small")
    async with asyncio.timeout(20):
        await stopping


async def test_a_head_in_two_parts_is_answered_and_half_a_head_is_given_up(world: World) -> None:
    world.writer.write(b"GET /reply HTTP/1.1\r\nHost: loc")
    await asyncio.sleep(0.01)
    world.writer.write(b"alhost\r\n\r\n")
    assert await world.answer() == ("at hand", b"reply")
    world.writer.write(b"GET /reply HTTP/1.1\r\n")
    async with asyncio.timeout(20):
        assert await world.reader.read() == b""


def test_a_line_break_in_a_field_is_never_sent() -> None:
    with pytest.raises(ValueError, match="line break"):
        Reply(200, {"X-Way": "a\r\nX-B: c"}).encoded(last=False)
