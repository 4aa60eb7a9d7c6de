"""What is too young waits at every door, says why, and is let in by time alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.guarantees.house import House, path_of
from tests.policy.worlds import GUARDED
from tests.upstream import Distribution, LyingUpstream, Tarball, make_sdist, make_tarball, make_wheel

DAY = timedelta(days=1)


def ago(house: House, **time: float) -> str:
    moment: datetime = house.clock.now() - timedelta(**time)
    return moment.isoformat().replace("+00:00", "Z")


def wheel(version: str, published: str | None) -> Distribution:
    made = make_wheel("demo", version)
    made.published = published
    return made


def tarball(version: str, published: str | None) -> Tarball:
    made = make_tarball("tool", version)
    made.published = published
    return made


async def packument(house: House) -> Any:
    got = await house.ask("/npm/tool")
    assert got.status == 200, got.reason
    return got.json


async def test_a_young_python_version_is_yanked_with_the_reason_until_its_time_has_come(
    house: House, upstream: LyingUpstream
) -> None:
    young = wheel("2.0", ago(house, days=1))
    upstream.add(wheel("1.0", ago(house, days=400)), young)
    files = {file["filename"]: file for file in (await house.index("demo"))["files"]}
    assert "published 2026-11-20, held until it is 3 days old" in files[young.filename]["yanked"]
    assert not files["demo-1.0-py3-none-any.whl"].get("yanked")
    for method in ("GET", "HEAD"):
        got = await house.ask(path_of(young), method=method)
        assert (got.status, got.reason[:5]) == (403, "Held:")
    house.clock.advance(days=2)
    files = {file["filename"]: file for file in (await house.index("demo"))["files"]}
    assert not files[young.filename].get("yanked")
    assert (await house.ask(path_of(young))).is_whole(young.data)


async def test_a_young_npm_version_is_told_and_latest_falls_back(
    house: House, upstream: LyingUpstream
) -> None:
    young = tarball("2.0.0", ago(house, days=1))
    upstream.add(tarball("1.0.0", ago(house, days=400)), young)
    document = await packument(house)
    assert list(document["versions"]) == ["1.0.0"]
    assert document["dist-tags"]["latest"] == "1.0.0"
    assert "held until it is 3 days old" in document["policyRestrictions"]["message"]
    for path in ("/npm/tool/2.0.0", path_of(young)):
        got = await house.ask(path)
        assert got.status == 403, path
        assert "held until it is 3 days old" in got.json["error"]
    house.clock.advance(days=2)
    assert (await packument(house))["dist-tags"]["latest"] == "2.0.0"
    assert (await house.ask(path_of(young))).is_whole(young.data)


async def test_a_locked_install_that_never_asked_for_an_index_waits_too(
    house: House, upstream: LyingUpstream
) -> None:
    young = tarball("2.0.0", ago(house, hours=1))
    upstream.add(young)
    assert (await house.ask(path_of(young))).status == 403


async def test_where_no_times_are_told_what_was_there_passes_and_what_is_new_waits(
    house: House, upstream: LyingUpstream
) -> None:
    upstream.times = False
    old, new = tarball("1.0.0", None), tarball("1.0.1", None)
    upstream.add(old)
    assert list((await packument(house))["versions"]) == ["1.0.0"]
    upstream.add(new)
    house.clock.advance(hours=1)
    assert list((await packument(house))["versions"]) == ["1.0.0"]
    refused = await house.ask(path_of(new))
    assert refused.status == 403
    assert "age.undated" in refused.json["error"]
    assert (await house.ask(path_of(old))).is_whole(old.data)
    house.clock.advance(days=3)
    assert set((await packument(house))["versions"]) == {"1.0.0", "1.0.1"}
    assert (await house.ask(path_of(new))).is_whole(new.data)


async def test_one_missing_time_among_others_counts_from_first_sight(
    house: House, upstream: LyingUpstream
) -> None:
    silent = wheel("2.0", None)
    upstream.add(wheel("1.0", ago(house, days=400)), silent)
    await house.index("demo")
    got = await house.ask(path_of(silent))
    assert got.status == 403
    assert "first seen here 2026-11-21" in got.json["detail"]
    house.clock.advance(days=3)
    assert (await house.ask(path_of(silent))).is_whole(silent.data)


async def test_a_hidden_version_is_in_no_index_and_its_file_is_refused(
    house: House, upstream: LyingUpstream
) -> None:
    await house.decree(GUARDED + '[rules]\nage = "hide"\n')
    young, small = wheel("2.0", ago(house, days=1)), tarball("2.0.0", ago(house, days=1))
    upstream.add(wheel("1.0", ago(house, days=400)), tarball("1.0.0", ago(house, days=400)), young, small)
    names = [file["filename"] for file in (await house.index("demo"))["files"]]
    assert names == ["demo-1.0-py3-none-any.whl"]
    document = await packument(house)
    assert list(document["versions"]) == ["1.0.0"]
    assert "2.0.0" not in document.get("policyRestrictions", {}).get("versions", {})
    for path in (path_of(young), path_of(small), "/npm/tool/2.0.0"):
        assert (await house.ask(path)).status == 403, path


@pytest.mark.parametrize("private", [wheel("1.0", None)])
async def test_what_is_published_here_never_waits(house: House, private: Distribution) -> None:
    assert (await house.upload(private)).status == 200
    assert (await house.ask(path_of(private))).is_whole(private.data)


async def test_a_new_file_in_an_old_release_waits_and_the_others_stay(
    house: House, upstream: LyingUpstream
) -> None:
    """U10."""
    sibling, late = make_sdist("demo", "1.0"), wheel("1.0", ago(house, minutes=1))
    sibling.published = "2020-01-01T00:00:00Z"
    upstream.add(sibling, late)
    files = {file["filename"]: file for file in (await house.index("demo"))["files"]}
    assert "came 2026-11-21 to a release of 2020-01-01" in files[late.filename]["yanked"]
    for path in (path_of(late), f"{path_of(late)}.metadata"):
        got = await house.ask(path)
        assert (got.status, got.json["detail"].count("release of 2020-01-01")) == (403, 1), path
    assert not files[sibling.filename].get("yanked")
    assert (await house.ask(path_of(sibling))).is_whole(sibling.data)
    house.clock.advance(days=3)
    assert (await house.ask(path_of(late))).is_whole(late.data)


IMPOSSIBLE = {
    "missing": None,
    "unparsable": "the day before yesterday",
    "in the future": "2026-12-24T00:00:00Z",
    "before there was anything": "1994-12-31T00:00:00Z",
}


@pytest.mark.parametrize("told", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
async def test_a_time_that_cannot_be_counts_from_first_sight_in_both_worlds(
    house: House, upstream: LyingUpstream, told: str | None
) -> None:
    """U11."""
    odd, strange = wheel("2.0", told), tarball("2.0.0", told)
    upstream.add(wheel("1.0", ago(house, days=400)), tarball("1.0.0", ago(house, days=400)), odd, strange)
    files = {file["filename"]: file for file in (await house.index("demo"))["files"]}
    assert (
        "first seen here 2026-11-21, held for 3 days (setting age.undated)" in files[odd.filename]["yanked"]
    )
    assert list((await packument(house))["versions"]) == ["1.0.0"]
    for path in (path_of(odd), path_of(strange)):
        got = await house.ask(path)
        assert (got.status, "first seen here 2026-11-21" in str(got.json)) == (403, True), path
    house.clock.advance(days=3)
    assert set((await packument(house))["versions"]) == {"1.0.0", "2.0.0"}
    for package in (odd, strange):
        assert (await house.ask(path_of(package))).is_whole(package.data)


async def test_what_is_only_observed_passes_and_is_in_the_log(house: House, upstream: LyingUpstream) -> None:
    await house.decree(GUARDED + '[rules]\nlate-file = "observe"\n')
    late = wheel("1.0", ago(house, days=1))
    sdist = make_sdist("demo", "1.0")
    upstream.add(sdist, late)
    assert (await house.fetch(late)).is_whole(late.data)
    (row,) = house.rows("refusal")
    assert row["filename"] == late.filename
    assert row["detail"]["objections"].startswith("late-file (observe): ")


async def test_the_doctor_says_when_an_upstream_tells_no_times(house: House, upstream: LyingUpstream) -> None:
    upstream.times = False
    upstream.add(tarball("1.0.0", None))
    await packument(house)
    checks = (await house.ask("/api/v1/doctor", headers=house.admin)).json["checks"]
    (said,) = [check for check in checks if check["name"].endswith("publish times")]
    assert said["name"] == "npm publish times"
    assert "age.undated" in said["detail"]
