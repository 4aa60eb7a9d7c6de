"""F4 to F8 with real file systems: full, read-only, unmounted, another one. What is here goes on, what is new waits.

`tests/guarantees/test_volume.py` has the same rows without a mount, for whoever may not make one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.chaos.mounts import image, make_image, read_only, require_mounting, tmpfs
from tests.guarantees.house import JSON, House, open_house, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

HERE, HERE_JS = make_wheel("here", "1.0", padding=200_000), make_tarball("here", "1.0.0")
NEW, LARGE = make_wheel("new", "1.0"), make_wheel("large", "1.0", padding=6_000_000)


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    require_mounting()


async def stock(house: House, upstream: LyingUpstream) -> None:
    """One file of each world is here, another one is known and not here."""
    upstream.add(HERE, HERE_JS, NEW)
    for package in (HERE, HERE_JS):
        assert (await house.fetch(package)).is_whole(package.data)
    await house.learn(NEW)


async def require_served(house: House) -> None:
    """What is here, indexes included."""
    for package in (HERE, HERE_JS):
        assert (await house.fetch(package)).is_whole(package.data)


async def require_waiting(house: House, says: str) -> None:
    """What is new is a 503 that says why and when to come again; /-/ready names the volume."""
    got = await house.ask(path_of(NEW))
    assert (got.status, says in got.reason) == (503, True), got.reason
    assert got.headers["Retry-After"]
    ready = await house.ask("/-/ready")
    assert (ready.status, says in ready.json["parts"]["volume"]["problem"]) == (503, True)


async def require_recovered(house: House) -> None:
    house.clock.advance(minutes=2)
    assert (await house.ask(path_of(NEW))).is_whole(NEW.data)
    assert (await house.ask("/-/ready")).status == 200
    house.require_sound()


def fill(folder: Path, name: str = "filler") -> Path:
    """Take all the space that is left."""
    filler = folder / name
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@pytest.fixture
async def small(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[House]:
    """A house whose volume has eight mebibytes."""
    with tmpfs(tmp_path / "data" / "volume", 8):
        async with open_house(tmp_path, upstream) as house:
            await stock(house, upstream)
            yield house


async def test_a_full_volume_takes_nothing_new_and_recovers_alone(small: House) -> None:
    """F4."""
    filler = fill(small.volume / "tmp", "0" * 32)
    await require_served(small)
    await require_waiting(small, "is full")
    await require_served(small)
    filler.unlink()
    await require_recovered(small)
    assert not small.temp_files()


async def test_a_volume_that_is_full_halfway_through_a_file_keeps_nothing_of_it(
    small: House, upstream: LyingUpstream
) -> None:
    """F4, on write: nobody announced how large it is."""
    upstream.shape = "html"
    upstream.add(LARGE)
    assert all("size" not in file for file in (await small.index("large"))["files"])
    filler = small.volume / "tmp" / ("0" * 32)
    filler.write_bytes(bytes(4_000_000))
    got = await small.ask(path_of(LARGE))
    assert (got.status, "is full" in got.reason) == (503, True)
    assert small.temp_files() == [filler]
    await require_served(small)
    filler.unlink()
    small.clock.advance(minutes=2)
    assert (await small.ask(path_of(LARGE))).is_whole(LARGE.data)
    await require_recovered(small)


async def test_a_full_disk_below_the_database_stops_deliveries_and_no_index(
    tmp_path: Path, upstream: LyingUpstream
) -> None:
    """F5: no record, no last byte; what needs no record goes on."""
    with tmpfs(tmp_path / "data", 24), tmpfs(tmp_path / "data" / "volume", 64):
        async with open_house(tmp_path, upstream) as house:
            await stock(house, upstream)
            filler = fill(house.data)
            for _ in range(500):
                got = await house.ask(path_of(HERE))
                if got.status != 200:
                    break
                assert got.is_whole(HERE.data)
            assert (got.status, "data directory is full" in got.reason) == (503, True), got.reason
            new = await house.ask(path_of(NEW))
            assert new.status == 503
            for name in ("here", "new"):
                assert (await house.ask(f"/pypi/simple/{name}/", headers=JSON)).status == 200
            assert (await house.ask("/-/live")).status == 200
            filler.unlink()
            house.clock.advance(minutes=2)
            assert (await house.ask(path_of(HERE))).is_whole(HERE.data)
            await require_recovered(house)
            rows = house.query("SELECT count(*) FROM log WHERE kind = 'ingest'")
            assert rows == [(3,)], "no half rows"


async def test_a_volume_that_becomes_read_only_serves_what_it_has(small: House) -> None:
    """F6."""
    with read_only(small.volume):
        await require_served(small)
        await require_waiting(small, "read-only")
        await small.restart()
        await require_served(small)
    await require_recovered(small)


@contextmanager
def volumes(tmp_path: Path) -> Iterator[tuple[Path, Path, Path]]:
    """Two disks, and where they can be mounted."""
    point = tmp_path / "data" / "volume"
    yield make_image(tmp_path / "ours.img", 64), make_image(tmp_path / "other.img", 64), point


async def test_a_volume_that_is_unmounted_is_missed_and_used_again_when_it_is_back(
    tmp_path: Path, upstream: LyingUpstream
) -> None:
    """F7: nothing is written to the empty mount point, indexes go on."""
    with volumes(tmp_path) as (ours, _, point):
        with image(ours, point):
            opening = open_house(tmp_path, upstream)
            house = await opening.__aenter__()
            await stock(house, upstream)
        try:
            for restarted in (False, True):
                if restarted:
                    await house.restart()
                for name in ("here", "new"):
                    await house.index(name)
                assert (await house.ask(path_of(HERE))).status == 503
                await require_waiting(house, "volume-id")
                assert list(point.iterdir()) == []
            with image(ours, point):
                await require_served(house)
                await require_recovered(house)
        finally:
            await opening.__aexit__(None, None, None)


async def test_another_volume_in_its_place_is_refused_and_not_written_to(
    tmp_path: Path, upstream: LyingUpstream
) -> None:
    """F8."""
    with volumes(tmp_path) as (ours, other, point):
        with image(other, point):
            (point / "volume-id").write_text("f" * 32 + "\n")
        with image(ours, point):
            opening = open_house(tmp_path, upstream)
            house = await opening.__aenter__()
            await stock(house, upstream)
            expected = (point / "volume-id").read_text()[:8]
        try:
            with image(other, point):
                before = sorted(point.rglob("*"))
                await require_waiting(house, expected)
                await house.restart()
                await require_waiting(house, expected)
                assert sorted(point.rglob("*")) == before
            with image(ours, point):
                await require_served(house)
                await require_recovered(house)
        finally:
            await opening.__aexit__(None, None, None)
