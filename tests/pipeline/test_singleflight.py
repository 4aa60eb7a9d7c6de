"""One flight a key."""

from __future__ import annotations

import asyncio

import pytest

from registry.errors import SourceFailed
from registry.pipeline.singleflight import Flights


async def test_all_who_ask_meanwhile_share_one_flight() -> None:
    flights: Flights[str, int] = Flights()
    begun = 0
    gate = asyncio.Event()

    async def fly() -> int:
        nonlocal begun
        begun += 1
        await gate.wait()
        return 7

    waiting = [asyncio.create_task(flights.join("a", fly)) for _ in range(100)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*waiting) == [7] * 100
    assert begun == 1


async def test_a_flight_outlives_the_client_who_began_it() -> None:
    flights: Flights[str, int] = Flights()
    gate = asyncio.Event()

    async def fly() -> int:
        await gate.wait()
        return 7

    leader = asyncio.create_task(flights.join("a", fly))
    await asyncio.sleep(0)
    follower = asyncio.create_task(flights.join("a", fly))
    await asyncio.sleep(0)
    leader.cancel()
    gate.set()
    assert await follower == 7


async def test_a_failure_reaches_everyone_once_and_is_not_remembered() -> None:
    flights: Flights[str, int] = Flights()
    tries = 0

    async def fail() -> int:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise SourceFailed("no")

    ends = await asyncio.gather(*(flights.join("a", fail) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(end, SourceFailed) for end in ends)
    assert tries == 1
    with pytest.raises(SourceFailed):
        await flights.join("a", fail)
    assert tries == 2
