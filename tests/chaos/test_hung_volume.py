"""F9: a volume that hangs, as a dead NAS does, stops files and nothing else; and it comes back by itself.

The volume is a FUSE mount whose server is stopped: each call that reaches it waits in the kernel.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from registry.storage import pool
from registry.storage.volume import Volume
from tests.chaos.mounts import Distant, distant, require_mounting
from tests.guarantees.house import JSON, Got, House, open_house, path_of
from tests.upstream import LyingUpstream, make_wheel

SMALL, COLD = make_wheel("small", "1.0"), make_wheel("cold", "1.0")
LARGE = make_wheel("large", "1.0", padding=40_000_000)
PATIENCE = 3.0
"""Seconds after which a call counts as hanging here: longer than everything else takes, shorter than usual."""


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[Distant]:
    require_mounting()
    behind = tmp_path / "behind"
    behind.mkdir()
    with distant(behind, tmp_path / "data" / "volume") as mounted:
        yield mounted


@pytest.fixture
async def house(
    nas: Distant, tmp_path: Path, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setitem(Volume.__init__.__kwdefaults__ or {}, "patience", PATIENCE)
    monkeypatch.setattr(pool, "_SHORT", 0.2)
    upstream.add(SMALL, LARGE, COLD)
    async with open_house(tmp_path, upstream) as opened:
        for wheel in (SMALL, LARGE):
            assert (await opened.fetch(wheel)).is_whole(wheel.data)
        await opened.learn(COLD)
        yield opened


def volume_threads() -> int:
    return sum(thread.name == "registry the LAN volume" for thread in threading.enumerate())


async def test_files_wait_and_everything_else_goes_on(house: House, nas: Distant) -> None:
    with nas.hanging():
        files = [
            asyncio.create_task(house.ask(path_of(wheel), headers=headers))
            for wheel in (SMALL, LARGE, COLD)
            for headers in ({}, {"Range": "bytes=5-9"})
        ]
        others = [
            await house.ask("/-/live"),
            await house.ask("/"),
            *[await house.ask(f"/pypi/simple/{name}/", headers=JSON) for name in ("small", "large", "cold")],
            await house.upload(make_wheel("ours", "1.0")),
            await house.ask(path_of(make_wheel("ours", "1.0"))),
            await house.ask("/api/v1/cache", headers=house.admin),
        ]
        assert [other.status for other in others] == [200] * len(others)
        assert not any(file.done() for file in files), "all of this while the files were hanging"
        for got in await asyncio.gather(*files):
            assert (got.status, "does not answer" in got.reason) == (503, True)
            assert got.headers["Retry-After"]
        ready = await house.ask("/-/ready")
        assert (ready.status, ready.json["parts"]["volume"]["ready"]) == (503, False)


async def test_however_many_ask_it_costs_a_few_threads_and_ends_when_the_volume_is_back(
    house: House, nas: Distant
) -> None:
    with nas.hanging():
        asked = [house.ask(path_of(wheel)) for wheel in (SMALL, LARGE) for _ in range(50)]
        asked += [house.ask("/-/ready") for _ in range(20)]
        assert {got.status for got in await asyncio.gather(*asked)} == {503}
        assert volume_threads() <= 8
    for wheel in (SMALL, LARGE, COLD):
        assert (await until_served(house, path_of(wheel))).is_whole(wheel.data)
    assert (await house.ask("/-/ready")).status == 200
    house.require_sound()


async def test_a_file_that_is_being_sent_breaks_off_and_never_looks_complete(
    house: House, nas: Distant
) -> None:
    response = await house.begin(path_of(LARGE))
    begun = await response.content.readany()
    with nas.hanging():
        with pytest.raises(Exception, match=r".+") as caught:
            begun += await response.content.read()
        assert "payload" in str(caught.value).lower() or isinstance(caught.value, ConnectionError)
    response.close()
    assert len(begun) < len(LARGE.data)
    assert (await until_served(house, path_of(LARGE))).is_whole(LARGE.data)


async def test_an_appliance_that_is_started_meanwhile_serves_what_does_not_lie_there(
    house: House, nas: Distant, upstream: LyingUpstream
) -> None:
    assert (await house.upload(make_wheel("ours", "1.0"))).status == 200
    with nas.hanging():
        await house.restart()
        assert (await house.ask("/-/live")).status == 200
        upstream.add(make_wheel("unseen", "1.0"))
        for name in ("small", "large", "cold", "unseen"):
            await house.index(name)
        assert (await house.fetch(make_wheel("ours", "1.0"))).status == 200
        assert (await house.ask(path_of(SMALL))).status == 503
    assert (await until_served(house, path_of(SMALL))).is_whole(SMALL.data)


async def until_served(house: House, path: str) -> Got:
    got = await house.ask(path)
    while got.status == 503:
        got = await house.ask(path)
    return got
