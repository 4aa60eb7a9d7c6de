"""I4: after any end, a row's bytes are there, bytes without a row are nobody's, and nothing needs repair."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from registry.errors import Unavailable
from registry.storage.catalogue import Catalogue
from tests.guarantees.house import House, path_of
from tests.upstream import LyingUpstream, faults, make_tarball, make_wheel

WHEEL = make_wheel("demo", "1.0", padding=300_000)
TARBALL = make_tarball("@team/tool", "1.0.0")


async def test_everything_is_there_again(house: House, upstream: LyingUpstream) -> None:
    private, scoped = make_wheel("acme-app", "1.0"), make_tarball("@acme/app", "1.0.0")
    upstream.add(WHEEL, TARBALL)
    await house.upload(private)
    await house.publish(scoped)
    for package in (WHEEL, TARBALL):
        await house.fetch(package)
    log = house.query("SELECT seq, hash FROM log")
    await house.restart()
    await upstream.stop()
    for package in (WHEEL, TARBALL, private, scoped):
        assert (await house.fetch(package)).is_whole(package.data)
    assert house.query("SELECT seq, hash FROM log")[: len(log)] == log
    house.require_sound()


async def test_a_download_under_way_leaves_nothing_behind(house: House, upstream: LyingUpstream) -> None:
    """Stopped in the middle: the client knows, no temp file stays, the next start serves it right."""
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    upstream.lie(faults.drip(1_000, 0.1), "/files/*")
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    waiting = asyncio.create_task(house.raw(request.encode()))
    while not house.temp_files():  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0.01)
    await house.stop()
    assert WHEEL.data not in await waiting
    assert not house.temp_files()
    upstream.heal()
    await house.start()
    assert (await house.ask(path)).is_whole(WHEEL.data)
    house.require_sound()


async def test_bytes_without_a_row_are_nobodys(
    house: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end came between the rename and the commit: nothing is served, and it is fetched again."""
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)

    async def gone(*_: object) -> None:
        raise Unavailable("The database went away.")

    with monkeypatch.context() as broken:
        broken.setattr(Catalogue, "hold", gone)
        assert (await house.ask(path)).status == 503
    assert len(house.blobs()) == 2  # the wheel, and its metadata
    assert not house.rows("ingest")
    await house.restart()
    await upstream.stop()
    assert (await house.ask(path)).status == 502
    await upstream.__aenter__()
    house.clock.advance(minutes=5)
    assert (await house.ask(path)).is_whole(WHEEL.data)
    house.require_sound()


async def test_orphans_are_swept_and_what_another_is_writing_is_not(house: House) -> None:
    old, young = house.volume / "tmp" / ("a" * 32), house.volume / "tmp" / ("b" * 32)
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - 7 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    await house.restart()
    assert [path.name for path in house.temp_files()] == [young.name]


async def test_pins_survive(house: House, upstream: LyingUpstream) -> None:
    """What was seen first is what counts, also by an appliance that was started since."""
    upstream.add(WHEEL)
    await house.learn(WHEEL)
    await house.restart()
    upstream.add(make_wheel("demo", "1.0", modules={"evil.py": ""}))
    house.clock.advance(hours=1)
    await house.index("demo")
    assert (await house.ask(path_of(WHEEL))).status == 403
    assert "changed-digest" in house.alarms()


async def test_an_upload_that_was_cut_short_is_mended_by_the_same_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F32: the back end has the bytes, the row is missing: nothing is listed, and the same upload completes it."""
    wheel, tarball = make_wheel("acme-app", "1.0"), make_tarball("@acme/app", "1.0.0")

    async def gone(*_: object, **__: object) -> None:
        raise Unavailable("The database went away.")

    with monkeypatch.context() as broken:
        broken.setattr(Catalogue, "publish", gone)
        assert (await house.upload(wheel)).status == 503
        assert (await house.publish(tarball)).status == 503
    await house.restart()
    assert (await house.ask("/pypi/simple/acme-app/")).status == 404
    assert (await house.upload(wheel)).status == 200
    assert (await house.publish(tarball)).status == 201
    for package in (wheel, tarball):
        assert (await house.fetch(package)).is_whole(package.data)
