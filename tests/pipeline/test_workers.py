"""Worker processes: do what they are asked, are started when needed, ended when not, and replaced when dead."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from registry.errors import SourceFailed, Unavailable
from registry.pipeline.worker import GROWN
from registry.pipeline.workers import Workers


def product(one: int, other: int = 1) -> tuple[int, int]:
    return one * other, os.getpid()


def fail() -> None:
    raise SourceFailed("that can't be read")


def fall() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail_strangely() -> None:
    class Local(Exception):
        pass

    raise Local("nobody else knows this class")


def grow() -> int:
    global _kept  # noqa: PLW0603
    _kept = b"x" * GROWN
    return os.getpid()


_kept = b""


def rendezvous(mine: Path, other: Path) -> int:
    """Wait until somebody else is here too."""
    mine.touch()
    while not other.exists():
        time.sleep(0.005)  # in a process of its own
    return os.getpid()


@asynccontextmanager
async def workers(processes: int = 1, idle: float = 60.0) -> AsyncIterator[Workers]:
    pool = Workers(processes, idle)
    try:
        yield pool
    finally:
        pool.close()


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not claim():  # noqa: ASYNC110  another process has no event to wait for
            await asyncio.sleep(0.005)


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_no_garbage_is_looked_for_while_it_works() -> None:
    async with workers() as pool:
        assert not await pool.run(gc.isenabled)


async def test_work_is_done_elsewhere_and_one_process_does_one_after_the_other() -> None:
    async with workers() as pool:
        assert pool.processes == 0
        value, process = await pool.run(product, 6, other=7)
        assert value == 42
        assert process != os.getpid()
        assert await pool.run(product, 2) == (2, process)


async def test_what_goes_wrong_is_raised_here_and_the_process_goes_on() -> None:
    async with workers() as pool:
        _, process = await pool.run(product, 1)
        with pytest.raises(SourceFailed, match="that can't be read"):
            await pool.run(fail)
        assert await pool.run(product, 1) == (1, process)


async def test_an_error_that_cannot_be_sent_is_told_all_the_same() -> None:
    async with workers() as pool:
        with pytest.raises(RuntimeError, match="nobody else knows this class"):
            await pool.run(fail_strangely)
        assert (await pool.run(product, 3))[0] == 3


async def test_a_process_that_dies_is_replaced() -> None:
    async with workers() as pool:
        with pytest.raises(Unavailable):
            await pool.run(fall)
        assert (await pool.run(product, 3))[0] == 3


async def test_two_processes_work_at_the_same_time(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    async with workers(2) as pool:
        one, other = await asyncio.gather(
            pool.run(rendezvous, here, there), pool.run(rendezvous, there, here)
        )
        assert one != other
        assert pool.processes == 2


async def test_an_idle_process_ends_and_another_comes_when_it_is_needed() -> None:
    async with workers(idle=0.01) as pool:
        _, process = await pool.run(product, 1)
        await until(lambda: pool.processes == 0)
        assert not is_running(process)
        assert (await pool.run(product, 5))[0] == 5


async def test_a_process_that_has_grown_is_not_kept() -> None:
    async with workers() as pool:
        process = await pool.run(grow)
        assert not is_running(process)
        assert (await pool.run(product, 5))[0] == 5


async def test_the_end_interrupts_what_is_being_done(tmp_path: Path) -> None:
    here = tmp_path / "here"
    async with workers() as pool:
        waiting = asyncio.create_task(pool.run(rendezvous, here, tmp_path / "nobody"))
        await until(here.exists)
    with pytest.raises(Unavailable):
        await waiting
    assert pool.processes == 0
