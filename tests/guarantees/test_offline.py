"""Offline on purpose: what is here is served, and not one byte goes out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.guarantees.house import JSON, House, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

HERE, ELSEWHERE = make_wheel("demo", "1.0"), make_wheel("other", "1.0")
HERE_JS = make_tarball("tool", "1.0.0")


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
