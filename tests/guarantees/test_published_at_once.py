"""What was accepted is there for the next client, whoever was looking at the same moment."""

from __future__ import annotations

import asyncio

import pytest

from registry.storage.documents import Documents
from tests.guarantees.house import House, path_of
from tests.upstream import Distribution, Tarball, make_tarball, make_wheel

WHEELS = [make_wheel("acme-app", version) for version in ("1.0", "2.0")]
TARBALLS = [make_tarball("@acme/app", version) for version in ("1.0.0", "2.0.0")]


async def put(house: House, package: Distribution | Tarball) -> None:
    if isinstance(package, Distribution):
        assert (await house.upload(package)).status == 200
    else:
        assert (await house.publish(package)).status == 201


@pytest.mark.parametrize("packages", [WHEELS, TARBALLS], ids=["pypi", "npm"])
async def test_an_index_that_was_read_before_does_not_hide_a_publication(
    house: House, monkeypatch: pytest.MonkeyPatch, packages: list[Distribution | Tarball]
) -> None:
    """Somebody's look at the index began before the publication and ends after it."""
    old, new = packages
    await put(house, old)
    begun, release, keep = asyncio.Event(), asyncio.Event(), Documents.put

    async def slowly(self: Documents, *what: object) -> None:
        begun.set()
        await release.wait()
        await keep(self, *what)  # type: ignore[arg-type]

    page = "/pypi/simple/acme-app/" if isinstance(new, Distribution) else "/npm/@acme%2fapp"
    with monkeypatch.context() as slow:
        slow.setattr(Documents, "put", slowly)
        looking = asyncio.create_task(house.ask(page))
        await begun.wait()
        publishing = asyncio.create_task(put(house, new))
        await asyncio.wait([publishing], timeout=0.2)  # as far as it gets meanwhile
        release.set()
        assert (await looking).status == 200
        await publishing
    assert (await house.fetch(new)).is_whole(new.data)
    assert (await house.ask(path_of(old))).is_whole(old.data)


@pytest.mark.parametrize("packages", [WHEELS, TARBALLS], ids=["pypi", "npm"])
async def test_the_same_upload_twice_at_once_is_one_publication(
    house: House, packages: list[Distribution | Tarball]
) -> None:
    """F32: both are told that it is there."""
    package = packages[0]
    await asyncio.gather(put(house, package), put(house, package))
    assert len(house.rows("publish")) == 1
    assert (await house.fetch(package)).is_whole(package.data)


async def test_other_bytes_under_a_published_name_are_a_conflict(house: House) -> None:
    await put(house, WHEELS[0])
    other = make_wheel("acme-app", "1.0", modules={"other.py": ""})
    got = await house.upload(other)
    assert (got.status, "already exists" in got.reason) == (409, True)
    got = await house.publish(make_tarball("@acme/app", "1.0.0"))
    assert got.status == 201
    got = await house.publish(make_tarball("@acme/app", "1.0.0", padding=10))
    assert got.status == 409
    assert (await house.fetch(WHEELS[0])).is_whole(WHEELS[0].data)
