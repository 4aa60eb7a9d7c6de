"""P7: core metadata is offered for what we hold, and what is offered is there."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from tests.guarantees.house import JSON, House
from tests.upstream import Distribution, Fault, make_sdist, make_wheel
from tests.upstream.faults import status, wrong_bytes


async def entry(house: House, made: Distribution) -> Any:
    files = (await house.index(made.project))["files"]
    return next(file for file in files if file["filename"] == made.filename)


async def metadata(house: House, made: Distribution) -> Any:
    return await house.ask(f"/pypi/files/{made.project}/{made.filename}.metadata")


async def lose(house: House, *names: str) -> None:
    """Take blobs off the volume behind the appliance's back."""
    for name, path in house.blobs().items():
        if name in names:
            await asyncio.to_thread(path.unlink)


def digest(made: Distribution) -> str:
    return hashlib.sha256(made.metadata or b"").hexdigest()


async def test_p7_what_the_upstream_announces_is_offered_and_fetched_checked_and_kept(house: House) -> None:
    wheel = make_wheel("demo", "1.0", requires=["other>=2"])
    house.upstream.add(wheel)
    assert (await entry(house, wheel))["core-metadata"]["sha256"] == digest(wheel)
    for _ in range(2):
        got = await metadata(house, wheel)
        assert got.is_whole(wheel.metadata or b"")
        assert got.headers["ETag"] == f'"{digest(wheel)}"'
    assert [seen.path for seen in house.upstream.asked("/files/*")] == [f"/files/{wheel.filename}.metadata"]
    (event,) = house.rows("ingest")
    assert (event["filename"], event["sha256"]) == (f"{wheel.filename}.metadata", digest(wheel))
    await house.restart()
    house.upstream.lie(status(500))
    assert (await metadata(house, wheel)).is_whole(wheel.metadata or b"")


async def test_p7_a_crowd_that_wants_metadata_fetches_it_once(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await entry(house, wheel)
    answers = await asyncio.gather(*(metadata(house, wheel) for _ in range(20)))
    assert all(got.is_whole(wheel.metadata or b"") for got in answers)
    assert len(house.upstream.asked("/files/*")) == 1


async def test_p7_an_index_stays_as_it_was_when_its_wheel_comes_in(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    before = (await house.ask("/pypi/simple/demo/", headers=JSON)).headers["ETag"]
    await house.fetch(wheel)
    assert (await house.ask("/pypi/simple/demo/", headers={**JSON, "If-None-Match": before})).status == 304
    assert not house.alarms()


async def test_p7_metadata_inside_the_wheel_wins_over_that_beside_it(house: House) -> None:
    wheel = make_wheel("demo", "1.0", requires=["other>=2"])
    inside = wheel.metadata or b""
    wheel.metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: evil\n"  # U30
    house.upstream.add(wheel)
    assert (await metadata(house, wheel)).is_whole(wheel.metadata)
    await house.fetch(wheel)
    assert house.alarms() == ["metadata_mismatch"]
    assert (await entry(house, wheel))["core-metadata"]["sha256"] == hashlib.sha256(inside).hexdigest()
    assert (await metadata(house, wheel)).is_whole(inside)


@pytest.mark.parametrize("lie", [status(404), status(403), wrong_bytes], ids=["gone", "forbidden", "wrong"])
async def test_p7_announced_metadata_that_cannot_be_had_is_taken_out_of_the_wheel(
    house: House, lie: Fault
) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    house.upstream.lie(lie, "*.metadata")
    assert (await metadata(house, wheel)).is_whole(wheel.metadata or b"")
    assert house.alarms() == (["integrity"] if lie is wrong_bytes else [])
    assert len(house.upstream.asked(f"/files/{wheel.filename}")) == 1


async def test_p7_metadata_that_nobody_can_give_is_a_failure_and_no_missing_file(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await entry(house, wheel)
    house.upstream.lie(status(500), "/files/*")
    assert (await metadata(house, wheel)).status == 502
    await house.upstream.stop()
    house.clock.advance(seconds=30)
    assert (await metadata(house, wheel)).status in {502, 503, 504}


async def test_p7_without_an_announcement_a_wheel_offers_metadata_once_it_is_here(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    inside, wheel.metadata = wheel.metadata or b"", None
    house.upstream.add(wheel)
    assert "core-metadata" not in await entry(house, wheel)
    assert (await metadata(house, wheel)).status == 404
    await house.fetch(wheel)
    assert (await entry(house, wheel))["core-metadata"]["sha256"] == hashlib.sha256(inside).hexdigest()
    assert (await metadata(house, wheel)).is_whole(inside)
    assert not house.upstream.asked("*.metadata")


async def test_p7_metadata_beside_a_wheel_is_refused_like_it_and_not_even_asked_for(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await entry(house, wheel)
    await house.decree('[pypi]\nmode = "guarded"\ndeny = ["demo"]\n[npm]\nmode = "guarded"\n')
    assert (await metadata(house, wheel)).status == 403
    assert not house.upstream.asked("/files/*")


async def test_p7_a_private_wheel_offers_its_metadata_from_the_start(house: House) -> None:
    wheel = make_wheel("acme-meta", "1.0")
    assert (await house.upload(wheel)).status == 200
    assert (await entry(house, wheel))["core-metadata"]["sha256"] == digest(wheel)
    assert (await metadata(house, wheel)).is_whole(wheel.metadata or b"")


async def test_p7_an_sdist_offers_none(house: House) -> None:
    for made in (make_sdist("demo", "1.0"), make_sdist("acme-sd", "1.0")):
        if made.project == "demo":
            house.upstream.add(made)
        else:
            assert (await house.upload(made)).status == 200
        await house.fetch(made)
        assert "core-metadata" not in await entry(house, made)
        assert (await metadata(house, made)).status == 404


async def test_p7_metadata_that_was_lost_is_taken_out_of_the_file_again(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    await entry(house, wheel)
    await lose(house, digest(wheel))
    assert (await metadata(house, wheel)).is_whole(wheel.metadata or b"")
    assert len(house.upstream.asked("/files/*")) == 1


async def test_p7_metadata_that_was_lost_with_its_file_comes_back_with_it(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    await entry(house, wheel)
    await lose(house, digest(wheel), wheel.hashes["sha256"])
    house.upstream.lie(status(500), "/files/*")
    assert (await metadata(house, wheel)).status == 502
    house.upstream.heal()
    house.clock.advance(minutes=5)
    assert (await metadata(house, wheel)).is_whole(wheel.metadata or b"")


async def test_p7_lost_metadata_of_a_private_wheel_comes_back_from_the_back_end(house: House) -> None:
    wheel = make_wheel("acme-lost", "1.0")
    assert (await house.upload(wheel)).status == 200
    for path in (house.data / "private" / "blobs" / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    assert (await metadata(house, wheel)).is_whole(wheel.metadata or b"")


async def test_p7_metadata_is_refused_like_its_file(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    await house.decree('[pypi]\nmode = "guarded"\ndeny = ["demo"]\n[npm]\nmode = "guarded"\n')
    for got in (await metadata(house, wheel), await house.ask(f"/pypi/files/demo/{wheel.filename}")):
        assert got.status == 403
