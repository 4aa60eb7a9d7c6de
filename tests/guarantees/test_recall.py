"""What is called back is given to nobody from that moment on, and those who have it are named."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from registry.model.accounts import PolicyEntry
from registry.model.events import Kind
from registry.storage.database import Database
from registry.storage.policy_store import PolicyStore
from tests.guarantees.house import House, path_of
from tests.policy.worlds import GUARDED
from tests.specimens import NOW, event
from tests.upstream import LyingUpstream, make_tarball, make_wheel

OBSERVING = GUARDED.replace('"guarded"', '"observe"')
BAD, GOOD = make_wheel("demo", "1.1"), make_wheel("demo", "1.0")
BAD_JS, GOOD_JS = make_tarball("tool", "3.3.6"), make_tarball("tool", "3.3.5")


async def recall(house: House, ecosystem: str, name: str, version: str = "") -> Any:
    got = await house.ask(
        "/api/v1/recalls",
        method="POST",
        headers={**house.admin, "Content-Type": "application/json"},
        data=f'{{"ecosystem":"{ecosystem}","name":"{name}","version":"{version}","reason":"steals wallets"}}',
    )
    assert got.status == 201, got.body
    return got.json


@pytest.fixture
async def stocked(house: House, upstream: LyingUpstream) -> House:
    """Four files that were all delivered already."""
    upstream.add(BAD, GOOD, BAD_JS, GOOD_JS)
    for package in (BAD, GOOD, BAD_JS, GOOD_JS):
        assert (await house.fetch(package)).is_whole(package.data)
    return house


@pytest.mark.parametrize("policy", [GUARDED, OBSERVING], ids=["guarded", "observe"])
async def test_a_recalled_version_is_refused_at_every_door(stocked: House, policy: str) -> None:
    house = stocked
    await house.decree(policy)
    etag = (await house.ask(path_of(BAD))).headers["ETag"]
    made = await recall(house, "pypi", "demo", "1.1")
    assert made["files"] == [BAD.filename]
    assert [(r["actor"], r["version"], r["filenames"]) for r in made["receipts"]] == [
        ("anonymous@127.0.0.1", "1.1", [BAD.filename])
    ]
    for method, headers in (
        ("GET", {}),
        ("HEAD", {}),
        ("GET", {"Range": "bytes=0-9"}),
        ("GET", {"If-None-Match": etag}),
        ("GET", house.admin),
    ):
        got = await house.ask(path_of(BAD), method=method, headers=headers)
        assert got.status == 403, (method, headers)
        assert "was recalled: steals wallets" in got.reason
    assert (await house.ask(f"{path_of(BAD)}.metadata")).status == 403
    files = {file["filename"]: file for file in (await house.index("demo"))["files"]}
    assert "steals wallets" in files[BAD.filename]["yanked"]
    assert (await house.ask(path_of(GOOD))).is_whole(GOOD.data)


async def test_a_recalled_npm_version_is_refused_at_every_door(stocked: House) -> None:
    house = stocked
    made = await recall(house, "npm", "tool", "3.3.6")
    assert (made["entry"]["versions"], made["files"]) == ("3.3.6", [BAD_JS.filename])
    for path in (path_of(BAD_JS), "/npm/tool/3.3.6"):
        got = await house.ask(path)
        assert got.status == 403, path
        assert "was recalled: steals wallets" in got.json["error"]
    document = (await house.ask("/npm/tool")).json
    assert (list(document["versions"]), document["dist-tags"]["latest"]) == (["3.3.5"], "3.3.5")
    assert (await house.ask(path_of(GOOD_JS))).is_whole(GOOD_JS.data)


async def test_a_project_is_recalled_as_a_whole_and_stays_so_over_a_restart_and_without_upstream(
    stocked: House, upstream: LyingUpstream
) -> None:
    house = stocked
    await recall(house, "pypi", "Demo")
    await house.restart()
    for package in (BAD, GOOD):
        assert (await house.ask(path_of(package))).status == 403
    assert len((await house.ask("/api/v1/recalls", headers=house.admin)).json["items"]) == 1


async def test_a_lifted_recall_serves_the_same_bytes_again_and_both_acts_are_logged(stocked: House) -> None:
    house = stocked
    made = await recall(house, "pypi", "demo", "1.1")
    got = await house.ask(
        f"/api/v1/recalls/{made['entry']['id']}?reason=a%20false%20alarm",
        method="DELETE",
        headers=house.admin,
    )
    assert got.status == 200
    assert (await house.ask(path_of(BAD))).is_whole(BAD.data)
    acts = [row["detail"] for row in house.rows("admin") if "recall" in str(row["detail"].get("action"))]
    assert [(act["action"], act["reason"]) for act in acts] == [
        ("recall", "steals wallets"),
        ("recall.lift", "a false alarm"),
    ]


@pytest.mark.parametrize(
    ("ecosystem", "name", "version", "status"),
    [
        ("pypi", "demo", "not a version", 400),
        ("pypi", "-", "", 400),
        ("cargo", "demo", "", 400),
        ("pypi", "demo", "1.1", 409),
    ],
)
async def test_a_recall_that_makes_no_sense_is_said_to_be_one(
    house: House, ecosystem: str, name: str, version: str, status: int
) -> None:
    await recall(house, "pypi", "demo", "1.1")
    got = await house.ask(
        "/api/v1/recalls",
        method="POST",
        headers={**house.admin, "Content-Type": "application/json"},
        data=f'{{"ecosystem":"{ecosystem}","name":"{name}","version":"{version}","reason":"why"}}',
    )
    assert got.status == status, got.body


async def test_a_recalled_version_can_not_be_published_again(house: House) -> None:
    await recall(house, "pypi", "ours", "1.0")
    assert (await house.upload(make_wheel("ours", "1.0"))).status == 403
    assert (await house.upload(make_wheel("ours", "1.1"))).status == 200


async def test_a_recall_made_in_another_process_counts_here_with_the_next_request(stocked: House) -> None:
    house = stocked
    other, editions = Database.open(house.data / "registry.db"), house.editions()
    try:
        entry = PolicyEntry(
            ecosystem="pypi", kind="recall", pattern="demo", reason="why", author="ada", created=NOW
        )
        await PolicyStore(other, editions.policy).add(entry, event(Kind.ADMIN))
        assert (await house.ask(path_of(BAD))).status == 403
    finally:
        editions.close()
        other.close()


async def test_a_recall_by_a_process_that_died_of_it_counts_all_the_same(stocked: House) -> None:
    """Its row is durable, and it could tell nobody."""
    house = stocked
    other = Database.open(house.data / "registry.db")
    try:
        entry = PolicyEntry(
            ecosystem="pypi", kind="recall", pattern="demo", reason="why", author="ada", created=NOW
        )
        await PolicyStore(other).add(entry, event(Kind.ADMIN))
        async with asyncio.timeout(10):
            while (await house.ask(path_of(BAD))).status != 403:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
    finally:
        other.close()
