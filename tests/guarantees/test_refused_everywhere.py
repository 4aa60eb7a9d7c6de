"""I8: what is refused is refused at every door, with the reason, however it is asked for and wherever it lies.

Row P6. The bytes are here, and the client has them too: no condition, range or spelling gets past the policy.
"""

from __future__ import annotations

import hashlib

import pytest

from tests.guarantees.house import JSON, Got, House, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

OLD, NEW = make_wheel("demo", "1.0"), make_wheel("demo", "2.0")
OLD_NPM, NEW_NPM = make_tarball("@team/tool", "1.0.0"), make_tarball("@team/tool", "2.0.0")
REASON = "leaks its API key"


def policy(pypi: str = "", npm: str = "", mode: str = "guarded") -> str:
    return f'[pypi]\nmode = "{mode}"\n{pypi}\n[npm]\nmode = "{mode}"\n{npm}\n'


def denied(name: str, versions: str = "") -> str:
    return f'deny = [{{ name = "{name}", versions = "{versions}", reason = "{REASON}" }}]'


WHOLE = policy(denied("demo"), denied("@team/tool"))
VERSION = policy(denied("demo", "<2"), denied("@team/tool", "<2"))
ALLOWLIST = policy('allow = ["other"]', 'allow = ["other"]', mode="allowlist")

