"""A few threads, and what happens when they all hang."""

from __future__ import annotations

import asyncio
import threading

import pytest

from registry.errors import NotFound, Unavailable
from registry.storage.pool import Pool


async def test_a_call_gives_back_what_it_gives_and_raises_what_it_raises() -> None:
    pool = Pool("the disk", 2)

    def fail() -> None:
        raise NotFound("Not there.")

    assert await pool.run(lambda: 7) == 7
    with pytest.raises(NotFound):
        await pool.run(fail)
    pool.close()


async def test_a_time_out_of_the_call_itself_is_not_taken_for_a_hang() -> None:
    pool = Pool("the disk", 1)

    def fail() -> None:
        raise TimeoutError("ETIMEDOUT")

    with pytest.raises(TimeoutError):
        await pool.run(fail, patience=60)
    assert await pool.run(lambda: 7) == 7
    pool.close()


async def test_there_are_never_more_threads_than_allowed() -> None:
    pool = Pool("the disk", 3)
    seen: set[int] = set()

    def note() -> None:
        seen.add(threading.get_ident())

    await asyncio.gather(*(pool.run(note) for _ in range(50)))
    assert 1 <= len(seen) <= 3
    pool.close()


async def test_calls_one_after_another_are_made_by_the_thread_that_was_busy_last() -> None:
    pool, gate = Pool("the disk", 3), threading.Barrier(3)
    await asyncio.gather(*(pool.run(gate.wait) for _ in range(3)))
    assert len({await pool.run(threading.get_ident) for _ in range(20)}) == 1
    pool.close()


async def test_its_threads_end_with_it_after_the_calls_they_have() -> None:
    pool, gate, done = Pool("the disk", 2), threading.Event(), threading.Event()
    threads = await asyncio.gather(*(pool.run(threading.current_thread) for _ in range(2)))
    busy = asyncio.create_task(pool.run(gate.wait))
    await asyncio.sleep(0)
    pool.post(done.set)
    pool.close()
    gate.set()
    await busy
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert done.is_set()


async def test_when_every_thread_hangs_calls_are_refused_at_once_until_one_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("registry.storage.pool._SHORT", 0.01)
    pool, gate = Pool("the disk", 2), threading.Event()
    for _ in range(2):
        with pytest.raises(Unavailable, match="The disk does not answer"):
            await pool.run(gate.wait, patience=0.01)
    called = threading.Event()
    with pytest.raises(Unavailable):
        await pool.run(called.set, patience=60)
    assert not called.is_set()
    gate.set()
    while True:
        try:
            assert await pool.run(lambda: 7) == 7
            break
        except Unavailable:
            await asyncio.sleep(0)
    pool.close()


async def test_a_posted_call_is_made_once_a_thread_is_free() -> None:
    pool, done = Pool("the disk", 1), threading.Event()
    pool.post(done.set)
    await pool.run(lambda: None)
    assert done.is_set()
    pool.close()


async def test_a_caller_who_leaves_takes_nothing_along() -> None:
    pool, gate, done = Pool("the disk", 1), threading.Event(), threading.Event()
    pool.post(gate.wait)
    leaving = asyncio.create_task(pool.run(done.set))
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()
    assert await pool.run(done.is_set)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    pool.close()
