"""Files over real connections: whole, in part, too short, to clients that are slow or leave."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.web import sendfile
from registry.web.sendfile import cork, send_file

pytestmark = pytest.mark.loopback
SIZE = 5_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(250)) * (SIZE // 250))
    return path


class Server:
    """Sends one part of a file to whoever connects."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        self.path, self.start, self.length = path, start, length
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.keeps_back = True
        """Whether the socket, once all is sent, still waits for more to fill a packet with."""

    async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(writer.transport, asyncio.Transport)
        self.transport = writer.transport
        cork(self.transport, on=True)
        writer.write(b"headers")
        try:
            with self.path.open("rb", buffering=0) as opened:
                self.ended.set_result(
                    await send_file(self.transport, opened, self.start, self.length, writer.drain)
                )
        except ConnectionError as error:
            self.ended.set_exception(error)
        finally:
            own = writer.get_extra_info("socket")
            self.keeps_back = bool(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))
            writer.close()


async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        yield reader, writer
        writer.close()


@pytest.mark.parametrize(("start", "length"), [(0, SIZE), (3, 10), (SIZE - 1, 1), (7, SIZE - 7), (0, 0)])
async def test_a_part_arrives_after_what_was_written_before(file: Path, start: int, length: int) -> None:
    server = Server(file, start, length)
    async for reader, _ in connected(server):
        received = await reader.read(-1)
        assert received == b"headers" + file.read_bytes()[start : start + length]
        assert await server.ended == length


async def test_the_last_of_it_waits_for_nothing_more(file: Path) -> None:
    server = Server(file, 0, 100_000)
    async for reader, _ in connected(server):
        assert len(await reader.read(-1)) == len(b"headers") + 100_000
    assert not server.keeps_back


async def test_a_file_that_is_too_short_is_told(file: Path) -> None:
    server = Server(file, SIZE - 10, 20)
    async for reader, _ in connected(server):
        await reader.read(-1)
        assert await server.ended == 10


async def test_others_have_their_turn_however_fast_a_client_reads(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, system_call = asyncio.get_running_loop(), os.sendfile
    in_a_turn = [0]

    def turn() -> None:
        in_a_turn.append(0)
        loop.call_soon(turn)

    def counted(*where: int) -> int:
        sent = system_call(*where)
        in_a_turn[-1] += sent
        return sent

    monkeypatch.setattr(sendfile, "TURN", 10_000)
    monkeypatch.setattr(os, "sendfile", counted)
    loop.call_soon(turn)
    server = Server(file, 3, SIZE - 3)
    async for reader, _ in connected(server):
        assert await reader.read(-1) == b"headers" + file.read_bytes()[3:]
        assert sum(in_a_turn) == SIZE - 3
        assert max(in_a_turn) == 10_000


async def test_a_client_that_leaves_ends_it(file: Path) -> None:
    server = Server(file, 0, SIZE)
    async for reader, writer in connected(server):
        await reader.readexactly(7)
        writer.transport.abort()
        with pytest.raises(ConnectionError):
            await server.ended


async def test_a_connection_that_we_close_ends_it_though_the_client_takes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sendfile, "LOOK", 0.01)
    file.write_bytes(bytes(4 * SIZE))  # more than the buffers between two sockets hold
    server = Server(file, 0, 4 * SIZE)
    async for reader, _ in connected(server):
        await reader.readexactly(7)
        assert server.transport is not None
        server.transport.abort()
        with pytest.raises(ConnectionError):
            await server.ended
