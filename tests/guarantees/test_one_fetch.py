"""I11: one upstream request for a file and for an index page, however many ask and whoever leaves.

Rows L1 to L4, scaled to a unit test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from registry.web import flights
from tests.guarantees.house import JSON, Got, House
from tests.upstream import LyingUpstream, faults, make_wheel

CLIENTS = 100
WHEEL = make_wheel("demo", "1.0", padding=400_000)


async def crowd(house: House, path: str, **more: object) -> list[Got]:
    """All clients at once."""
    return list(await asyncio.gather(*(house.ask(path, **more) for _ in range(CLIENTS))))  # type: ignore[arg-type]


@pytest.mark.parametrize("stream_after", [0.0, 2.0], ids=["streamed", "waited for"])
async def test_a_crowd_for_one_cold_file_makes_one_request_and_is_served_right(
    house: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch, stream_after: float
) -> None:
    """L1."""
    monkeypatch.setattr(flights, "STREAM_AFTER", stream_after)
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    upstream.lie(faults.late(0.1), "/files/*")
    got = await crowd(house, path)
    assert all(each.is_whole(WHEEL.data) for each in got)
    assert len(upstream.asked("/files/*")) == 1
    assert len(house.rows("delivery")) == CLIENTS
    assert len(house.rows("ingest")) == 1


async def test_a_crowd_for_one_cold_index_makes_one_request(house: House, upstream: LyingUpstream) -> None:
    """L2, cold."""
    upstream.add(WHEEL)
    upstream.lie(faults.late(0.1), "/simple/*")
    got = await crowd(house, "/pypi/simple/demo/", headers=JSON)
    assert {each.status for each in got} == {200}
    assert len({each.body for each in got}) == 1
    assert len(upstream.asked("/simple/demo/")) == 1


@pytest.mark.parametrize("hours", [0.2, 1], ids=["slightly old", "old"])
async def test_a_hot_page_whose_time_is_up_is_asked_for_once(
    house: House, upstream: LyingUpstream, hours: float
) -> None:
    """L2, expiry."""
    upstream.add(WHEEL)
    await house.index("demo")
    house.clock.advance(hours=hours)
    upstream.lie(faults.late(0.1), "/simple/*")
    got = await crowd(house, "/pypi/simple/demo/", headers=JSON)
    assert {each.status for each in got} == {200}
    await _until(lambda: len(upstream.asked("/simple/demo/")) == 2)
    assert len(upstream.asked("/simple/demo/")) == 2


@pytest.mark.parametrize("stay", [0, 1, 5], ids=["all leave", "all but one leave", "some leave"])
async def test_a_fetch_outlives_the_clients_that_leave(
    house: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch, stay: int
) -> None:
    """L3: whoever came first goes, the file comes, and nobody asks for it again."""
    monkeypatch.setattr(flights, "STREAM_AFTER", 0)
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    upstream.lie(faults.drip(50_000, 0.05), "/files/*")
    leaving = [await house.begin(path) for _ in range(5)]
    staying = [asyncio.create_task(house.ask(path)) for _ in range(stay)]
    for each in leaving:
        await each.content.readany()
        each.close()
    for task in staying:
        assert (await task).is_whole(WHEEL.data)
    await _until(lambda: bool(house.rows("ingest")))
    assert (await house.ask(path)).is_whole(WHEEL.data)
    assert len(upstream.asked("/files/*")) == 1
    await _until(lambda: not house.temp_files())


async def test_a_failure_reaches_all_who_wait_once(house: House, upstream: LyingUpstream) -> None:
    """L4: a hundred waiting clients are one try (and its one retry), and one alarm at most."""
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    upstream.lie(faults.flipped_bit, "/files/*")
    got = await crowd(house, path)
    assert {each.status for each in got} == {502}
    assert len({each.body for each in got}) == 1
    assert {each.status for each in await crowd(house, path)} == {502}  # at once again: still not asked
    assert len(upstream.asked("/files/*")) == 1
    assert house.alarms() == ["integrity"]
    upstream.heal()
    house.clock.advance(seconds=2)
    assert (await house.ask(path)).is_whole(WHEEL.data)


async def test_a_slow_file_delays_no_other(house: House, upstream: LyingUpstream) -> None:
    """U16: B is served while A drips."""
    other = make_wheel("other", "1.0")
    upstream.add(WHEEL, other)
    slow, quick = await house.learn(WHEEL), await house.learn(other)
    release = asyncio.Event()
    upstream.lie(faults.held(release), f"*{WHEEL.filename}")
    waiting = asyncio.create_task(house.ask(slow))
    assert (await house.ask(quick)).is_whole(other.data)
    assert not waiting.done()
    release.set()
    assert (await waiting).is_whole(WHEEL.data)


async def _until(true: Callable[[], bool]) -> None:
    """Wait for what happens behind the clients' backs; the suite's timeout is the guard."""
    while not true():  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0.01)
