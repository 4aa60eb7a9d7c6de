"""Observe mode: nothing is refused, and everything that would have been is on record with its reason."""

from __future__ import annotations

import json

import pytest

from tests.guarantees.house import House
from tests.policy.worlds import GUARDED
from tests.upstream import Distribution, LyingUpstream, Tarball, make_sdist, make_tarball, make_wheel

OBSERVING = (
    GUARDED.replace("guarded", "observe")
    .replace("[npm]", 'deny = [{ name = "demo", reason = "it leaks" }, "late<3"]\n[npm]')
    .replace(
        '[npm]\nmode = "observe"\n',
        '[npm]\nmode = "observe"\ndeny = [{ name = "demo", reason = "it leaks" }]\n',
    )
    + '[rules]\nscripts = "deny"\nunattested = "hide"\npublisher = "deny"\nattestation = "deny"\n'
)
YOUNG = make_wheel("late", "2.0")
YOUNG.published = "2026-11-21T11:00:00Z"
FILES: dict[str, tuple[Distribution | Tarball, str]] = {
    "denied": (make_wheel("demo", "1.0"), "denylist"),
    "denied, npm": (make_tarball("demo", "1.0.0"), "denylist"),
    "look-alike": (make_wheel("reqeusts", "1.0"), "lookalike"),
    "look-alike, npm": (make_tarball("loadsh", "1.0.0"), "lookalike"),
    "young": (YOUNG, "age"),
    "sdist": (make_sdist("plain", "1.0"), "scripts"),
    "unattested": (make_wheel("plain", "1.0"), "unattested"),
}


@pytest.mark.parametrize("case", FILES)
async def test_what_would_have_been_refused_is_served_and_recorded(
    case: str, house: House, upstream: LyingUpstream
) -> None:
    package, rule = FILES[case]
    upstream.add(package)
    await house.decree(OBSERVING)
    assert (await house.fetch(package)).is_whole(package.data)
    decisions = [json.loads(row[0]) for row in house.query("SELECT decision FROM explanation")]
    assert rule in {objection["rule"] for decision in decisions for objection in decision["objections"]}
    assert [row["filename"] for row in house.rows("delivery")] == [package.filename]


async def test_nothing_is_marked_or_left_out_of_an_index(house: House, upstream: LyingUpstream) -> None:
    upstream.add(YOUNG, make_wheel("late", "1.0"), make_tarball("demo", "1.0.0"))
    await house.decree(OBSERVING)
    files = (await house.index("late"))["files"]
    assert [bool(file.get("yanked")) for file in files] == [False, False]
    packument = (await house.ask("/npm/demo")).json
    assert (list(packument["versions"]), "policyRestrictions" in packument) == (["1.0.0"], False)
