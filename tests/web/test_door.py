"""The door: heads that never end, too many connections, readers that never read. Rows L5 and L6."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from registry.web.door import Door
from registry.web.server import DOOR, listen

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = b"x" * (32 * 2**20)


class World:
    """A server behind a door with short clocks."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.release = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self, **bounds: Any) -> None:
        self.door = door = Door(**{"head_seconds": 0.3, "slow_seconds": 0.3, **bounds})
        app = web.Application(middlewares=[door.watch], client_max_size=2**20)
        app[DOOR] = door
        app.router.add_get("/", self._hello)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/large", self._large)
        app.router.add_post("/", self._body)
        app.router.add_put("/", self._digest)
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.runner = await listen(app, listener)
        self.runner._shutdown_timeout = 0.1

    async def connect(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address, **options)
        self.writers.append(writer)
        return reader, writer

    async def _hello(self, _: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def _slow(self, _: web.Request) -> web.Response:
        self.running.set()
        await self.release.wait()
        return web.Response(text="late")

    async def _large(self, _: web.Request) -> web.Response:
        return web.Response(body=LARGE)

    async def _digest(self, request: web.Request) -> web.Response:
        return web.Response(text=hashlib.sha256(await request.read()).hexdigest())

    async def _body(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for writer in made.writers:
        writer.close()
    await made.runner.cleanup()


async def ends(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side ends it, within the test's own time limit."""
    async with asyncio.timeout(20):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return await reader.readexactly(length)


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "])
async def test_a_head_that_does_not_end_is_given_up(world: World, said: bytes) -> None:
    """L6."""
    await world.start()
    reader, writer = await world.connect()
    writer.write(said)
    assert await ends(reader) == b""


async def test_a_head_in_drips_is_given_up_however_often_one_comes(world: World) -> None:
    await world.start()
    reader, writer = await world.connect()

    async def drip() -> None:
        for byte in HEAD * 100:
            writer.write(bytes([byte]).replace(b"\n", b"x"))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert await ends(reader) == b""
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)


async def test_the_head_of_the_second_request_has_a_deadline_too(world: World) -> None:
    await world.start()
    reader, writer = await world.connect()
    writer.write(HEAD)
    assert await one_answer(reader) == b"hello"
    writer.write(b"GET / HTTP/1.1\r\n")
    assert await ends(reader) == b""


async def test_a_head_that_was_begun_during_an_answer_has_a_deadline_after_it(world: World) -> None:
    await world.start()
    reader, writer = await world.connect()
    writer.write(HEAD.replace(b"/ ", b"/slow ", 1))
    await world.running.wait()
    writer.write(b"GET / HTTP/1.1\r\n")
    await writer.drain()
    world.release.set()
    assert await one_answer(reader) == b"late"
    assert await ends(reader) == b""


async def test_a_slow_answer_is_the_servers_own_business(world: World) -> None:
    await world.start(head_seconds=0.1, slow_seconds=0.1)
    reader, writer = await world.connect()
    writer.write(HEAD.replace(b"/ ", b"/slow ", 1))
    await asyncio.sleep(0.5)
    world.release.set()
    assert await one_answer(reader) == b"late"
    writer.close()


async def test_a_slow_body_is_no_slow_head(world: World) -> None:
    await world.start(slowest=1)
    reader, writer = await world.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n")
    for _ in range(6):
        writer.write(b"x")
        await asyncio.sleep(0.1)
    assert await one_answer(reader) == b"6"
    writer.close()


async def test_who_sends_less_of_a_body_than_the_least_rate_is_dropped(world: World) -> None:
    """L6, behind the head: a few bytes now and then don't keep a connection."""
    await world.start()
    reader, writer = await world.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")

    async def drip() -> None:
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert await ends(reader) == b""
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    _, another = await world.connect()
    another.close()


async def test_a_body_in_time_may_be_followed_by_a_slow_answer(world: World) -> None:
    await world.start(slow_seconds=0.1)
    reader, writer = await world.connect()
    writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
    await asyncio.sleep(0.5)
    world.release.set()
    assert await one_answer(reader) == b"late"
    writer.close()


async def test_a_connection_may_rest_between_requests(world: World) -> None:
    await world.start(head_seconds=0.1)
    reader, writer = await world.connect()
    for _ in range(3):
        writer.write(HEAD)
        assert await one_answer(reader) == b"hello"
        await asyncio.sleep(0.2)
    writer.close()


async def test_one_address_has_so_many_connections_and_another_is_told_so(world: World) -> None:
    """L6."""
    await world.start(per_address=3, head_seconds=30)
    opened = [await world.connect() for _ in range(3)]
    for reader, writer in opened:
        writer.write(HEAD)
        assert await one_answer(reader) == b"hello"
    reader, writer = await world.connect()
    assert (await ends(reader)).startswith(b"HTTP/1.1 503 Too many connections")
    writer.close()
    opened[0][1].close()
    async with asyncio.timeout(20):
        while True:
            reader, writer = await world.connect()
            writer.write(HEAD)
            answer = await ends_or_answers(reader)
            writer.close()
            if answer == b"hello":
                break
    for _, writer in opened:
        writer.close()


async def ends_or_answers(reader: asyncio.StreamReader) -> bytes:
    try:
        return await one_answer(reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def test_a_trusted_proxy_brings_as_many_as_it_likes(world: World) -> None:
    await world.start(per_address=1, trusted=(ip_network("127.0.0.0/8"),))
    opened = [await world.connect() for _ in range(5)]
    for reader, writer in opened:
        writer.write(HEAD)
        assert await one_answer(reader) == b"hello"
        writer.close()


async def test_who_takes_nothing_of_an_answer_is_dropped_and_others_are_not(world: World) -> None:
    """L5."""
    await world.start(slowest=64 * 1024)
    with socket.create_connection(world.address) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(HEAD.replace(b"/ ", b"/large ", 1))
        reader, writer = await world.connect()
        writer.write(HEAD)
        assert await one_answer(reader) == b"hello"
        async with asyncio.timeout(20):
            while world.door.connections > 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        writer.write(HEAD)
        assert await one_answer(reader) == b"hello"


async def test_who_takes_less_than_the_least_rate_is_dropped_in_the_middle(world: World) -> None:
    """L5: a few bytes now and then don't keep an answer."""
    await world.start(slowest=10 * 2**20)
    reader, writer = await world.connect(limit=1024)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.write(HEAD.replace(b"/ ", b"/large ", 1))
    taken = 0
    async with asyncio.timeout(20):
        try:
            while world.door.connections:
                taken += len(await reader.read(512))
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
    assert 0 < taken < len(LARGE)


async def test_who_takes_an_answer_in_time_gets_all_of_it(world: World) -> None:
    await world.start(slowest=1024)
    reader, writer = await world.connect()
    writer.write(HEAD.replace(b"/ ", b"/large ", 1))
    await asyncio.sleep(0.2)
    assert len(await one_answer(reader)) == len(LARGE)
    writer.close()


async def test_what_many_clients_send_at_once_is_never_mixed(world: World) -> None:
    """All connections read into one place."""
    await world.start()

    async def upload(number: int) -> bytes:
        reader, writer = await world.connect()
        body = bytes([number]) * 1_000_000
        head = f"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return await one_answer(reader)

    told = await asyncio.gather(*(upload(number) for number in range(8)))
    assert told == [hashlib.sha256(bytes([number]) * 1_000_000).hexdigest().encode() for number in range(8)]
