"""Told to stop, it takes nothing new, finishes what runs, and leaves nobody behind. Row F29."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.guarantees.crew import Crew, open_crew
from tests.guarantees.house import path_of
from tests.upstream import LyingUpstream, faults, make_wheel

LARGE, COLD = make_wheel("large", "1.0", padding=30_000_000), make_wheel("cold", "1.0", padding=400_000)


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
async def crew(
    request: pytest.FixtureRequest, tmp_path: Path, upstream: LyingUpstream
) -> AsyncIterator[Crew]:
    upstream.add(LARGE, COLD)
    async with open_crew(tmp_path, upstream, workers=request.param) as opened:
        yield opened


async def is_turned_away(crew: Crew) -> bool:
    """Whether a new client is told at once that it can't be served."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*crew.address)
            writer.write(b"GET /-/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            said = await reader.read()
            writer.close()
    except ConnectionError:
        return True
    return not said or b" 503 " in said.partition(b"\r\n")[0]


async def held_open(crew: Crew) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that was answered once, and is kept for the next request."""
    reader, writer = await asyncio.open_connection(*crew.address)
    writer.write(b"GET /-/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await writer.drain()
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    return reader, writer


async def test_downloads_that_run_are_finished_and_nothing_new_begins(
    crew: Crew, upstream: LyingUpstream
) -> None:
    assert (await crew.fetch(LARGE)).is_whole(LARGE.data)
    path = await crew.learn(COLD)
    upstream.lie(faults.drip(40_000, 0.2), "/files/cold*")
    cold = asyncio.create_task(crew.ask(path))
    while not upstream.asked("/files/cold*"):  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0.01)
    workers = crew.pids
    sent = await crew.begin(path_of(LARGE))
    idle = [await held_open(crew) for _ in range(8)]
    crew.parent.send_signal(signal.SIGTERM)
    while not await is_turned_away(crew):  # noqa: ASYNC110  a signal takes a moment
        await asyncio.sleep(0.01)
    for reader, writer in idle:
        async with asyncio.timeout(5):
            await reader.read()  # to its end: nobody waits there for the others' downloads
        writer.close()
    assert crew.parent.poll() is None, "it waits for those who are being served"
    async with sent:
        assert await sent.read() == LARGE.data
    assert (await cold).is_whole(COLD.data)
    while crew.parent.poll() is None:
        assert await is_turned_away(crew)
        await asyncio.sleep(0.01)
    assert crew.parent.returncode == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert [row["filename"] for row in crew.rows("delivery")].count(LARGE.filename) == 2
    await crew.start()
    upstream.heal()
    asked = len(upstream.asked("/files/*"))
    for package in (LARGE, COLD):
        assert (await crew.ask(path_of(package))).is_whole(package.data)
    assert len(upstream.asked("/files/*")) == asked
    crew.require_sound()
