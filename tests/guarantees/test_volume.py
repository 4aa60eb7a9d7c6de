"""I14, I5: a volume that is broken is noticed, named and never written to; a damaged file is never served whole.

Rows F6 to F8, F11, F12.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from registry.storage.volume import Volume
from tests.guarantees.house import House, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

WHEEL = make_wheel("demo", "1.0", padding=200_000)
OTHER = make_wheel("other", "1.0")
TARBALL = make_tarball("@team/tool", "1.0.0")


@pytest.fixture(autouse=True)
async def kept(house: House, upstream: LyingUpstream) -> None:
    upstream.add(WHEEL, OTHER, TARBALL)
    assert (await house.fetch(WHEEL)).is_whole(WHEEL.data)
    await house.learn(OTHER)


def blob_of(house: House) -> Path:
    return house.blobs()[hashlib.sha256(WHEEL.data).hexdigest()]


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def flipped_in_secret(path: Path) -> None:
    """With size and time as they were: only the inode tells."""
    before = path.stat()
    replacement = path.with_name("0")
    shutil.copyfile(path, replacement)
    flipped(replacement)
    os.utime(replacement, ns=(before.st_atime_ns, before.st_mtime_ns))
    replacement.rename(path)


def cut(path: Path) -> None:
    os.truncate(path, 100)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"something else")


def linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def deleted(path: Path) -> None:
    path.unlink()


DAMAGES = [flipped, flipped_in_secret, cut, emptied, replaced, linked, deleted]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_damaged_file_is_fetched_again_and_never_served(
    house: House, upstream: LyingUpstream, damage: object, restarted: bool
) -> None:
    """F11, F12: the pin says what it has to be."""
    damage(blob_of(house))  # type: ignore[operator]
    if restarted:
        await house.restart()
    assert (await house.ask(path_of(WHEEL))).is_whole(WHEEL.data)
    assert len(upstream.asked("/files/demo*")) == 2
    assert ("damaged-blob" in house.alarms()) == (damage not in {deleted, linked})
    house.require_sound()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_damaged_file_is_never_served_while_the_upstream_is_gone(
    house: House, upstream: LyingUpstream, damage: object
) -> None:
    damage(blob_of(house))  # type: ignore[operator]
    await upstream.stop()
    for headers in ({}, {"Range": "bytes=0-10"}, {"If-None-Match": "*"}):
        got = await house.ask(path_of(WHEEL), headers=headers)
        assert (got.status, "upstream" in got.reason) == (502, True)
    await upstream.__aenter__()
    house.clock.advance(minutes=5)
    assert (await house.ask(path_of(WHEEL))).is_whole(WHEEL.data)


async def test_a_volume_that_is_gone_is_named_and_its_mount_point_stays_empty(
    house: House, upstream: LyingUpstream
) -> None:
    """F7: unmounted, so that an empty directory lies there."""
    await house.index("demo")
    away = house.volume.with_name("away")
    house.volume.rename(away)
    house.volume.mkdir()
    for path in (path_of(WHEEL), path_of(OTHER)):
        got = await house.ask(path)
        assert (got.status, "volume" in got.reason) == (503, True)
        assert "Retry-After" in got.headers
    ready = await house.ask("/-/ready")
    assert (ready.status, ready.json["parts"]["volume"]["ready"]) == (503, False)
    await house.index("demo")
    assert not list(house.volume.iterdir())
    await house.restart()
    await house.index("demo")  # from the local disk
    await upstream.stop()
    house.clock.advance(hours=1)
    assert (await house.ask("/pypi/simple/demo/")).headers["X-Cache"] == "STALE"
    assert (await house.ask(path_of(WHEEL))).status == 503
    assert not list(house.volume.iterdir())
    house.volume.rmdir()
    away.rename(house.volume)
    assert (await house.ask(path_of(WHEEL))).is_whole(WHEEL.data)
    assert (await house.ask("/-/ready")).json["parts"]["volume"]["ready"]


async def test_another_volume_is_refused_and_not_touched(house: House, upstream: LyingUpstream) -> None:
    """F8."""
    expected = (house.volume / "volume-id").read_text()
    (house.volume / "volume-id").write_text("f" * 32 + "\n")
    before = sorted(house.volume.rglob("*"))
    got = await house.ask(path_of(OTHER))
    assert (got.status, "ffffffff" in got.reason) == (503, True)
    problem = (await house.ask("/-/ready")).json["parts"]["volume"]["problem"]
    assert expected[:8] in problem
    assert sorted(house.volume.rglob("*")) == before
    (house.volume / "volume-id").write_text(expected)
    house.clock.advance(minutes=1)
    assert (await house.ask(path_of(OTHER))).is_whole(OTHER.data)


async def test_a_read_only_volume_serves_what_it_holds(
    house: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F6: what is kept is served, what is new is a 503 that says so, and it recovers by itself."""
    with monkeypatch.context() as read_only:
        real = os.access

        def access(path: object, mode: int, **more: object) -> bool:  # root may write whatever the mode says
            return not mode & os.W_OK and real(path, mode, **more)  # type: ignore[arg-type]

        read_only.setattr(os, "access", access)
        assert (await house.ask(path_of(WHEEL))).is_whole(WHEEL.data)
        got = await house.ask(path_of(OTHER))
        assert (got.status, "read-only" in got.reason) == (503, True)
        assert (await house.ask("/-/ready")).status == 503
    house.clock.advance(minutes=1)
    assert (await house.ask(path_of(OTHER))).is_whole(OTHER.data)


async def test_a_full_volume_serves_what_it_holds(
    house: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F4: the reserve is kept."""
    require = Volume.require_space
    with monkeypatch.context() as full:
        full.setattr(Volume, "require_space", lambda volume, size=0: require(volume, 1 << 60))
        assert (await house.ask(path_of(WHEEL))).is_whole(WHEEL.data)
        got = await house.ask(path_of(OTHER))
        assert (got.status, "full" in got.reason, "Retry-After" in got.headers) == (503, True, True)
        assert not house.temp_files()
    house.clock.advance(minutes=1)
    assert (await house.ask(path_of(OTHER))).is_whole(OTHER.data)
