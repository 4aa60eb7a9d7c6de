"""I10: what is here is served whatever happened to the upstream; what isn't gets a reason, and never a 404.

Rows U12 to U17.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.pipeline import freshness
from tests.guarantees.house import JSON, House, open_house, path_of
from tests.upstream import Distribution, Fault, LyingUpstream, Tarball, faults, make_tarball, make_wheel

WHEEL = make_wheel("demo", "1.0", padding=100_000)
TARBALL = make_tarball("@team/tool", "1.0.0")
UNSEEN = (make_wheel("unseen", "1.0"), make_tarball("unseen", "1.0.0"), make_tarball("@team/unseen", "1.0.0"))
UNSEEN_PAGES = ("/pypi/simple/unseen/", "/npm/unseen", "/npm/@team%2funseen")

OUTAGES: dict[str, tuple[Fault | None, int]] = {
    "U13 500": (faults.status(500), 502),
    "U13 502": (faults.status(502), 502),
    "U13 503": (faults.status(503), 502),
    "U13 504": (faults.status(504), 502),
    "U14 429 with Retry-After": (faults.status(429, retry_after="3600"), 503),
    "U14 503 with Retry-After": (faults.status(503, retry_after="3600"), 503),
    "U15 never answers": (faults.silent, 504),
    "U16 one byte a second": (faults.drip(1, 0.5), 502),
    "U17 refused": (None, 502),
    "U17 reset at once": (faults.reset_before_headers, 502),
    "U17 reset after the headers": (faults.reset_after_headers, 502),
    "U17 reset halfway": (faults.reset_halfway, 502),
    "cut off": (faults.truncated, 502),
    "no document but a login page": (faults.body(b"<html>log in", "text/html"), 502),
    "no HTTP": (faults.raw(b"SSH-2.0-OpenSSH\r\n"), 502),
}


@pytest.fixture
async def house(
    tmp_path: Path, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[House]:
    """With little patience where only time reveals the fault; else a busy machine would look like one."""
    monkeypatch.setattr(freshness, "PATIENCE", 0.05)
    timed = any(row in request.node.name for row in ("U15", "U16"))
    seconds = "0.3" if timed else "5"
    names = ("FIRST_BYTE_TIMEOUT", "STALL_TIMEOUT", "CONNECT_TIMEOUT")
    limits = {f"REGISTRY_{each}_{name}": seconds for each in ("PYPI", "NPM") for name in names}
    async with open_house(tmp_path, upstream, limits) as opened:
        yield opened


async def begin(upstream: LyingUpstream, fault: Fault | None) -> None:
    if fault is None:
        await upstream.stop()
    else:
        upstream.lie(fault)


@pytest.mark.parametrize("outage", OUTAGES)
async def test_what_is_here_is_served_and_what_is_not_gets_a_reason(
    house: House, upstream: LyingUpstream, outage: str
) -> None:
    fault, status = OUTAGES[outage]
    upstream.validators = False
    upstream.add(WHEEL, TARBALL, *UNSEEN)
    for package in (WHEEL, TARBALL):
        assert (await house.fetch(package)).is_whole(package.data)
    await begin(upstream, fault)
    house.clock.advance(days=30)
    await _served(house, "STALE")
    for path in UNSEEN_PAGES:
        got = await house.ask(path, headers=JSON if "simple" in path else {})
        assert got.status == status or (got.status == 503 and "Retry-After" in got.headers)
        assert "upstream" in got.reason
        assert not got.body.startswith(b"<")
    await house.restart()
    await _served(house, "STALE")


async def _served(house: House, state: str) -> None:
    for package in (WHEEL, TARBALL):
        page = _page_of(package)
        got = await house.ask(page, headers=JSON if package is WHEEL else {})
        assert (got.status, got.headers["X-Cache"]) == (200, state)
        assert int(got.headers["Age"]) >= 30 * 24 * 3600
        assert (await house.ask(path_of(package))).is_whole(package.data)
    metadata = await house.ask(f"{path_of(WHEEL)}.metadata")
    assert metadata.is_whole(WHEEL.metadata or b"")


def _page_of(package: Distribution | Tarball) -> str:
    return "/pypi/simple/demo/" if isinstance(package, Distribution) else "/npm/@team%2ftool"


async def test_a_file_that_is_not_here_is_a_failure_and_no_404(house: House, upstream: LyingUpstream) -> None:
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    await upstream.stop()
    got = await house.ask(path)
    assert (got.status, "upstream" in got.reason) == (502, True)
    assert (await house.ask("/pypi/files/unseen/unseen-1.0-py3-none-any.whl")).status in {502, 503}


@pytest.mark.parametrize("fault", [faults.status(500), faults.status(502), faults.reset_before_headers])
async def test_a_passing_failure_is_not_noticed(house: House, upstream: LyingUpstream, fault: Fault) -> None:
    """U12: one retry."""
    upstream.add(WHEEL)
    upstream.lie(fault, "/simple/*", times=1)
    upstream.lie(fault, "/files/*", times=1)
    assert (await house.fetch(WHEEL)).is_whole(WHEEL.data)


async def test_retry_after_is_passed_on_and_kept_for_all(house: House, upstream: LyingUpstream) -> None:
    """U14."""
    upstream.add(WHEEL)
    upstream.lie(faults.status(429, retry_after="3600"))
    got = await house.ask("/pypi/simple/demo/")
    assert (got.status, got.headers["Retry-After"]) == (503, "3600")
    house.clock.advance(seconds=600)
    assert (await house.ask("/pypi/simple/other/")).headers["Retry-After"] == "3000"
    assert len(upstream.requests) == 1


async def test_a_dead_upstream_is_left_alone_and_found_again(house: House, upstream: LyingUpstream) -> None:
    """U13: the breaker, and no thundering herd."""
    upstream.add(WHEEL)
    upstream.lie(faults.status(504))
    await asyncio.gather(*(house.ask(f"/pypi/simple/n{number}/") for number in range(20)))
    before = len(upstream.requests)
    got = await asyncio.gather(*(house.ask(f"/pypi/simple/m{number}/") for number in range(20)))
    assert {each.status for each in got} == {503}
    assert len(upstream.requests) == before
    upstream.heal()
    house.clock.advance(seconds=600)
    assert (await house.fetch(WHEEL)).is_whole(WHEEL.data)


async def test_a_name_that_vanished_upstream_stays_for_who_locked_it(
    house: House, upstream: LyingUpstream
) -> None:
    """U34: a 404 for a known name isn't an order to break builds."""
    upstream.add(WHEEL)
    await house.fetch(WHEEL)
    del upstream.python["demo"]
    house.clock.advance(hours=1)
    assert [file["filename"] for file in (await house.index("demo"))["files"]] == [WHEEL.filename]
    assert (await house.ask(path_of(WHEEL))).is_whole(WHEEL.data)


async def test_publishing_needs_no_upstream(house: House, upstream: LyingUpstream) -> None:
    await upstream.stop()
    wheel, tarball = make_wheel("acme-app", "1.0"), make_tarball("@acme/app", "1.0.0")
    assert (await house.upload(wheel)).status == 200
    assert (await house.publish(tarball)).status == 201
    for package in (wheel, tarball):
        assert (await house.fetch(package)).is_whole(package.data)
