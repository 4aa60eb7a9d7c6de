"""Offline on purpose: what is here is served, and not one byte goes out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.guarantees.house import JSON, House, open_house, path_of
from tests.upstream import LyingUpstream, faults, make_tarball, make_wheel

HERE, ELSEWHERE = make_wheel("demo", "1.0"), make_wheel("other", "1.0")
HERE_JS = make_tarball("tool", "1.0.0")


class Watch:
    """Every look-up of a name and every connection of this process, as the interpreter itself reports them."""

    def __init__(self) -> None:
        self.watching = False
        self.seen: list[tuple[str, Any]] = []
        sys.addaudithook(self._hear)  # for ever: hooks can't be removed

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event == "socket.connect":
            self.seen.append(("connection", args[1]))
        elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
            self.seen.append(("look-up", args[0]))

    @contextmanager
    def __call__(self) -> Iterator[list[tuple[str, Any]]]:
        self.seen.clear()
        self.watching = True
        try:
            yield self.seen
        finally:
            self.watching = False


watched = Watch()


async def turn(house: House, on: str) -> Any:
    got = await house.ask(
        "/api/v1/offline",
        method="PUT",
        headers={**house.admin, "Content-Type": "application/json"},
        data=json.dumps({"on": on == "on", "reason": "the link is being moved"}),
    )
    assert got.status == 200
    return got.json


@pytest.fixture
async def stocked(house: House, upstream: LyingUpstream) -> House:
    upstream.add(HERE, ELSEWHERE, HERE_JS)
    for package in (HERE, HERE_JS):
        assert (await house.fetch(package)).is_whole(package.data)
    return house


async def test_nothing_goes_out_and_what_is_here_is_served(stocked: House, upstream: LyingUpstream) -> None:
    house = stocked
    assert await turn(house, "on") == {"offline": True}
    asked = len(upstream.requests)
    house.clock.advance(hours=30)
    simple = await house.ask("/pypi/simple/demo/", headers=JSON)
    assert (simple.status, simple.headers["X-Cache"], simple.headers["Age"]) == (200, "OFFLINE", "108000")
    packument = await house.ask("/npm/tool")
    assert (packument.status, packument.headers["X-Cache"]) == (200, "OFFLINE")
    for package in (HERE, HERE_JS):
        assert (await house.ask(path_of(package))).is_whole(package.data)
    for path in ("/pypi/simple/other/", "/npm/other", path_of(ELSEWHERE)):
        got = await house.ask(path)
        assert (got.status, "this appliance is offline" in got.reason) == (503, True), path
        assert got.headers["Retry-After"]
    await house.ask("/api/v1/doctor", headers=house.admin)
    ready = (await house.ask("/-/ready")).json
    assert (ready["ready"], ready["offline"]) == (True, True)
    await asyncio.sleep(0)
    assert len(upstream.requests) == asked


async def test_it_holds_over_a_restart_and_ends_at_once(stocked: House, upstream: LyingUpstream) -> None:
    house = stocked
    await turn(house, "on")
    await house.restart()
    asked = len(upstream.requests)
    assert (await house.ask("/pypi/simple/other/")).status == 503
    assert len(upstream.requests) == asked
    assert await turn(house, "off") == {"offline": False}
    assert (await house.fetch(ELSEWHERE)).is_whole(ELSEWHERE.data)


async def test_publishing_goes_on(stocked: House) -> None:
    house = stocked
    await turn(house, "on")
    ours = make_wheel("ours", "1.0")
    assert (await house.upload(ours)).status == 200
    assert (await house.fetch(ours)).is_whole(ours.data)


async def test_each_turn_is_logged_once_with_its_reason(stocked: House) -> None:
    house = stocked
    for on in ("on", "on", "off"):
        await turn(house, on)
    acts = [row["detail"] for row in house.rows("admin") if "offline" in str(row["detail"].get("action"))]
    assert [(act["action"], act["before"], act["after"]) for act in acts] == [
        ("offline.on", "online", "offline"),
        ("offline.off", "offline", "online"),
    ]
    assert {act["reason"] for act in acts} == {"the link is being moved"}


@pytest.fixture
async def named(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[House]:
    """A house whose upstream has a name, which has to be looked up."""
    by_name = {
        f"REGISTRY_{which}_UPSTREAM": url.replace("127.0.0.1", "localhost")
        for which, url in (("PYPI", upstream.url_pypi), ("NPM", upstream.url_npm))
    }
    async with open_house(tmp_path, upstream, by_name) as opened:
        opened.environ["REGISTRY_PYPI_FILE_HOSTS"] = "127.0.0.1"
        yield opened


def outward(house: House, seen: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Without what a test does as a client, and what goes to the private back ends."""
    ours = {
        house.address[1],
        *(int(end.url.rstrip("/").rpartition(":")[2]) for end in (house.pypiserver, house.verdaccio)),
    }
    return [(what, where) for what, where in seen if not (isinstance(where, tuple) and where[1] in ours)]


async def test_there_is_no_look_up_and_no_connection(named: House, upstream: LyingUpstream) -> None:
    upstream.add(HERE, HERE_JS)
    with watched() as seen:
        await named.index("demo")
        assert {what for what, _ in outward(named, seen)} == {"look-up", "connection"}, "the watch sees"
    await turn(named, "on")
    await named.restart()
    named.clock.advance(hours=30)
    with watched() as seen:
        for path in ("/pypi/simple/demo/", "/pypi/simple/other/", "/npm/tool", "/npm/other", path_of(HERE)):
            await named.ask(path, headers=JSON if "simple" in path else {})
        for path in ("/-/ready", "/npm/-/npm/v1/keys", "/npm/-/v1/search?text=tool", "/npm/-/ping", "/"):
            await named.ask(path)
        await named.ask(
            "/npm/-/npm/v1/security/advisories/bulk",
            method="POST",
            headers={"Content-Type": "application/json"},
            data=json.dumps({"tool": ["1.0.0"]}),
        )
        await named.ask("/api/v1/doctor", headers=named.admin)
        await named.upload(make_wheel("ours", "1.0"))
        assert outward(named, seen) == []


def connections_to(upstream: LyingUpstream) -> int:
    """Those of this process that are open, as the system has it (proc(5))."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{upstream.port:04X}") and row[3] == "01" for row in rows)


async def test_what_is_on_its_way_is_broken_off(house: House, upstream: LyingUpstream) -> None:
    """A file halfway and an index that is being waited for: neither upstream connection is left."""
    large = make_wheel("large", "1.0", padding=500_000)
    upstream.add(large, ELSEWHERE)
    path = await house.learn(large)
    upstream.lie(faults.drip(100_000, 3600), "/files/*")
    upstream.lie(faults.silent, "/simple/other/")
    waiting = [asyncio.create_task(house.ask(each)) for each in (path, "/pypi/simple/other/")]
    while len(upstream.requests) < 3:  # noqa: ASYNC110 - both are under way
        await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    assert connections_to(upstream) > 0
    await turn(house, "on")
    for got in await asyncio.gather(*waiting):
        assert (got.status, "this appliance is offline" in got.reason) == (503, True), got.reason
    assert connections_to(upstream) == 0
    assert not house.temp_files()
    upstream.heal()
    await turn(house, "off")
    house.clock.advance(seconds=2)
    assert (await house.ask(path)).is_whole(large.data)
    assert (await house.fetch(ELSEWHERE)).is_whole(ELSEWHERE.data)
