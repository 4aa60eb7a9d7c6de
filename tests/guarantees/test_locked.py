"""F18: while another program keeps the database locked, what is here can be read, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from tests.guarantees.house import House, path_of
from tests.locking import locked
from tests.upstream import LyingUpstream, make_tarball, make_wheel


async def test_indexes_are_answered_and_what_has_to_be_recorded_is_refused_in_time_until_the_lock_is_gone(
    house: House, upstream: LyingUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    kept, cold = make_wheel("demo", "1.0"), make_tarball("tool", "1.0.0")
    upstream.add(kept, cold, make_wheel("new", "1.0"))
    assert (await house.fetch(kept)).is_whole(kept.data)
    await house.decree(
        '[pypi]\nmode = "guarded"\ndeny = [{ name = "banned", reason = "never" }]\n[npm]\nmode = "guarded"\n'
    )
    before = len(house.rows("delivery"))
    with locked(house.data / "registry.db") as pid:
        writing = [
            asyncio.create_task(house.ask(path))
            for path in ("/npm/tool", path_of(kept), path_of(cold), "/pypi/simple/new/")
        ]
        refused = asyncio.create_task(house.ask("/pypi/simple/banned/"))
        assert (await house.index("demo"))["files"]
        assert (await house.ask("/-/live")).status == 200
        assert (await house.ask("/", headers=house.admin)).status == 200
        assert not any(task.done() for task in writing)
        for got in await asyncio.gather(*writing):
            assert (got.status, got.body.count(b"PK\x03\x04")) == (503, 0), got.body
            assert int(got.headers["Retry-After"]) <= 60
            assert b"locked by another program" in got.body
        assert (await refused).status in {200, 403}
        assert f"process {pid} (python" in caplog.text
        assert len(house.rows("delivery")) == before
    for package in (kept, cold):
        assert (await house.fetch(package)).is_whole(package.data)
    assert len(house.rows("delivery")) == before + 2
    async with asyncio.timeout(10):
        while not house.rows("refusal"):  # noqa: ASYNC110  written once it can be
            await asyncio.sleep(0.02)
    house.require_sound()
    verified = await house.ask("/api/v1/audit/verify", headers=house.admin)
    assert verified.json["intact"]
