"""What upstream takes back is told, whoever holds it, and by policy is given to nobody."""

from __future__ import annotations

import json

import pytest

from tests.guarantees.house import House, path_of
from tests.policy.worlds import GUARDED
from tests.upstream import LyingUpstream, make_tarball, make_wheel
from tests.upstream.faults import Answer, status

KEPT, OTHER = make_wheel("demo", "1.0"), make_wheel("demo", "1.1")
KEPT_JS, OTHER_JS = make_tarball("tool", "1.0.0"), make_tarball("tool", "1.1.0")
HOLDING = f'{GUARDED}\n[rules]\nremoved = "hold"\nyanked = "deny"\n'

QUARANTINED = {
    "meta": {"api-version": "1.4"},
    "name": "demo",
    "project-status": {"status": "quarantined", "reason": "malware"},
    "files": [],
    "versions": [],
}


def told(house: House) -> list[tuple[str, str]]:
    return [
        (row["filename"], row["detail"]["how"])
        for row in house.rows("alarm")
        if row["detail"].get("alarm") == "withdrawn"
    ]


async def look_again(house: House, path: str) -> None:
    house.clock.advance(hours=2)
    await house.ask(path)


@pytest.fixture
async def stocked(house: House, upstream: LyingUpstream) -> House:
    """One file of each project is here, another one isn't."""
    upstream.add(KEPT, OTHER, KEPT_JS, OTHER_JS)
    for package in (KEPT, KEPT_JS):
        assert (await house.fetch(package)).is_whole(package.data)
    return house


async def test_a_removed_version_is_an_alarm_if_it_is_here_and_is_served_unless_policy_holds_it(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    upstream.python["demo"], upstream.npm["tool"] = [OTHER], [OTHER_JS]
    await look_again(house, "/pypi/simple/demo/")
    await look_again(house, "/npm/tool")
    assert told(house) == [(KEPT.filename, "removed"), (KEPT_JS.filename, "removed")]
    for package in (KEPT, KEPT_JS):
        assert (await house.ask(path_of(package))).is_whole(package.data)
    await house.decree(HOLDING)
    for package in (KEPT, KEPT_JS):
        got = await house.ask(path_of(package))
        assert (got.status, b"no longer offered" in got.body + got.reason.encode()) == (403, True)
    upstream.add(KEPT, KEPT_JS)
    await look_again(house, "/pypi/simple/demo/")
    assert (await house.ask(path_of(KEPT))).is_whole(KEPT.data), "it came back with the same bytes"
    assert len(told(house)) == 2


async def test_a_project_that_vanished_altogether_is_told_the_same(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    upstream.lie(status(404))
    await look_again(house, "/pypi/simple/demo/")
    await look_again(house, "/pypi/simple/demo/")
    assert told(house) == [(KEPT.filename, "removed")]
    assert (await house.ask(path_of(KEPT))).is_whole(KEPT.data)


async def test_a_quarantined_project_is_given_to_nobody(stocked: House, upstream: LyingUpstream) -> None:
    house = stocked
    said = (("Content-Type", "application/vnd.pypi.simple.v1+json"),)
    quarantined = Answer(headers=said, body=json.dumps(QUARANTINED).encode())
    upstream.lie(lambda _: quarantined, "/simple/demo/")
    await look_again(house, "/pypi/simple/demo/")
    assert told(house) == [(KEPT.filename, "quarantined")]
    got = await house.ask(path_of(KEPT))
    assert (got.status, "was quarantined by its index" in got.reason) == (403, True)
    upstream.heal()
    await look_again(house, "/pypi/simple/demo/")
    assert (await house.ask(path_of(KEPT))).is_whole(KEPT.data)


async def test_a_yanked_file_is_an_alarm_once_and_by_policy_refused(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    again = make_wheel("demo", "1.0")
    again.yanked = "broken"
    upstream.add(again)
    await look_again(house, "/pypi/simple/demo/")
    await look_again(house, "/pypi/simple/demo/")
    assert told(house) == [(KEPT.filename, "yanked")]
    assert (await house.ask(path_of(KEPT))).status == 200
    await house.decree(HOLDING)
    got = await house.ask(path_of(KEPT))
    assert (got.status, "was yanked: broken" in got.reason) == (403, True)
