"""Two appliances with databases of their own on one volume: both correct, and neither takes what the other needs.

Row F25.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.guarantees.crew import Crew, open_crew
from tests.guarantees.house import House, open_house, path_of
from tests.guarantees.test_cache_care import LONG_AGO, age, change, job, rested
from tests.upstream import Distribution, LyingUpstream, Tarball, faults, make_tarball, make_wheel

WHEEL, OTHER = make_wheel("demo", "1.0", padding=300_000), make_wheel("other", "1.0", padding=20_000)
TARBALL = make_tarball("tool", "1.0.0")
ALL = (WHEEL, OTHER, TARBALL)


@pytest.fixture
async def pair(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[tuple[House, House]]:
    upstream.add(*ALL)
    async with AsyncExitStack() as stack:
        houses = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            environ = {"REGISTRY_VOLUME": str(tmp_path / "lan")}
            houses.append(await stack.enter_async_context(open_house(tmp_path / name, upstream, environ)))
        yield houses[0], houses[1]


def sha256(package: Distribution | Tarball) -> str:
    return hashlib.sha256(package.data).hexdigest()


def age_all(house: House) -> None:
    """As if everything had lain there for long, and nobody had said anything since."""
    for path in (p for p in house.volume.rglob("*") if p.is_file() and p.parent.name != "appliances"):
        age(path)


def date(path: Path, *, hours: float) -> None:
    """As if it had been written so many hours ago."""
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def words(house: House) -> Path:
    """What this appliance has told the others."""
    ((own,),) = house.query("SELECT value FROM fact WHERE name = 'appliance-id'")
    return house.volume / "appliances" / str(own)


async def told(house: House) -> None:
    """Wait until it has told what it needs now; it does when it starts."""
    await house.restart()
    while not (words(house).exists() and sha256(WHEEL) in words(house).read_text()):  # noqa: ASYNC110  another task does
        await asyncio.sleep(0.01)


async def gc(house: House) -> int:
    found = (await job(house, "gc"))["found"]
    return int(found["orphans"])


async def test_both_fetch_for_themselves_and_keep_one_file(
    pair: tuple[House, House], upstream: LyingUpstream
) -> None:
    for house in pair:
        for package in ALL:
            got = await asyncio.gather(*(house.fetch(package) for _ in range(5)))
            assert all(each.is_whole(package.data) for each in got)
    assert len(upstream.asked(f"/files/{WHEEL.filename}")) == 2, (
        "one each: a database serves what it recorded"
    )
    assert pair[0].blobs() == pair[1].blobs()
    for house in pair:
        house.require_sound()
        assert len(house.rows("ingest")) == len(ALL)
        assert not house.alarms()
        assert (await house.ask("/api/v1/cache/volume", headers=house.admin)).json["neighbours"] == 1


async def test_what_only_the_other_one_knows_is_never_collected(pair: tuple[House, House]) -> None:
    one, two = pair
    for package in ALL:
        assert (await two.fetch(package)).is_whole(package.data)
    await told(two)
    age_all(two)
    before = sorted(two.volume.rglob("*/??/*"))
    assert await gc(one) == 0
    assert (await job(one, "gc", dry_run=True))["found"]["left"] == len(before)
    assert sorted(two.volume.rglob("*/??/*")) == before
    await two.stop()
    assert await gc(one) == 0, "it need not run for that"
    await two.start()
    for package in ALL:
        assert (await two.ask(path_of(package))).is_whole(package.data)


async def test_what_came_in_since_the_other_ones_last_word_is_left_to_it(pair: tuple[House, House]) -> None:
    one, two = pair
    for package in (WHEEL, OTHER):
        assert (await two.fetch(package)).is_whole(package.data)
    words(two).write_text("# nothing, so far\n")
    date(words(two), hours=40)
    date(two.blobs()[sha256(OTHER)], hours=30)
    date(two.blobs()[sha256(WHEEL)], hours=50)
    assert await gc(one) == 1
    assert sha256(OTHER) in two.blobs()
    assert (await two.ask(path_of(WHEEL))).is_whole(WHEEL.data), "fetched again"


async def test_a_quota_gives_up_the_row_and_leaves_the_other_ones_file(
    pair: tuple[House, House], upstream: LyingUpstream
) -> None:
    one, two = pair
    for house in pair:
        assert (await house.fetch(WHEEL)).is_whole(WHEEL.data)
    await told(two)
    await rested(one)
    assert (await job(one, "gc", quota=1))["found"]["given_up"] == 1
    assert one.query("SELECT blob FROM artifact WHERE filename = ?", WHEEL.filename) == [(None,)]
    asked = len(upstream.asked("/files/*"))
    assert (await two.ask(path_of(WHEEL))).is_whole(WHEEL.data)
    assert len(upstream.asked("/files/*")) == asked
    assert (await one.ask(path_of(WHEEL))).is_whole(WHEEL.data)


async def test_a_new_index_of_one_leaves_the_other_its_old_one(
    pair: tuple[House, House], upstream: LyingUpstream
) -> None:
    one, two = pair
    for house in pair:
        await house.index("demo")
    upstream.add(make_wheel("demo", "2.0"))
    one.clock.advance(hours=1)
    while "2.0" not in (await one.index("demo"))["versions"]:  # noqa: ASYNC110  stale while it is looked at again
        await asyncio.sleep(0.01)
    await upstream.stop()
    await two.stop()
    for path in (two.data / "indexes").rglob("*"):
        if path.is_file():
            path.unlink()
    await two.start()
    assert (await two.index("demo"))["versions"] == ["1.0"]


async def test_only_one_of_them_tidies_up_at_a_time(pair: tuple[House, House]) -> None:
    one, two = pair
    turn = one.volume / "appliances" / "turn"
    turn.write_text(f"{'0' * 32} 0 nas-two\n")
    headers = {**one.admin, "Content-Type": "application/json"}
    started = (await one.ask("/api/v1/cache/gc", method="POST", headers=headers, data="{}")).json
    while started["state"] == "running":
        await asyncio.sleep(0.01)
        started = (await one.ask(f"/api/v1/jobs/{started['id']}", headers=one.admin)).json
    assert (started["state"], "nas-two" in started["error"]) == ("failed", True)
    age(turn)
    assert await gc(two) == 0
    while turn.exists():  # noqa: ASYNC110  it is let go of in a thread
        await asyncio.sleep(0.01)


@pytest.fixture
async def crews(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[tuple[Crew, Crew]]:
    """The same as processes, each appliance with two workers."""
    async with AsyncExitStack() as stack:
        opened = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            environ = {"REGISTRY_VOLUME": str(tmp_path / "lan")}
            opened.append(await stack.enter_async_context(open_crew(tmp_path / name, upstream, environ)))
        yield opened[0], opened[1]


async def test_a_crowd_at_two_appliances_gets_one_cold_wheel(
    crews: tuple[Crew, Crew], upstream: LyingUpstream
) -> None:
    wheel = make_wheel("heavy", "1.0", padding=1_000_000)
    upstream.add(wheel)
    upstream.lie(faults.late(0.5), "/files/*")
    for crew in crews:
        await crew.learn(wheel)
    got = await asyncio.gather(*(crew.ask(path_of(wheel)) for _ in range(100) for crew in crews))
    assert {hashlib.sha256(each.body).hexdigest() for each in got if each.whole} == {sha256(wheel)}
    assert [each.status for each in got] == [200] * 200
    assert len(upstream.asked("/files/*")) == 2
    for crew in crews:
        assert len(crew.rows("delivery")) == 100
        assert crew.blobs().keys() >= {sha256(wheel)}
        assert crew.query("SELECT blob FROM artifact WHERE filename = ?", wheel.filename) == [
            (sha256(wheel),)
        ]
        crew.require_sound()


async def test_a_file_can_be_collected_elsewhere_while_it_is_fetched_or_sent(
    crews: tuple[Crew, Crew], upstream: LyingUpstream
) -> None:
    """What is on its way in isn't touched. One under a download that the other appliance couldn't know of goes,
    and the download ends well all the same: the open file stays until then."""
    one, two = crews
    slow, large = make_wheel("slow", "1.0", padding=100_000), make_wheel("large", "1.0", padding=30_000_000)
    upstream.add(slow, large)
    assert (await two.fetch(large)).is_whole(large.data)
    path = await two.learn(slow)
    upstream.lie(faults.drip(10_000, 0.1), "/files/slow*")
    arriving = asyncio.create_task(two.ask(path))
    while not upstream.asked("/files/slow*"):  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0.01)
    async with await two.begin(path_of(large)) as response:
        blob = two.blobs()[sha256(large)]
        age(blob)
        words(two).unlink(missing_ok=True)
        change(two, "UPDATE blob_use SET used = ?", LONG_AGO)
        assert await gc(one) >= 1
        assert not blob.exists()
        assert await response.read() == large.data
    assert (await arriving).is_whole(slow.data)
    assert (await two.ask(path_of(large))).is_whole(large.data)
    two.require_sound()
