"""P1 to P6, P8, P9, P13, P15 and P16: the simple API as its clients ask for it."""

from __future__ import annotations

import re
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.guarantees.house import House
from tests.upstream import LyingUpstream, make_sdist, make_wheel
from tests.upstream.faults import document, rewritten

JSON = "application/vnd.pypi.simple.v1+json"
PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
UV = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
DEMO = "/pypi/simple/demo/"


class Anchors(HTMLParser):
    """Every anchor of a page with its attributes and text, and the metas by name."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.metas: dict[str, str | None] = {}
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.anchors.append({**given, "text": ""})
        elif tag == "meta":
            self.metas[given.get("name") or ""] = given.get("content")

    def handle_data(self, data: str) -> None:
        if self.anchors and self.anchors[-1]["text"] == "":
            self.anchors[-1]["text"] = data


@pytest.fixture(autouse=True)
def demo(upstream: LyingUpstream) -> None:
    """What the upstream has in all of these tests."""
    upstream.add(make_wheel("demo", "1.0", requires_python=">=3.8"), make_sdist("demo", "1.0"))


# P1


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("demo", "demo/"),
        ("Demo/", "demo/"),
        ("Foo_.Bar/", "foo-bar/"),
        ("foo--bar", "foo-bar/"),
    ],
)
async def test_p1_any_spelling_of_a_name_is_redirected_to_its_canonical_page(
    house: House, path: str, canonical: str
) -> None:
    got = await house.ask(f"/pypi/simple/{path}")
    assert got.status == 301
    assert got.headers["Location"] == f"{house.root}/pypi/simple/{canonical}"
    assert not house.upstream.requests


@pytest.mark.parametrize(
    "name", ["-demo", "demo-", "_demo", "de%20mo", "d%C3%A9mo", "demo%0a", "a" * 300, "."]
)
async def test_p1_what_is_no_name_is_not_found_and_upstream_is_not_asked(house: House, name: str) -> None:
    got = await house.ask(f"/pypi/simple/{name}/")
    assert got.status in {400, 404}
    assert not house.upstream.requests


# P2


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PIP, JSON),
        (UV, JSON),
        (JSON, JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html; charset=utf-8"),
        ("application/vnd.pypi.simple.latest+html", "application/vnd.pypi.simple.v1+html; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        (BROWSER, "text/html; charset=utf-8"),
        (None, "text/html; charset=utf-8"),
        (f"{JSON};q=0, text/html", "text/html; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("path", [DEMO, "/pypi/simple/"])
async def test_p2_the_client_says_which_form_it_reads(
    house: House, path: str, accept: str | None, content_type: str
) -> None:
    got = await house.ask(path, headers={} if accept is None else {"Accept": accept})
    assert (got.status, got.headers["Content-Type"]) == (200, content_type)


@pytest.mark.parametrize("path", [DEMO, "/pypi/simple/"])
async def test_p2_the_address_can_ask_for_a_form_over_the_header(house: House, path: str) -> None:
    for form in ("application/vnd.pypi.simple.v1+json", "application%2Fvnd.pypi.simple.v1%2Bjson"):
        got = await house.ask(f"{path}?format={form}", headers={"Accept": "text/html"})
        assert (got.status, got.headers["Content-Type"]) == (200, "application/vnd.pypi.simple.v1+json")
    got = await house.ask(f"{path}?format=text/html", headers={"Accept": JSON})
    assert got.headers["Content-Type"] == "text/html; charset=utf-8"
    assert (await house.ask(f"{path}?format=application/xml")).status == 406


async def test_p2_a_client_that_reads_none_of_our_forms_is_told_so(house: House) -> None:
    got = await house.ask(DEMO, headers={"Accept": "application/xml"})
    assert got.status == 406
    assert not house.upstream.requests


# P3


async def test_p3_each_form_has_its_own_etag_and_says_that_it_varies(house: House) -> None:
    pages = [await house.ask(DEMO, headers={"Accept": accept}) for accept in (JSON, "text/html")]
    assert pages[0].headers["ETag"] != pages[1].headers["ETag"]
    for page in pages:
        assert "Accept" in page.headers["Vary"]


async def test_p3_an_unchanged_index_is_304_with_the_same_headers_and_no_body(house: House) -> None:
    first = await house.ask(DEMO, headers={"Accept": PIP})
    again = await house.ask(DEMO, headers={"Accept": PIP, "If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    for name in ("ETag", "Vary", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert len(house.upstream.asked(DEMO.removeprefix("/pypi"))) == 1


async def test_p3_what_was_asked_for_with_credentials_is_private(house: House) -> None:
    for headers in ({"Accept": JSON}, {"Accept": JSON, **house.admin}):
        got = await house.ask(DEMO, headers=headers)
        assert ("private" in got.headers["Cache-Control"]) == ("Authorization" in headers)


async def test_p3_the_etag_of_one_form_gives_no_304_for_the_other(house: House) -> None:
    page = await house.ask(DEMO, headers={"Accept": "text/html"})
    got = await house.ask(DEMO, headers={"Accept": JSON, "If-None-Match": page.headers["ETag"]})
    assert got.status == 200


# P4


async def test_p4_the_json_index_says_all_that_its_version_promises(house: House) -> None:
    index = await house.index("demo")
    assert index["meta"] == {"api-version": "1.4"}
    assert index["name"] == "demo"
    assert index["versions"] == ["1.0"]
    for file in index["files"]:
        assert re.fullmatch(r"[0-9a-f]{64}", file["hashes"]["sha256"])
        assert isinstance(file["size"], int)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", file["upload-time"])
        assert file["url"] == f"../../files/demo/{file['filename']}"
    wheel = next(file for file in index["files"] if file["filename"].endswith(".whl"))
    assert wheel["requires-python"] == ">=3.8"


async def test_p4_a_file_whose_size_nobody_says_takes_the_api_version_down(house: House) -> None:
    house.upstream.shape = "bare-json"
    index = await house.index("demo")
    assert index["meta"] == {"api-version": "1.0"}
    assert all("size" not in file and "upload-time" not in file for file in index["files"])


async def test_p4_the_size_of_a_file_that_was_fetched_is_known(house: House) -> None:
    house.upstream.shape = "bare-json"
    wheel = make_wheel("bare", "1.0")
    house.upstream.add(wheel)
    assert (await house.fetch(wheel)).is_whole(wheel.data)
    index = await house.index("bare")
    assert [file["size"] for file in index["files"]] == [len(wheel.data)]
    assert index["meta"] == {"api-version": "1.4"}


# P5


async def test_p5_the_html_index_says_the_same_as_the_json_one(house: House) -> None:
    wheel = make_wheel("demo", "1.0", requires_python=">=3.8")
    path = await house.learn(wheel)
    await house.ask(path)
    for _ in range(1_000):  # the index changes once, when the wheel's metadata has been taken out of it
        if (await house.ask(f"{path}.metadata")).status == 200:
            break
    files = {file["filename"]: file for file in (await house.index("demo"))["files"]}
    page = Anchors((await house.ask(DEMO, headers={"Accept": "text/html"})).body)
    assert page.metas["pypi:repository-version"] == "1.4"
    assert {anchor["text"] for anchor in page.anchors} == set(files)
    for anchor in page.anchors:
        assert anchor["text"]
        file = files[anchor["text"]]
        assert anchor["href"] == f"{file['url']}#sha256={file['hashes']['sha256']}"
        assert anchor.get("data-requires-python") == file.get("requires-python")
        core = anchor.get("data-core-metadata")
        assert core == anchor.get("data-dist-info-metadata")
        assert core == (f"sha256={file['core-metadata']['sha256']}" if "core-metadata" in file else None)


async def test_p5_requires_python_is_escaped_in_html(house: House) -> None:
    got = await house.ask(DEMO, headers={"Accept": "text/html"})
    assert b'data-requires-python="&gt;=3.8"' in got.body


async def test_p5_a_base_of_the_upstreams_page_is_resolved_before_links_are_ours(house: House) -> None:
    house.upstream.shape = "html"
    wheel = make_wheel("based", "1.0")
    wheel.url = f"../{wheel.filename}"
    house.upstream.add(wheel)
    house.upstream.lie(
        rewritten("<head>", f'<head><base href="{house.upstream.origin}/files/deeper/">'), "/simple/based/"
    )
    assert (await house.fetch(wheel)).is_whole(wheel.data)


async def test_p5_a_name_with_a_plus_comes_back_as_it_went(house: House) -> None:
    wheel = make_wheel("local", "1.0+cu118")
    wheel.url = f"{house.upstream.origin}/files/{wheel.filename.replace('+', '%2B')}"
    house.upstream.add(wheel)
    file = (await house.index("local"))["files"][0]
    assert file["filename"] == wheel.filename
    assert file["url"] == f"../../files/local/{wheel.filename.replace('+', '%2B')}"
    for spelled in (wheel.filename.replace("+", "%2B"), wheel.filename):
        assert (await house.ask(f"/pypi/files/local/{spelled}")).is_whole(wheel.data)


# P6


@pytest.mark.parametrize("shape", ["json", "html", "bare-json"])
async def test_p6_no_document_names_the_upstream(house: House, shape: Any) -> None:
    house.upstream.shape = shape
    wheel = make_wheel("demo", "1.0", requires_python=">=3.8")
    paths = [
        DEMO,
        "/pypi/pypi/demo/json",
        "/pypi/simple/nothing/",
        "/pypi/files/demo/demo-9.tar.gz",
        "/pypi/simple/",
    ]
    await house.fetch(wheel)
    for path in paths:
        for accept in (JSON, "text/html", "application/xml"):
            await house.ask(path, headers={"Accept": accept})  # the house looks into every answer


async def test_p6_a_file_is_served_without_its_index_having_been_asked_for(house: House) -> None:
    wheel = make_wheel("demo", "1.0", requires_python=">=3.8")
    got = await house.ask(f"/pypi/files/demo/{wheel.filename}")
    assert got.is_whole(wheel.data)
    await house.restart()
    assert (await house.ask(f"/pypi/files/demo/{wheel.filename}")).is_whole(wheel.data)
    assert len(house.upstream.asked("/simple/demo/")) == 1


# P8


async def test_p8_a_yank_comes_and_goes_with_upstream(house: House) -> None:
    wheel = make_wheel("demo", "2.0")
    for yanked, shown in (
        (False, None),
        ("broken on Tuesdays", "broken on Tuesdays"),
        (True, True),
        (False, None),
    ):
        wheel.yanked = yanked
        house.upstream.add(wheel)
        house.clock.advance(hours=1)
        files = {file["filename"]: file for file in (await house.index("demo"))["files"]}
        assert files[wheel.filename].get("yanked") == shown


# P13


async def test_p13_the_list_has_an_etag_a_form_and_is_304_while_it_is_the_same(house: House) -> None:
    forms = [{"Accept": accept} for accept in (JSON, "text/html")]
    pages = [await house.ask("/pypi/simple/", headers=form) for form in forms]
    assert pages[0].headers["ETag"] != pages[1].headers["ETag"]
    for form, page in zip(forms, pages, strict=True):
        same = {**form, "If-None-Match": page.headers["ETag"]}
        got = await house.ask("/pypi/simple/", headers=same)
        assert (got.status, got.body, got.headers["Vary"]) == (304, b"", "Accept")
    await house.index("demo")
    for form, page in zip(forms, pages, strict=True):
        got = await house.ask("/pypi/simple/", headers={**form, "If-None-Match": page.headers["ETag"]})
        assert (got.status, b"demo" in got.body) == (200, True)


async def test_p14_an_address_for_uploads_says_that_they_are_a_post(house: House) -> None:
    got = await house.ask("/pypi/legacy/")
    assert (got.status, got.headers["Allow"]) == (405, "POST")


async def test_p13_a_project_is_found_without_the_list(house: House) -> None:
    assert (await house.ask("/pypi/simple/", headers={"Accept": JSON})).json["projects"] == []
    await house.index("demo")
    assert not house.upstream.asked("/simple/")
    listed = (await house.ask("/pypi/simple/", headers={"Accept": JSON})).json
    assert listed == {"meta": {"api-version": "1.4"}, "projects": [{"name": "demo"}]}


# P15


async def test_p15_every_file_says_when_it_was_uploaded(house: House) -> None:
    assert (await house.upload(make_wheel("acme-one", "1.0"))).status == 200
    for name in ("demo", "acme-one"):
        for file in (await house.index(name))["files"]:
            assert datetime.fromisoformat(file["upload-time"]).tzinfo is not None


async def test_p15_a_private_file_keeps_the_time_of_its_upload(house: House) -> None:
    await house.upload(make_wheel("acme-two", "1.0"))
    first = (await house.index("acme-two"))["files"][0]["upload-time"]
    house.clock.advance(days=3)
    await house.upload(make_wheel("acme-two", "1.1"))
    await house.restart()
    times = {f["filename"]: f["upload-time"] for f in (await house.index("acme-two"))["files"]}
    assert times["acme_two-1.0-py3-none-any.whl"] == first == "2026-11-21T12:00:00Z"
    assert times["acme_two-1.1-py3-none-any.whl"] == "2026-11-24T12:00:00Z"


# P16


async def test_p16_the_legacy_json_knows_what_the_index_knows(house: House) -> None:
    got = await house.ask("/pypi/pypi/demo/json")
    assert got.status == 200
    assert got.json["info"]["version"] == "1.0"
    assert {url["filename"] for url in got.json["urls"]} == {
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
    }
    assert all(url["url"].startswith(f"{house.root}/pypi/files/demo/") for url in got.json["urls"])
    assert (await house.ask("/pypi/pypi/demo/1.0/json")).json["info"]["version"] == "1.0"
    assert (await house.ask("/pypi/pypi/demo/9.9/json")).status == 404


async def test_p16_the_legacy_json_is_no_way_around_a_denial(house: House) -> None:
    await house.decree('[pypi]\nmode = "guarded"\ndeny = ["demo"]\n[npm]\nmode = "guarded"\n')
    for path in ("/pypi/pypi/demo/json", "/pypi/pypi/demo/1.0/json"):
        got = await house.ask(path)
        assert (got.status, b"denied" in got.body or b"deny" in got.body) == (403, True)
    assert not house.upstream.requests


async def test_p4_an_index_of_a_later_minor_version_with_unknown_keys_is_read(house: House) -> None:
    house.upstream.lie(
        rewritten('"meta": {', '"_last-serial": 7, "novel": [1], "meta": {"_x": 1, '), "/simple/demo/"
    )
    assert len((await house.index("demo"))["files"]) == 2


async def test_p4_a_document_of_another_major_version_is_a_broken_source(house: House) -> None:
    house.upstream.lie(
        document(b'{"meta": {"api-version": "2.0"}, "name": "demo", "files": []}'), "/simple/demo/"
    )
    assert (await house.ask(DEMO, headers={"Accept": JSON})).status == 502


# P9


def declared(status: str) -> Any:
    """A fault that gives a project a status (PEP 792)."""
    said = f'"project-status": {{"status": "{status}", "reason": "as told"}}, '
    return rewritten('"meta": {', f'{said}"meta": {{')


async def test_p9_a_quarantined_project_lists_no_files_and_what_is_kept_is_refused_with_the_reason(
    house: House,
) -> None:
    house.upstream.validators = False  # or it would say that nothing changed before it lies
    wheel = make_wheel("demo", "1.0", requires_python=">=3.8")
    await house.fetch(wheel)
    house.upstream.lie(declared("quarantined"), "/simple/demo/")
    house.clock.advance(hours=1)
    index = await house.index("demo")
    assert index["files"] == []
    assert index["project-status"] == {"status": "quarantined", "reason": "as told"}
    page = (await house.ask(DEMO, headers={"Accept": "text/html"})).body
    assert b'<meta name="pypi:project-status" content="quarantined">' in page
    for path in (f"/pypi/files/demo/{wheel.filename}", f"/pypi/files/demo/{wheel.filename}.metadata"):
        got = await house.ask(path)
        assert (got.status, "quarantined" in got.reason) == (403, True), got
    house.upstream.heal()
    house.clock.advance(hours=1)
    assert len((await house.index("demo"))["files"]) == 2
    assert (await house.ask(f"/pypi/files/demo/{wheel.filename}")).is_whole(wheel.data)


@pytest.mark.parametrize("status", ["archived", "deprecated"])
async def test_p9_a_status_that_is_only_advice_is_passed_on(house: House, status: str) -> None:
    house.upstream.lie(declared(status), "/simple/demo/")
    index = await house.index("demo")
    assert index["project-status"] == {"status": status, "reason": "as told"}
    assert len(index["files"]) == 2
    wheel = make_wheel("demo", "1.0", requires_python=">=3.8")
    assert (await house.fetch(wheel)).is_whole(wheel.data)


@pytest.mark.parametrize("status", ["active", "novel"])
async def test_p9_an_active_project_has_no_status(house: House, status: str) -> None:
    house.upstream.lie(declared(status), "/simple/demo/")
    assert "project-status" not in await house.index("demo")
