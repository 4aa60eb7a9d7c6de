"""F28: whatever the machine's clock is set to, nothing is released by it, and everybody is told."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.guarantees.crew import Crew, open_crew
from tests.guarantees.house import House, path_of
from tests.upstream import Distribution, LyingUpstream, Tarball, make_tarball, make_wheel

DAY = timedelta(days=1)


def young(house: House, upstream: LyingUpstream) -> tuple[Distribution, Tarball]:
    """Of yesterday, so held for two more days, beside older ones."""
    old, tall = make_wheel("demo", "1.0"), make_tarball("tool", "1.0.0")
    old.published = tall.published = (house.clock.now() - 400 * DAY).isoformat()
    wheel, tarball = make_wheel("demo", "2.0"), make_tarball("tool", "2.0.0")
    wheel.published = tarball.published = (house.clock.now() - DAY).isoformat()
    upstream.add(old, tall, wheel, tarball)
    return wheel, tarball


async def passing(house: House, *packages: Distribution | Tarball) -> list[bool]:
    """Whether each is let through by every door."""
    found = []
    for package in packages:
        index = "/pypi/simple/demo/" if isinstance(package, Distribution) else "/npm/tool"
        got = await house.ask(index, headers={"Accept": "application/vnd.pypi.simple.v1+json, */*;q=0.1"})
        listed = b'"yanked"' not in got.body and b"held until" not in got.body
        file = await house.ask(path_of(package))
        assert file.status in {200, 403}
        assert (file.status == 200) == listed, got.body
        found.append(listed)
    return found


async def api(house: House, method: str, path: str, **said: Any) -> Any:
    headers = {**house.admin, "Content-Type": "application/json"}
    data = json.dumps(said) if said else None
    got = await house.ask(f"/api/v1{path}", method=method, headers=headers, data=data)
    assert got.status in {200, 201}, got.body
    return got.json


async def problem(house: House) -> str | None:
    """What /-/ready says of the clock."""
    ready = await house.ask("/-/ready")
    said: str | None = ready.json["parts"]["clock"]["problem"]
    assert ready.status == 503 or said is None
    return said


async def alarmed(house: House, what: str) -> dict[str, Any]:
    """The alarm's row; the clock is looked at every second."""
    async with asyncio.timeout(20):
        while what not in house.alarms():  # noqa: ASYNC110  the log tells nobody
            await asyncio.sleep(0.02)
    return next(row for row in house.rows("alarm") if row["detail"].get("alarm") == what)


async def test_a_leap_releases_nothing_at_any_door_and_the_hold_ends_when_its_time_has_run(
    house: House, upstream: LyingUpstream
) -> None:
    packages = young(house, upstream)
    assert await passing(house, *packages) == [False, False]
    house.clock.set(days=3_650)
    assert await passing(house, *packages) == [False, False]
    assert "The machine's clock says 2036-11-18 12:00:00 UTC" in str(await problem(house))
    assert (await alarmed(house, "clock_ahead"))["at"].startswith("2026-11-21T12:0")
    metrics = await house.ask("/metrics", headers=house.admin)
    assert b'registry_part_ready{part="clock"} 0.0' in metrics.body
    house.clock.advance(days=2)
    assert await passing(house, *packages) == [True, True]
    house.clock.set(days=-3_650)
    assert await problem(house) is None


async def test_while_the_clock_is_behind_nothing_is_released_and_no_row_is_dated_back(
    house: House, upstream: LyingUpstream
) -> None:
    packages = young(house, upstream)
    upstream.add(make_wheel("other", "1.0"))
    house.clock.advance(days=1, hours=23, minutes=59)
    assert await passing(house, *packages) == [False, False]
    house.clock.set(hours=-1)
    house.clock.advance(minutes=30)
    assert await passing(house, *packages) == [False, False]
    assert (await house.fetch(make_wheel("other", "1.0"))).status == 200
    assert "it was 2026-11-23 11:59:00 UTC before" in str(await problem(house))
    await alarmed(house, "clock_behind")
    times = [row["at"] for kind in ("ingest", "alarm", "delivery") for row in house.rows(kind)]
    assert set(times) == {"2026-11-23T11:59:00.000000Z"}
    doctor = (await api(house, "GET", "/doctor"))["checks"]
    (said,) = [check for check in doctor if check["name"] == "clock"]
    assert (said["ok"], "registry clock status" in said["remedy"]) == (False, True)


