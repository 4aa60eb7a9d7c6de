"""I4, I5: what is lost as a whole comes back by itself, and what was found lying about proves itself first.

Row F13.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from registry.storage import adoptions, durable
from tests.guarantees.house import House, path_of
from tests.guarantees.test_cache_care import age, job
from tests.policy.worlds import pypi
from tests.protocols.pypi.test_private import rescanned
from tests.upstream import Distribution, LyingUpstream, Tarball, faults, make_tarball, make_wheel

WHEELS = [make_wheel("demo", f"1.{minor}", padding=50_000) for minor in range(3)]
TARBALLS = [make_tarball("@team/tool", "1.0.0"), make_tarball("left", "2.0.0")]
ALL: list[Distribution | Tarball] = [*WHEELS, *TARBALLS]
OURS = '[pypi]\nmode = "guarded"\nours = ["acme-*"]\n[npm]\nmode = "guarded"\nours = ["@acme/*"]\n'


@pytest.fixture
async def stocked(house: House, upstream: LyingUpstream) -> House:
    upstream.add(*ALL)
    for package in ALL:
        assert (await house.fetch(package)).is_whole(package.data)
    return house


async def lose_the_database(house: House) -> None:
    """Stop, lose registry.db, and start again; all else stays."""
    await house.stop()
    for path in house.data.glob("registry.db*"):
        path.unlink()
    await house.start()


def sha256(package: Distribution | Tarball) -> str:
    return hashlib.sha256(package.data).hexdigest()


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("what", ["blobs", "blobs/sha256"])
async def test_a_lost_blob_tree_is_fetched_again_as_it_is_asked_for(
    stocked: House, upstream: LyingUpstream, what: str, restarted: bool
) -> None:
    house, before = stocked, len(upstream.asked("*"))
    shutil.rmtree(house.volume / what)
    if restarted:
        await house.restart()
    got = await asyncio.gather(*(house.ask(path_of(package)) for package in ALL for _ in range(5)))
    for package, number in zip(ALL, range(0, len(got), 5), strict=True):
        assert all(each.is_whole(package.data) for each in got[number : number + 5])
        assert len(upstream.asked(f"*{package.filename}")) == 2, "once before, once since"
    assert len(upstream.asked("*")) > before
    for package in WHEELS:
        assert (await house.ask(f"{path_of(package)}.metadata")).is_whole(package.metadata or b"")
    house.require_sound()
    assert not house.alarms(), "what was taken away whole is no damage"


async def test_a_lost_blob_tree_is_held_against_the_pins(stocked: House, upstream: LyingUpstream) -> None:
    house = stocked
    shutil.rmtree(house.volume / "blobs")
    upstream.lie(faults.flipped_bit, f"*{WHEELS[0].filename}")
    assert (await house.ask(path_of(WHEELS[0]))).status == 502
    assert (await house.ask(path_of(WHEELS[1]))).is_whole(WHEELS[1].data)
    assert sha256(WHEELS[0]) not in house.blobs()


async def test_without_its_database_a_volume_gives_nothing_away(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    await house.stop()
    await upstream.stop()
    await house.start()
    await lose_the_database(house)
    for step in ("at first", "adopted"):
        if step == "adopted":
            assert (await job(house, "adopt"))["found"]["adopted"] == len(house.blobs())
        for package in ALL:
            assert (await house.ask(path_of(package))).status in {502, 503, 504}


async def test_an_adopted_file_is_used_once_its_digest_is_announced(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    await lose_the_database(house)
    dry = await job(house, "adopt", dry_run=True)
    assert dry["found"]["adopted"] == len(house.blobs())
    assert (await house.ask("/api/v1/cache/volume", headers=house.admin)).json["adopted"] == 0
    done = await job(house, "adopt")
    assert (done["found"]["adopted"], done["found"]["damaged"]) == (len(house.blobs()), 0)
    asked = len(upstream.asked("/files/*")) + len(upstream.asked("*.tgz"))
    for package in ALL:
        assert (await house.fetch(package)).is_whole(package.data)
    assert len(upstream.asked("/files/*")) + len(upstream.asked("*.tgz")) == asked
    rows = house.rows("ingest")
    assert {(row["sha256"], row["detail"]["source"]) for row in rows} == {
        (sha256(package), "the volume") for package in ALL
    }
    assert all(row["detail"]["pin"] in row["detail"]["announced"] for row in rows)
    (act,) = [row for row in house.rows("admin") if row["detail"].get("action") == "cache.adopt"]
    assert act["detail"]["adopted"] == done["found"]["adopted"]
    house.require_sound()


async def test_an_adopted_file_that_upstream_does_not_know_is_never_given_away(
    stocked: House, upstream: LyingUpstream
) -> None:
    """Nor is one with other bytes than are announced now under its name."""
    house, changed = stocked, make_wheel("demo", "1.0", padding=60_000)
    old, other = WHEELS[0], WHEELS[1]
    upstream.add(changed)
    upstream.python["demo"].remove(other)
    await lose_the_database(house)
    await job(house, "adopt")
    assert (await house.fetch(changed)).is_whole(changed.data)
    assert (await house.ask(path_of(other))).status == 404
    held = {row[0] for row in house.query("SELECT blob FROM artifact WHERE blob IS NOT NULL")}
    assert not held & {sha256(old), sha256(other)}
    assert {sha256(old), sha256(other)} <= house.blobs().keys()


async def test_an_adopted_file_passes_the_same_policy(stocked: House, upstream: LyingUpstream) -> None:
    house = stocked
    await lose_the_database(house)
    await job(house, "adopt")
    await house.index("demo")
    await house.decree(pypi('deny = ["demo"]'))
    assert (await house.ask(path_of(WHEELS[0]))).status == 403


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_file_that_rots_around_its_adoption_is_fetched(
    stocked: House, upstream: LyingUpstream, when: str
) -> None:
    house, wheel = stocked, WHEELS[0]
    await lose_the_database(house)
    path: Path = house.blobs()[sha256(wheel)]
    if when == "before":
        path.write_bytes(b"?" + wheel.data[1:])
    done = await job(house, "adopt")
    if when == "after":
        path.write_bytes(b"?" + wheel.data[1:])
    assert done["found"]["damaged"] == (when == "before")
    assert (await house.fetch(wheel)).is_whole(wheel.data)
    assert len(upstream.asked(f"/files/{wheel.filename}")) == 2
    assert "damaged-blob" in house.alarms()
    house.require_sound()


async def test_what_is_adopted_stays_a_month_and_no_longer(
    stocked: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = stocked
    for path in house.blobs().values():
        age(path)
    await lose_the_database(house)
    await job(house, "adopt")
    await job(house, "gc")
    assert {sha256(package) for package in ALL} <= house.blobs().keys()
    assert (await house.fetch(WHEELS[0])).is_whole(WHEELS[0].data)
    monkeypatch.setattr("registry.storage.adoptions.WAITS", -1)
    await job(house, "gc")
    assert sha256(WHEELS[0]) in house.blobs()
    assert sha256(WHEELS[1]) not in house.blobs()


async def test_adopting_goes_on_where_it_was_called_off(
    stocked: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = stocked
    await lose_the_database(house)
    read: list[Path] = []
    real = durable.digests_of

    def reading(path: Path, algorithms: tuple[str, ...]) -> dict[str, str]:
        read.append(path)
        return real(path, algorithms)

    monkeypatch.setattr(adoptions, "digests_of", reading)
    first = await job(house, "adopt")
    assert len(read) == first["found"]["adopted"] == len(house.blobs())
    assert (await job(house, "adopt"))["found"] == first["found"]
    assert len(read) == len(house.blobs()), "nothing is read twice"


async def test_reserved_private_packages_outlive_the_database(house: House, upstream: LyingUpstream) -> None:
    """Python's by a rescan, npm's by publishing the same bytes again; nothing reserved is asked outside."""
    wheel, tarball = make_wheel("acme-tool", "1.0"), make_tarball("@acme/tool", "1.0.0")
    other = make_tarball("@acme/tool", "1.0.0", padding=10)
    await house.decree(OURS)
    upstream.add(make_wheel("acme-tool", "9.0"), make_tarball("@acme/tool", "9.0.0"))
    assert (await house.upload(wheel)).status == 200
    assert (await house.publish(tarball)).status == 201
    await lose_the_database(house)
    for package in (wheel, tarball):
        assert (await house.ask(path_of(package))).status == 404
    await rescanned(house)
    assert (await house.fetch(wheel)).is_whole(wheel.data)
    assert (await house.index("acme-tool"))["versions"] == ["1.0"]
    assert (await house.publish(other)).status == 409
    assert (await house.publish(tarball)).status == 201
    assert (await house.fetch(tarball)).is_whole(tarball.data)
    assert not upstream.asked("*acme*")
