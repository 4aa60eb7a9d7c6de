"""The cache is filled in advance, tidied up, kept to its quota and healed, while it is served from."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from registry.storage.connections import connect
from tests.guarantees.house import House, path_of
from tests.upstream import Distribution, LyingUpstream, make_tarball, make_wheel
from tests.upstream.faults import flipped_bit, status

OLD, NEW = make_wheel("demo", "1.0"), make_wheel("demo", "1.1")
JS = make_tarball("tool", "1.0.0")
LONG_AGO = 1_700_000_000


async def job(house: House, what: str, **body: Any) -> Any:
    """Start it and wait for its end."""
    got = await house.ask(
        f"/api/v1/cache/{what}",
        method="POST",
        headers={**house.admin, "Content-Type": "application/json"},
        data=json.dumps(body),
    )
    assert got.status == 202, got.body
    found = got.json
    async with asyncio.timeout(20):
        while found["state"] == "running":
            await asyncio.sleep(0.01)
            found = (await house.ask(f"/api/v1/jobs/{found['id']}", headers=house.admin)).json
    assert found["state"] == "done", found
    return found


def wish(package: Any, *digests: str) -> dict[str, Any]:
    pypi = isinstance(package, Distribution)
    name = package.project if pypi else package.name
    ecosystem = "pypi" if pypi else "npm"
    return {"ecosystem": ecosystem, "name": name, "version": package.version, "digests": list(digests)}


def age(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO))


def change(house: House, sql: str, *values: object) -> None:
    """Write to the database past the appliance."""
    connection = connect(
        house.data / "registry.db"
    )  # never by another SQLite: its close would drop our locks
    connection.execute(sql, values).fetchall()
    connection.close()


def blob_of(house: House, package: Any) -> Path:
    return house.blobs()[hashlib.sha256(package.data).hexdigest()]


@pytest.fixture
async def stocked(house: House, upstream: LyingUpstream) -> House:
    upstream.add(OLD, NEW, JS)
    for package in (OLD, NEW, JS):
        assert (await house.fetch(package)).is_whole(package.data)
    return house


async def rested(house: House) -> None:
    """As if nobody had asked for anything for long."""
    await house.stop()
    for path in house.blobs().values():
        age(path)
    change(house, "UPDATE blob_use SET used = ?", LONG_AGO * 1_000_000)
    await house.start()


async def test_what_a_lock_file_names_is_here_before_anybody_asks(
    house: House, upstream: LyingUpstream
) -> None:
    upstream.add(OLD, NEW, JS)
    wishes = [wish(OLD, f"sha256:{hashlib.sha256(OLD.data).hexdigest()[:16]}"), wish(JS)]
    dry = await job(house, "warm", wishes=wishes, dry_run=True)
    assert (dry["found"]["fetched"], dry["found"]["bytes"]) == (2, len(OLD.data))
    assert not house.blobs()
    done = await job(house, "warm", wishes=wishes)
    assert done["found"] | {"bytes": 0} == {"here": 0, "fetched": 2, "bytes": 0, "refused": 0, "failed": 0}
    again = await job(house, "warm", wishes=wishes)
    assert (again["found"]["here"], again["found"]["fetched"]) == (2, 0)
    upstream.lie(status(500))
    assert (await house.ask(path_of(OLD))).is_whole(OLD.data)
    assert (await house.ask(path_of(JS))).is_whole(JS.data)
    assert len(house.rows("ingest")) == 2


async def test_warming_is_no_way_around_the_policy(house: House, upstream: LyingUpstream) -> None:
    slip = make_wheel("reqeusts", "1.0")
    upstream.add(OLD, slip)
    other = "sha256:0000000000000000"
    done = await job(house, "warm", wishes=[wish(slip), wish(OLD, other), wish(NEW)])
    assert (done["found"]["fetched"], done["found"]["failed"]) == (0, 3)
    assert not house.blobs()
    assert not upstream.asked("/simple/reqeusts/")


async def test_rot_is_found_and_healed_and_goes_on_where_it_was_called_off(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    rotten = blob_of(house, OLD)
    data = bytearray(rotten.read_bytes())
    data[len(data) // 2] ^= 1
    before = rotten.stat()
    rotten.write_bytes(bytes(data))
    os.utime(rotten, ns=(before.st_atime_ns, before.st_mtime_ns))  # rot leaves no trace in the inode
    done = await job(house, "scrub")
    assert (done["done"], done["found"]["damaged"], done["found"]["healed"]) == (len(house.blobs()), 1, 1)
    house.require_sound()
    assert "damaged-blob" in house.alarms()
    assert (await house.ask(path_of(OLD))).is_whole(OLD.data)
    assert (await job(house, "scrub"))["found"]["damaged"] == 0


async def test_metadata_that_rots_is_taken_out_of_its_file_again(
    stocked: House, upstream: LyingUpstream
) -> None:
    """F11: without upstream, unless its file rotted as well."""
    house = stocked
    metadata = hashlib.sha256(OLD.metadata or b"").hexdigest()
    for damaged in ([metadata], [metadata, hashlib.sha256(OLD.data).hexdigest()]):
        for sha256 in damaged:
            path = house.blobs()[sha256]
            path.write_bytes(b"?" + path.read_bytes()[1:])
        asked = len(upstream.asked("/files/*"))
        found = (await job(house, "scrub"))["found"]
        assert (found["damaged"] > 0, found["healed"]) == (True, found["damaged"])
        assert len(upstream.asked("/files/*")) - asked == len(damaged) - 1
        house.require_sound()
        assert set(damaged) <= house.blobs().keys()


async def test_rot_that_upstream_can_not_heal_is_never_served(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    blob_of(house, OLD).write_bytes(b"rot")
    upstream.lie(status(500))
    done = await job(house, "scrub", anew=True)
    assert (done["found"]["damaged"], done["found"]["healed"]) == (1, 0)
    assert "could not be fetched again" in done["complaints"][0]
    assert (await house.ask(path_of(OLD))).status == 502
    upstream.heal()
    house.clock.advance(minutes=5)
    assert (await house.ask(path_of(OLD))).is_whole(OLD.data)


async def test_the_least_recently_used_go_first_and_come_back_the_same(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    ours = make_wheel("ours", "1.0")
    await house.upload(ours)
    await rested(house)
    sha256 = hashlib.sha256(OLD.data).hexdigest()
    change(house, "UPDATE blob_use SET used = 1 WHERE sha256 = ?", sha256)
    dry = await job(house, "gc", quota=len(NEW.data) + len(JS.data), dry_run=True)
    assert (dry["found"]["given_up"], len(house.blobs())) == (1, len(house.blobs()))
    assert sha256 in house.blobs()
    await job(house, "gc", quota=len(NEW.data) + len(JS.data))
    assert sha256 not in house.blobs()
    house.require_sound()
    assert house.query("SELECT pin FROM artifact WHERE filename = ?", OLD.filename) == [(f"sha256:{sha256}",)]
    assert (await house.fetch(ours)).is_whole(ours.data)
    assert (await house.ask(path_of(OLD))).is_whole(OLD.data), "fetched again, against its pin"
    assert (await job(house, "gc", quota=1))["found"]["given_up"] == 2, "what was just asked for stays"
    assert sha256 in house.blobs()


async def test_a_file_that_comes_back_with_other_bytes_is_refused(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    await rested(house)
    await job(house, "gc", quota=1)
    upstream.lie(flipped_bit, "*demo-1.0*")
    assert (await house.ask(path_of(OLD))).status == 502


async def test_what_no_row_names_goes_after_a_day_and_not_before(stocked: House) -> None:
    house = stocked
    top = house.volume / "blobs" / "sha256"
    old, young = top / "ab" / ("ab" * 32), top / "cd" / ("cd" * 32)
    stranger, link = top / "ab" / "Thumbs.db", top / "ab" / ("ab" * 31 + "ac")
    for path in (old, young, stranger):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left by a crash")
    link.symlink_to("/etc/passwd")
    age(old)
    kept = (await house.ask("/api/v1/cache/volume", headers=house.admin)).json
    assert (kept["files"] >= 3, kept["orphans"] >= 2) == (True, True)
    assert (await job(house, "gc", dry_run=True))["found"]["orphans"] == 1
    assert old.exists()
    assert (await job(house, "gc"))["found"]["orphans"] == 1
    assert (old.exists(), young.exists(), stranger.exists()) == (False, True, True)
    assert (await house.ask(path_of(OLD))).is_whole(OLD.data)


async def test_a_download_goes_on_while_its_file_is_given_up(house: House, upstream: LyingUpstream) -> None:
    """F27."""
    large = make_wheel("large", "1.0", padding=8 * 2**20)
    upstream.add(large)
    await house.fetch(large)
    await rested(house)
    async with await house.begin(path_of(large)) as response:
        blob_of(house, large).unlink()
        assert await response.read() == large.data
    assert (await house.ask(path_of(large))).is_whole(large.data)


async def test_a_job_is_one_of_its_kind_and_known_by_its_id(stocked: House) -> None:
    house = stocked
    assert (await house.ask("/api/v1/jobs/nonsense", headers=house.admin)).status == 404
    found = await job(house, "scrub")
    ended = await house.ask(f"/api/v1/jobs/{found['id']}", method="DELETE", headers=house.admin)
    assert ended.json["state"] == "done", "what is done can't be called off"


async def test_metadata_beside_a_wheel_stays_until_the_wheel_brings_its_own(
    house: House, upstream: LyingUpstream
) -> None:
    wheel = make_wheel("demo", "1.0")
    inside = hashlib.sha256(wheel.metadata or b"").hexdigest()
    wheel.metadata = b"Name: demo\n"
    beside = hashlib.sha256(wheel.metadata).hexdigest()
    upstream.add(wheel)
    assert (await house.ask(f"{await house.learn(wheel)}.metadata")).status == 200
    await rested(house)
    await job(house, "gc")
    assert set(house.blobs()) == {beside}
    assert (await house.fetch(wheel)).is_whole(wheel.data)
    await rested(house)
    await job(house, "gc")
    assert set(house.blobs()) == {inside, wheel.hashes["sha256"]}
