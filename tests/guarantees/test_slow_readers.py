"""I12, L5: clients that don't take what they asked for hold little memory, no thread, and nobody else up."""

from __future__ import annotations

import asyncio
import socket
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from registry.storage import volume
from tests.guarantees.house import House, open_house, path_of
from tests.upstream import LyingUpstream, make_wheel

WHEEL = make_wheel("demo", "1.0", padding=8_000_000)
FIRST, CLIENTS = 20, 60
EACH = 128 * 1024
"""Bytes of memory that one of them may cost."""


@pytest.fixture(params=["local disk", "network volume"])
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    if request.param == "network volume":
        monkeypatch.setattr(volume, "is_remote", lambda kind: True)
    async with open_house(tmp_path, upstream) as opened:
        yield opened


@contextmanager
def asking(house: House, path: str, number: int) -> Iterator[None]:
    """Clients that ask for a file and then read nothing of it."""
    request = f"GET {path} HTTP/1.1\r\nHost: {house.address[0]}:{house.address[1]}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(house.address)
            client.sendall(request)
        yield


@pytest.fixture(autouse=True)
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held() -> int:
    """Bytes that Python's objects take; what the allocator keeps for later isn't a client's."""
    return tracemalloc.get_traced_memory()[0]


async def test_who_reads_nothing_costs_little_and_delays_nobody(
    house: House, upstream: LyingUpstream
) -> None:
    upstream.add(WHEEL)
    assert (await house.fetch(WHEEL)).is_whole(WHEEL.data)
    path, threads = path_of(WHEEL), threading.active_count()
    with asking(house, path, FIRST):  # what is made once is made for these
        await delivered(house, 1 + FIRST)
        before = held()
        with asking(house, path, CLIENTS):
            await delivered(house, 1 + FIRST + CLIENTS)
            got = await house.ask(path, headers={"Range": "bytes=4000000-4000009"})
            assert got.body == WHEEL.data[4_000_000:4_000_010]
            assert held() - before < CLIENTS * EACH
            assert (await house.ask(path)).is_whole(WHEEL.data)
            assert threading.active_count() - threads <= 8


async def delivered(house: House, number: int) -> None:
    """Wait until so many deliveries are on record, and the clients are being sent their files."""
    while len(house.rows("delivery")) < number:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
