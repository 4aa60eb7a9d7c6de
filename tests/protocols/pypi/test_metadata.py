"""P7: core metadata is offered for what we hold, and what is offered is there."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from tests.guarantees.house import House
from tests.upstream import Distribution, make_sdist, make_wheel
from tests.upstream.faults import status


async def entry(house: House, made: Distribution) -> Any:
    files = (await house.index(made.project))["files"]
    return next(file for file in files if file["filename"] == made.filename)


async def offered(house: House, made: Distribution) -> Any:
    """The file's entry once it offers metadata; that takes a moment, since clients don't wait for it."""
    async with asyncio.timeout(10):
        while "core-metadata" not in (found := await entry(house, made)):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)
    return found


async def metadata(house: House, made: Distribution) -> Any:
    return await house.ask(f"/pypi/files/{made.project}/{made.filename}.metadata")


async def lose(house: House, *names: str) -> None:
    """Take blobs off the volume behind the appliance's back."""
    for name, path in house.blobs().items():
        if name in names:
            await asyncio.to_thread(path.unlink)


async def test_p7_a_public_wheel_offers_the_metadata_inside_it_once_it_is_here(house: House) -> None:
    wheel = make_wheel("demo", "1.0", requires=["other>=2"])
    wheel.metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: evil\n"  # U30
    house.upstream.add(wheel)
    assert "core-metadata" not in await entry(house, wheel)
    assert (await metadata(house, wheel)).status == 404
    await house.fetch(wheel)
    digest = (await offered(house, wheel))["core-metadata"]["sha256"]
    got = await metadata(house, wheel)
    assert hashlib.sha256(got.body).hexdigest() == digest
    assert b"Requires-Dist: other>=2" in got.body
    assert b"evil" not in got.body
    assert not house.upstream.asked("*.metadata")


async def test_p7_a_private_wheel_offers_its_metadata_from_the_start(house: House) -> None:
    wheel = make_wheel("acme-meta", "1.0")
    assert (await house.upload(wheel)).status == 200
    digest = (await entry(house, wheel))["core-metadata"]["sha256"]
    got = await metadata(house, wheel)
    assert (got.body, hashlib.sha256(got.body).hexdigest()) == (wheel.metadata, digest)


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
    digest = (await offered(house, wheel))["core-metadata"]["sha256"]
    await lose(house, digest)
    assert (await metadata(house, wheel)).is_whole(wheel.metadata or b"")
    assert len(house.upstream.asked("/files/*")) == 1


async def test_p7_metadata_that_was_lost_with_its_file_comes_back_with_it(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    digest = (await offered(house, wheel))["core-metadata"]["sha256"]
    await lose(house, digest, wheel.hashes["sha256"])
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
    await offered(house, wheel)
    await house.decree('[pypi]\nmode = "guarded"\ndeny = ["demo"]\n[npm]\nmode = "guarded"\n')
    for got in (await metadata(house, wheel), await house.ask(f"/pypi/files/demo/{wheel.filename}")):
        assert got.status == 403


async def test_p7_a_wheel_that_lies_about_what_is_in_it_offers_none(house: House) -> None:
    wheel = make_wheel("other", "1.0")
    wheel.project, wheel.filename = "demo", "demo-1.0-py3-none-any.whl"
    house.upstream.add(wheel)
    await house.fetch(wheel)
    await house.restart()
    assert "core-metadata" not in await entry(house, wheel)
