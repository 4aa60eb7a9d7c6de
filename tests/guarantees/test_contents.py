"""A file is what its name says: what turns out to be something else is held with the reason (U29, U31)."""

from __future__ import annotations

import json

import pytest

from registry.storage import staging
from registry.web import flights
from tests.guarantees.house import House, path_of
from tests.upstream import Distribution, LyingUpstream, make_sdist, make_wheel

OTHERS = {
    "another project": make_wheel("other", "1.0"),
    "another version": make_wheel("demo", "2.0"),
    "no archive": Distribution("other", "1.0", "", b"<html>"),
    "another project's sdist": make_sdist("other", "1.0"),
}


def swapped(made: Distribution, *, padding: int = 0) -> Distribution:
    """Its bytes, honestly announced as demo 1.0."""
    made = make_wheel("other", "1.0", padding=padding) if padding else made
    suffix = ".tar.gz" if made.filename.endswith(".tar.gz") else "-py3-none-any.whl"
    return Distribution("demo", "1.0", f"demo-1.0{suffix}", made.data)


@pytest.mark.parametrize("other", OTHERS)
async def test_what_says_inside_that_it_is_something_else_is_held_with_the_reason(
    house: House, upstream: LyingUpstream, other: str
) -> None:
    file = swapped(OTHERS[other])
    upstream.add(file, make_wheel("demo", "0.9"))
    path = await house.learn(file)
    for more in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": f'"{file.hashes["sha256"]}"'}):
        got = await house.ask(path, headers=more)
        assert (got.status, "is not what its name says" in got.reason) == (403, True), got.reason
    assert (await house.ask(path, method="HEAD")).status == 403
    assert (await house.ask(f"{path}.metadata")).status in {403, 404}
    assert house.alarms() == ["content_mismatch"]
    assert not house.rows("delivery")
    assert len(upstream.asked(f"/files/{file.filename}")) == 1
    (listed,) = (each for each in (await house.index("demo"))["files"] if each["filename"] == file.filename)
    assert "is not what its name says" in listed["yanked"]
    why = got.reason.rpartition("/why/")[2].rstrip(")")
    page = await house.ask(f"/why/{why}")
    assert (page.status, b"content" in page.body) == (200, True)
    await house.restart()
    assert (await house.ask(path)).status == 403
    house.require_sound()


async def test_what_is_streamed_ends_before_it_is_whole(
    house: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "STREAM_AFTER", 0)
    monkeypatch.setattr(staging, "_BUFFER", 1_000)
    file = swapped(OTHERS["another project"], padding=300_000)
    upstream.add(file)
    got = await house.fetch(file)
    assert got.status == 403 or not got.whole
    assert not house.rows("delivery")
    assert (await house.ask(path_of(file))).status == 403


async def test_an_exemption_lets_it_pass(house: House, upstream: LyingUpstream) -> None:
    file = swapped(OTHERS["another project"])
    upstream.add(file)
    assert (await house.fetch(file)).status == 403
    entry = {
        "kind": "exempt",
        "ecosystem": "pypi",
        "pattern": "demo",
        "versions": "==1.0",
        "rule": "content",
        "reason": "it was renamed, and we know",
        "days": 7,
    }
    headers = {**house.admin, "Content-Type": "application/json"}
    made = await house.ask("/api/v1/policy/entries", method="POST", headers=headers, data=json.dumps(entry))
    assert made.status in {200, 201}, made.body
    assert (await house.ask(path_of(file))).is_whole(file.data)


async def test_a_private_upload_of_something_else_never_gets_in(house: House) -> None:
    made = swapped(OTHERS["another project"])
    assert (await house.upload(made)).status == 400