FILE_DOORS = {
    "plain": {},
    "range": {"Range": "bytes=0-10"},
    "open range": {"Range": "bytes=5-"},
    "tail": {"Range": "bytes=-5"},
    "condition": {"If-None-Match": "ETAG"},
    "any condition": {"If-None-Match": "*"},
    "weak condition": {"If-None-Match": "W/ETAG"},
    "date": {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    "resume": {"Range": "bytes=5-", "If-Range": "ETAG"},
    "admin": {},
}
OLD_PATHS = {
    "wheel": path_of(OLD),
    "other spelling": f"/pypi/files/DEMO/{OLD.filename}",
    "encoded": f"/pypi/files/dem%6f/{OLD.filename}",
    "metadata": f"{path_of(OLD)}.metadata",
    "tarball": path_of(OLD_NPM),
    "tarball, encoded": "/npm/%40team/tool/-/tool-1.0.0.tgz",
    "tarball, one segment": "/npm/@team%2ftool/-/tool-1.0.0.tgz",
}
VERSION_DOORS = {
    "manifest": "/npm/@team%2ftool/1.0.0",
    "attestation": "/npm/-/npm/v1/attestations/@team%2ftool@1.0.0",
    "attestation at the origin": "/-/npm/v1/attestations/@team%2ftool@1.0.0",
    "provenance": f"/pypi/integrity/demo/1.0/{OLD.filename}/provenance",
}
NAME_DOORS = {
    "packument": "/npm/@team%2ftool",
    "manifest of a tag": "/npm/@team%2ftool/latest",
    "dist-tags": "/npm/-/package/@team%2ftool/dist-tags",
    "legacy JSON": "/pypi/pypi/demo/json",
    "legacy JSON of a version": "/pypi/pypi/demo/2.0/json",
    "attestation": "/npm/-/npm/v1/attestations/@team%2ftool@2.0.0",
    "provenance": f"/pypi/integrity/demo/2.0/{NEW.filename}/provenance",
}


@pytest.fixture(autouse=True)
async def kept(house: House, upstream: LyingUpstream) -> None:
    """Everything is here, delivered before anybody objected."""
    upstream.add(OLD, NEW, OLD_NPM, NEW_NPM)
    for package in (OLD, NEW, OLD_NPM, NEW_NPM):
        assert (await house.fetch(package)).is_whole(package.data)
    assert (await house.ask(f"{path_of(OLD)}.metadata")).status == 200


def require_refusal(got: Got, method: str = "GET") -> None:
    assert got.status == 403, (got.status, got.reason)
    assert REASON in got.reason or "allowlist" in got.reason or "not on the list" in got.reason
    assert "ETag" not in got.headers
    if method == "GET":
        assert got.headers["X-Registry-Why"].encode() in got.body


async def knock_at_files(house: House) -> None:
    etags = {"wheel": hashlib.sha256(OLD.data).hexdigest(), "tar": hashlib.sha256(OLD_NPM.data).hexdigest()}
    for name, path in OLD_PATHS.items():
        etag = etags["tar" if "tarball" in name else "wheel"]
        for condition, template in FILE_DOORS.items():
            headers = {key: value.replace("ETAG", f'"{etag}"') for key, value in template.items()}
            if condition == "admin":
                headers = house.admin
            for method in ("GET", "HEAD"):
                require_refusal(await house.ask(path, method=method, headers=headers), method)


@pytest.mark.parametrize("text", [WHOLE, VERSION, ALLOWLIST], ids=["name", "version", "not allowed"])
async def test_refused_bytes_are_refused_at_every_door(house: House, text: str) -> None:
    await house.decree(text)
    delivered = len(house.rows("delivery"))
    await knock_at_files(house)
    for door in VERSION_DOORS.values():
        for method in ("GET", "HEAD"):
            require_refusal(await house.ask(door, method=method), method)
    await house.restart()
    await knock_at_files(house)
    assert len(house.rows("delivery")) == delivered


@pytest.mark.parametrize("text", [WHOLE, ALLOWLIST], ids=["denied", "not allowed"])
async def test_a_refused_name_is_refused_at_every_door(house: House, text: str) -> None:
    """But pip's index, which can't show a reason: there it shows its files, whose bytes are refused."""
    etags = {path: (await house.ask(path)).headers.get("ETag", "") for path in NAME_DOORS.values()}
    await house.decree(text)
    for path, etag in etags.items():
        for headers in ({}, {"If-None-Match": etag}, {"If-None-Match": "*"}):
            require_refusal(await house.ask(path, headers=headers))
    files = [file["filename"] for file in (await house.index("demo"))["files"]]
    assert files == [OLD.filename, NEW.filename]


@pytest.mark.parametrize("text", [WHOLE, ALLOWLIST], ids=["denied", "not allowed"])
async def test_a_refused_name_is_listed_nowhere(house: House, text: str) -> None:
    """Neither among the projects nor by a search; what is refused isn't advertised."""
    doors = {"/pypi/simple/": JSON, "/npm/-/v1/search?text=tool": {}}
    projects = (await house.ask("/pypi/simple/", headers=JSON)).json["projects"]
    assert "demo" in [each["name"] for each in projects]
    await house.decree(text)
    for path, headers in doors.items():
        body = (await house.ask(path, headers=headers)).body
        assert b"demo" not in body
        assert b"@team/tool" not in body


async def test_a_held_version_is_left_out_or_marked_and_the_other_one_is_served(house: House) -> None:
    await house.decree(VERSION)
    yanked = {file["filename"]: file.get("yanked") for file in (await house.index("demo"))["files"]}
    assert REASON in str(yanked[OLD.filename])
    assert not yanked[NEW.filename]
    (url,) = (await house.ask("/pypi/pypi/demo/1.0/json")).json["urls"]
    assert REASON in url["yanked_reason"]
    packument = (await house.ask("/npm/@team%2ftool")).json
    assert list(packument["versions"]) == ["2.0.0"]
    assert REASON in str(packument["policyRestrictions"])
    for package in (NEW, NEW_NPM):
        assert (await house.ask(path_of(package))).is_whole(package.data)


async def test_an_index_that_a_client_has_is_not_confirmed_past_a_new_policy(house: House) -> None:
    """P6: 304 never bypasses policy; the ETag is of the policy too."""
    pages = {"/pypi/simple/demo/": JSON, "/npm/@team%2ftool": {}}
    etags = {page: (await house.ask(page, headers=more)).headers["ETag"] for page, more in pages.items()}
    for page, more in pages.items():
        assert (await house.ask(page, headers={**more, "If-None-Match": etags[page]})).status == 304
    await house.decree(VERSION)
    for page, more in pages.items():
        got = await house.ask(page, headers={**more, "If-None-Match": etags[page]})
        assert (got.status, REASON.encode() in got.body) == (200, True)


async def test_what_is_no_longer_refused_is_served_again(house: House) -> None:
    await house.decree(WHOLE)
    assert (await house.ask(path_of(OLD))).status == 403
    await house.decree(policy())
    assert (await house.ask(path_of(OLD))).is_whole(OLD.data)
    assert list((await house.ask("/npm/@team%2ftool")).json["versions"]) == ["1.0.0", "2.0.0"]


async def test_an_unknown_refused_name_is_not_asked_for(house: House, upstream: LyingUpstream) -> None:
    """Refused before any network, with a tombstone that says why."""
    upstream.add(make_wheel("unseen", "1.0"), make_tarball("unseen", "1.0.0"))
    await house.decree(policy(denied("unseen"), denied("unseen")))
    upstream.requests.clear()
    (file,) = (await house.index("unseen"))["files"]
    require_refusal(await house.ask(f"/pypi/files/unseen/{file['filename']}"))
    require_refusal(await house.ask("/pypi/files/unseen/unseen-1.0-py3-none-any.whl"))
    require_refusal(await house.ask("/npm/unseen"))
    require_refusal(await house.ask("/npm/unseen/-/unseen-1.0.0.tgz"))
    assert not upstream.requests


async def test_every_refusal_leads_to_its_explanation(house: House) -> None:
    await house.decree(WHOLE)
    for path in (path_of(OLD), path_of(OLD_NPM)):
        got = await house.ask(path)
        page = await house.ask(got.headers["X-Registry-Why"].removeprefix(house.root))
        assert (page.status, REASON.encode() in page.body) == (200, True)
        assert got.headers["X-Registry-Why"] in got.reason
