"""The team's own releases: yanked, given back, deleted for good, and an index that can be rebuilt from the files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from typing import Any

import pytest

from tests.guarantees.house import Got, House
from tests.upstream import Distribution, make_sdist, make_wheel

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


async def api(house: House, path: str, **body: str) -> Got:
    headers = {**house.admin, "Content-Type": "application/json"}
    return await house.ask(f"/api/v1/private/{path}", method="POST", headers=headers, data=json.dumps(body))


async def rescanned(house: House) -> Any:
    """The job, once it is done."""
    got = await api(house, "rescan")
    assert got.status == 202, got
    job = got.json
    async with asyncio.timeout(20):
        while job["state"] == "running":
            await asyncio.sleep(0.01)
            job = (await house.ask(f"/api/v1/jobs/{job['id']}", headers=house.admin)).json
    assert job["state"] == "done", job
    return job


async def published(house: House, *made: Distribution) -> None:
    for each in made:
        got = await house.upload(each)
        assert got.status == 200, got


async def entry(house: House, made: Distribution) -> Any:
    files = (await house.index(made.project))["files"]
    return next((file for file in files if file["filename"] == made.filename), None)


def changes(house: House) -> list[str]:
    return [row["detail"]["change"] for row in house.rows("publish")]


async def test_a_release_is_yanked_with_all_its_files_and_given_back(house: House) -> None:
    wheel, sdist, later = (
        make_wheel("acme-y", "1.0"),
        make_sdist("acme-y", "1.0"),
        make_wheel("acme-y", "2.0"),
    )
    await published(house, wheel, sdist, later)
    got = await api(house, "yank", name="Acme_Y", version="1.0", reason="loses data")
    assert (got.status, sorted(got.json["files"])) == (200, sorted([wheel.filename, sdist.filename]))
    for made, yanked in ((wheel, "loses data"), (sdist, "loses data"), (later, None)):
        assert (await entry(house, made)).get("yanked") == yanked
    await house.restart()
    assert (await entry(house, wheel))["yanked"] == "loses data"
    assert (await house.ask(f"/pypi/files/acme-y/{wheel.filename}")).is_whole(wheel.data)
    assert (await api(house, "unyank", name="acme-y", version="1.0.0")).status == 200
    assert "yanked" not in await entry(house, wheel)
    assert changes(house)[-2:] == ["yank", "unyank"]
    assert house.rows("publish")[-2]["actor"] == "admin-token"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("yank", {"name": "acme-n", "version": "9.9", "reason": "x"}, 404),
        ("yank", {"name": "nobody", "version": "1.0", "reason": "x"}, 404),
        ("yank", {"name": "acme-n", "version": "1.0", "reason": " \n"}, 400),
        ("yank", {"name": "acme-n", "version": "no version", "reason": "x"}, 400),
        ("yank", {"name": "-", "version": "1.0", "reason": "x"}, 400),
        ("unyank", {"name": "demo", "version": "1.0"}, 404),
        ("delete", {"name": "demo", "version": "1.0", "reason": "x"}, 404),
        ("delete", {"name": "acme-n", "version": "1.0", "reason": ""}, 400),
    ],
)
async def test_what_is_not_published_here_is_not_changed_here(
    house: House, path: str, body: dict[str, str], status: int
) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    await published(house, make_wheel("acme-n", "1.0"))
    got = await api(house, path, **body)
    assert got.status == status, got
    assert changes(house) == ["publish"]


async def test_a_deleted_release_is_gone_from_every_door_and_its_names_are_used_up(house: House) -> None:
    wheel, later = make_wheel("acme-d", "1.0"), make_wheel("acme-d", "2.0")
    await published(house, wheel, later)
    await house.fetch(wheel)
    got = await api(house, "delete", name="acme-d", version="1.0", reason="has a password in it")
    assert (got.status, got.json["files"], got.json["note"]) == (200, [wheel.filename], "")
    assert await entry(house, wheel) is None
    for path in (wheel.filename, f"{wheel.filename}.metadata"):
        assert (await house.ask(f"/pypi/files/acme-d/{path}")).status == 404
    assert (await house.ask("/pypi/pypi/acme-d/1.0/json")).status == 404
    assert wheel.filename not in house.pypiserver.files
    kept = [path for path in (house.data / "private" / "blobs" / "blobs").rglob("*") if path.is_file()]
    assert {path.name for path in kept} == {hashlib.sha256(later.metadata or b"").hexdigest()}
    again = await house.upload(wheel)
    assert (again.status, b"already" in again.body) == (409, True)
    assert (await house.upload(make_wheel("acme-d", "1.0", padding=9))).status == 409
    assert (await house.ask(f"/pypi/files/acme-d/{later.filename}")).is_whole(later.data)


async def test_a_deletion_counts_also_when_the_back_end_is_away_and_a_rescan_ends_it(house: House) -> None:
    wheel = make_wheel("acme-d", "1.0")
    await published(house, wheel)
    house.pypiserver.broken = True
    got = await api(house, "delete", name="acme-d", version="1.0", reason="has a password in it")
    assert (got.status, "rescan" in got.json["note"]) == (200, True)
    assert (await house.ask("/pypi/files/acme-d/acme_d-1.0-py3-none-any.whl")).status == 404
    house.pypiserver.broken = False
    house.clock.advance(minutes=1)
    assert (await rescanned(house))["found"]["removed"] == 1
    assert wheel.filename not in house.pypiserver.files


# what a project is (PEP 792)


async def standing(house: House, name: str, status: str, reason: str = "because") -> Got:
    got = await api(house, "status", name=name, status=status, reason=reason)
    assert got.status == 200, got
    return got


async def test_p9_a_project_is_archived_and_takes_no_uploads_until_it_is_active_again(house: House) -> None:
    wheel, later = make_wheel("acme-p", "1.0"), make_wheel("acme-p", "2.0")
    await published(house, wheel)
    await standing(house, "Acme_P", "archived", "use acme-q")
    assert (await house.index("acme-p"))["project-status"] == {"status": "archived", "reason": "use acme-q"}
    assert (await house.fetch(wheel)).is_whole(wheel.data)
    refused = await house.upload(later)
    assert (refused.status, "acme-p' is archived: use acme-q" in refused.reason) == (403, True)
    assert house.rows("refusal")[-1]["detail"]["rule"] == "status"
    await house.restart()
    assert (await house.upload(later)).status == 403
    await standing(house, "acme-p", "active", "")
    assert "project-status" not in await house.index("acme-p")
    await published(house, later)
    assert changes(house) == ["publish", "status", "status", "publish"]


async def test_p9_a_deprecated_project_only_says_so(house: House) -> None:
    wheel, later = make_wheel("acme-p", "1.0"), make_wheel("acme-p", "2.0")
    await published(house, wheel)
    await standing(house, "acme-p", "deprecated", "use acme-q")
    await published(house, later)
    page = (await house.ask("/pypi/simple/acme-p/", headers={"Accept": "text/html"})).body
    assert b'<meta name="pypi:project-status" content="deprecated">' in page
    assert b'<meta name="pypi:project-status-reason" content="use acme-q">' in page
    assert (await house.fetch(wheel)).is_whole(wheel.data)


async def test_p9_a_quarantined_project_lists_no_files_gives_none_and_takes_none(house: House) -> None:
    wheel = make_wheel("acme-p", "1.0")
    await published(house, wheel)
    await house.fetch(wheel)
    await standing(house, "acme-p", "quarantined", "a stolen laptop")
    index = await house.index("acme-p")
    assert (index["files"], index["project-status"]["status"]) == ([], "quarantined")
    page = (await house.ask("/pypi/simple/acme-p/", headers={"Accept": "text/html"})).body
    assert wheel.filename.encode() not in page
    assert (await house.ask("/pypi/pypi/acme-p/json")).status == 404
    await house.decree('[pypi]\nmode = "observe"\n[npm]\nmode = "guarded"\n')  # nothing weakens it
    for path in (wheel.filename, f"{wheel.filename}.metadata"):
        got = await house.ask(f"/pypi/files/acme-p/{path}")
        assert (got.status, "quarantined: a stolen laptop" in got.reason) == (403, True)
    assert (await house.upload(make_wheel("acme-p", "2.0"))).status == 403
    assert (await house.upload(wheel)).status == 403
    await standing(house, "acme-p", "active")
    assert (await house.fetch(wheel)).is_whole(wheel.data)


async def test_p9_what_a_project_is_can_be_asked_and_not_said_of_a_public_one(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    await published(house, make_wheel("acme-p", "1.0"))
    await standing(house, "acme-p", "archived", "use acme-q")
    asked = await house.ask("/api/v1/private/status?name=acme-p", headers=house.admin)
    assert asked.json == {"name": "acme-p", "status": "archived", "reason": "use acme-q"}
    for name, status, reason, expected in (
        ("demo", "archived", "no", 404),
        ("nobody", "archived", "no", 404),
        ("acme-p", "archived", " ", 400),
        ("acme-p", "asleep", "no", 400),
    ):
        assert (await api(house, "status", name=name, status=status, reason=reason)).status == expected


async def test_builders_come_in_pages(house: House) -> None:
    await published(house, make_wheel("acme-b", "1.0"))
    got = await house.ask("/api/v1/builders?name=acme-b&limit=1", headers=house.admin)
    assert (got.status, got.json) == (200, {"items": [], "next": None})


# the index is ours


def lose_rows(house: House, *tables: str) -> None:
    """The database is an older one than the files."""
    with sqlite3.connect(house.data / "registry.db") as connection:
        for table in tables:
            connection.execute(f"DELETE FROM {table}")
    connection.close()


async def test_an_index_is_rebuilt_from_the_back_ends_files_with_the_upload_times_of_the_log(
    house: House,
) -> None:
    made = [
        make_wheel("acme-r", "1.0", requires_python=">=3.9"),
        make_sdist("acme-r", "1.0"),
        make_wheel("acme-s", "2.0"),
    ]
    await published(house, *made)
    before = {name: (await house.index(name))["files"] for name in ("acme-r", "acme-s")}
    await house.stop()
    lose_rows(house, "artifact", "project", "document")
    house.clock.advance(days=400)
    await house.start()
    assert (await house.ask("/pypi/simple/acme-r/", headers=JSON)).status == 404
    job = await rescanned(house)
    assert (job["done"], job["total"], job["complaints"]) == (3, 3, [])
    assert job["found"]["added"] == 3
    for name, files in before.items():
        assert sorted((await house.index(name))["files"], key=lambda f: f["filename"]) == sorted(
            files, key=lambda f: f["filename"]
        )
    for each in made:
        assert (await house.fetch(each)).is_whole(each.data)
    again = (await rescanned(house))["found"]
    assert (again["known"], again["added"]) == (3, 0)


async def test_a_file_that_was_put_into_the_back_end_by_hand_is_listed_with_the_files_own_time(
    house: House,
) -> None:
    wheel = make_wheel("acme-h", "1.0")
    house.pypiserver.files[wheel.filename] = wheel.data
    assert (await rescanned(house))["found"]["added"] == 1
    file = await entry(house, wheel)
    assert file["upload-time"] == "2024-05-06T07:08:09Z"
    assert file["core-metadata"]
    assert (await house.fetch(wheel)).is_whole(wheel.data)
    assert house.rows("publish")[-1]["detail"]["upload_time"] == "from the file"


async def test_a_rescan_lists_nothing_that_an_upload_could_not_have_been(house: House) -> None:
    public = make_wheel("requests", "99.0")
    liar = make_wheel("acme-other", "1.0")
    house.pypiserver.files |= {
        public.filename: public.data,
        "acme_liar-1.0-py3-none-any.whl": liar.data,
        "notes.txt": b"notes",
        "acme_broken-1.0.tar.gz": b"no gzip",
    }
    job = await rescanned(house)
    assert (job["found"]["added"], job["found"]["refused"], len(job["complaints"])) == (0, 4, 4)
    for name in ("acme-liar", "acme-broken", "acme-other"):
        assert (await house.ask(f"/pypi/simple/{name}/", headers=JSON)).status == 404


async def test_a_rescan_tells_of_files_that_changed_or_are_missing(house: House) -> None:
    one, two = make_wheel("acme-t", "1.0"), make_wheel("acme-t", "2.0")
    await published(house, one, two)
    house.pypiserver.files[one.filename] = make_wheel("acme-t", "1.0", padding=9).data
    del house.pypiserver.files[two.filename]
    job = await rescanned(house)
    assert (job["found"]["missing"], job["found"]["refused"]) == (1, 1)
    said = dict(complaint.split(": ", 1) for complaint in job["complaints"])
    assert said["missing"] == two.filename
    assert one.filename in said["refused"]


async def test_wheels_that_were_kept_without_their_metadata_offer_it_after_a_backfill(house: House) -> None:
    wheel, own = make_wheel("demo", "1.0"), make_wheel("acme-m", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    await published(house, own)
    await house.fetch(own)
    async with asyncio.timeout(10):
        while "core-metadata" not in await entry(house, wheel):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)
    await house.stop()
    with sqlite3.connect(house.data / "registry.db") as connection:
        connection.execute("UPDATE artifact SET metadata_blob = NULL, metadata = NULL")
    connection.close()
    await house.start()
    headers = {**house.admin, "Content-Type": "application/json"}
    got = await house.ask("/api/v1/cache/metadata", method="POST", headers=headers, data="{}")
    assert sorted(got.json["files"]) == sorted([wheel.filename, own.filename])
    for each in (wheel, own):
        assert (await entry(house, each))["core-metadata"]