async def test_what_has_ended_does_not_count_again(house: House, upstream: LyingUpstream) -> None:
    packages = young(house, upstream)
    for ecosystem, name in (("pypi", "demo"), ("npm", "tool")):
        await api(
            house,
            "POST",
            "/policy/entries",
            ecosystem=ecosystem,
            kind="exempt",
            rule="age",
            pattern=name,
            reason="needed today",
            days=1,
        )
    made = await api(house, "POST", "/tokens", account="admin", scope="admin", days=1)
    bearer = {"Authorization": f"Bearer {made['text']}"}
    assert (await house.ask("/api/v1/doctor", headers=bearer)).status == 200
    assert await passing(house, *packages) == [True, True]
    house.clock.advance(hours=25)
    for _ in range(2):
        assert await passing(house, *packages) == [False, False]
        assert (await house.ask("/api/v1/doctor", headers=bearer)).status == 401
        house.clock.set(hours=-25)
        await house.restart()


async def test_an_admin_declares_the_clock_right_which_is_in_the_log_and_shown_at_every_door(
    house: House, upstream: LyingUpstream
) -> None:
    packages = young(house, upstream)
    house.clock.set(days=3_650)
    assert await passing(house, *packages) == [False, False]
    stands = await api(house, "PUT", "/clock", reason="it had stood still")
    assert (stands["state"], stands["time"][:4]) == ("right", "2036")
    assert await passing(house, *packages) == [True, True]
    house.clock.set(days=-3_650)
    assert await problem(house)
    assert await passing(house, *packages) == [True, True]
    await api(house, "PUT", "/clock", reason="no, it hadn't")
    assert await passing(house, *packages) == [False, False]
    assert await problem(house) is None
    acts = [row for row in house.rows("admin") if row["detail"].get("action") == "clock.accept"]
    assert [(act["at"][:4], act["detail"]["reason"]) for act in acts] == [
        ("2036", "it had stood still"),
        ("2026", "no, it hadn't"),
    ]


LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.fixture
def faketime() -> dict[str, str]:
    if not LIBRARIES:
        assert "TOOLS_REQUIRED" not in os.environ, "Debian's faketime isn't installed"
        pytest.skip("faketime isn't installed here")
    return {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


async def test_a_program_whose_clock_is_set_while_it_runs_and_between_two_starts(
    tmp_path: Path, upstream: LyingUpstream, faketime: dict[str, str]
) -> None:
    """Two processes on one port, and a clock that is set for both of them at once."""
    said = tmp_path / "clock"
    said.write_text("+0")
    environ = {**faketime, "FAKETIME_TIMESTAMP_FILE": str(said)}
    async with open_crew(tmp_path, upstream, environ) as crew:
        crew.excused = True  # libfaketime breaks off a sleep that spans a change
        assert await problem(crew) is None
        said.write_text("-1h")
        await _each_says(crew, "behind")
        await alarmed(crew, "clock_behind")
        said.write_text("+10y")
        await _each_says(crew, "ahead")
        await alarmed(crew, "clock_ahead")
        await crew.restart()
        await _each_says(crew, "ahead")
        await crew.stop()
        said.write_text("-1h")
        await crew.start()
        await _each_says(crew, "behind")
        await api(crew, "PUT", "/clock", reason="it is")
        await _each_says(crew, "right")
        assert await problem(crew) is None


async def _each_says(crew: Crew, state: str) -> None:
    for worker in range(crew.workers):
        async with crew.only(worker), asyncio.timeout(20):
            while (await api(crew, "GET", "/clock"))["state"] != state:  # noqa: ASYNC110  within a second
                await asyncio.sleep(0.05)
