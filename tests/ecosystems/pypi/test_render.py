"""What clients are sent: simple API in both forms, tombstones, legacy JSON, the list (P2, P4-P6, P8, P9, P13)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.pypi.index import read_index
from registry.ecosystems.pypi.names import parse_name
from registry.ecosystems.pypi.negotiation import HTML, JSON, REPRESENTATIONS, VERSIONED_HTML, negotiate
from registry.ecosystems.pypi.paths import parse_ask
from registry.ecosystems.pypi.render import (
    offer_metadata,
    render_index,
    render_manifest,
    render_projects,
    render_tombstone,
)
from registry.errors import NotAcceptable
from registry.model.artifacts import Digest
from registry.model.asks import ArtifactAsk
from registry.model.indexes import Index, Representation, Status
from registry.model.targets import parse_target
from tests.ecosystems.pypi.files import (
    FOO,
    NOW,
    OTHER_SHA,
    SHA,
    artifact,
    decision,
    document,
    html_document,
    index,
    refusal,
)

BASE = "http://registry.example/pypi"
V1 = "application/vnd.pypi.simple.v1"
WHEEL = "foo_bar-1.0-py3-none-any.whl"
NEWER = "foo_bar-2.0-py3-none-any.whl"


def as_json(found: Index, **withheld: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render_index(found, withheld, BASE, JSON))
    return document


def as_html(found: Index, **withheld: Any) -> str:
    return render_index(found, withheld, BASE, HTML).decode()


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        pytest.param(None, HTML, id="no header"),
        pytest.param("", HTML, id="empty"),
        pytest.param("*/*", HTML, id="curl"),
        pytest.param("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML, id="browser"),
        pytest.param(f"{V1}+json, {V1}+html; q=0.1, text/html; q=0.01", JSON, id="pip"),
        pytest.param(f"{V1}+json, {V1}+html;q=0.2, text/html;q=0.01", JSON, id="uv"),
        pytest.param("application/vnd.pypi.simple.latest+json", JSON, id="latest"),
        pytest.param("application/vnd.pypi.simple.latest+html", VERSIONED_HTML, id="latest html"),
        pytest.param(f"{V1}+html", VERSIONED_HTML, id="versioned html"),
        pytest.param("text/html", HTML, id="html"),
        pytest.param(f"{V1}+json;q=0.1, text/html", HTML, id="html liked better"),
        pytest.param(f"{V1}+json, */*", JSON, id="what is spelled out wins"),
        pytest.param(f"text/html, {V1}+json", JSON, id="json among equals"),
        pytest.param("application/*", JSON, id="a family"),
        pytest.param("text/*", HTML, id="text"),
        pytest.param("*/*, text/html;q=0", JSON, id="anything but html"),
        pytest.param(f"*/*, text/html;q=0, {V1}+json;q=0, application/*;q=0.5", JSON, id="latest is left"),
        pytest.param("TEXT/HTML;level=1;Q=0.5", HTML, id="case and other parameters"),
    ],
)
def test_p2_accept_chooses_the_form(accept: str | None, chosen: Representation) -> None:
    assert negotiate(accept) is chosen


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "image/png, application/xml",
        "text/html;q=0",
        "text/html;q=nan",
        "text/html;q=2",
        "text/html;q=-1",
        "garbage",
        ";;;,,,",
        f"{V1.replace('v1', 'v2')}+json",
    ],
)
def test_p2_an_unknown_type_alone_is_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"application/vnd\.pypi\.simple\.v1\+json"):
        negotiate(accept)


@given(st.text(max_size=60))
def test_any_accept_header_is_negotiated_or_not_acceptable(accept: str) -> None:
    try:
        assert negotiate(accept) in REPRESENTATIONS
    except NotAcceptable:
        assert accept.strip()


def test_p4_json_says_all_that_is_known() -> None:
    full = artifact(
        requires_python=">=3.8",
        metadata=Digest("sha256", OTHER_SHA),
        yanked="broken",
        published=datetime(2024, 5, 6, 7, 8, 9, 120000, tzinfo=UTC),
    )
    assert as_json(index(full, artifact(NEWER), versions=("0.9",))) == {
        "meta": {"api-version": "1.4"},
        "name": "foo-bar",
        "versions": ["0.9", "1.0", "2.0"],
        "files": [
            {
                "filename": WHEEL,
                "url": f"../../files/foo-bar/{WHEEL}",
                "hashes": {"sha256": SHA},
                "requires-python": ">=3.8",
                "size": 100,
                "upload-time": "2024-05-06T07:08:09.120000Z",
                "yanked": "broken",
                "core-metadata": {"sha256": OTHER_SHA},
                "dist-info-metadata": {"sha256": OTHER_SHA},
            },
            {
                "filename": NEWER,
                "url": f"../../files/foo-bar/{NEWER}",
                "hashes": {"sha256": SHA},
                "size": 100,
                "upload-time": "2024-05-06T07:08:09Z",
            },
        ],
    }


def test_p4_without_a_size_the_api_version_is_one_that_does_not_promise_it() -> None:
    document = as_json(index(artifact(size=None), artifact(NEWER)))
    assert document["meta"] == {"api-version": "1.0"}
    assert "size" not in document["files"][0]
    assert as_json(index(artifact(size=0)))["files"][0]["size"] == 0


def test_p5_html_says_the_same() -> None:
    full = artifact(
        "foo_bar-1.0+cu118-py3-none-any.whl",
        requires_python=">=3.8",
        metadata=Digest("sha256", OTHER_SHA),
        yanked="",
        digests=(Digest("sha512", "0" * 128), Digest("sha256", SHA)),
    )
    page = as_html(index(full, status=Status("archived", "<gone>")))
    assert '<meta name="pypi:repository-version" content="1.4">' in page
    assert '<meta name="pypi:project-status" content="archived">' in page
    assert '<meta name="pypi:project-status-reason" content="&lt;gone&gt;">' in page
    assert (
        f'<a href="../../files/foo-bar/foo_bar-1.0%2Bcu118-py3-none-any.whl#sha256={SHA}" '
        f'data-requires-python="&gt;=3.8" data-yanked="" data-upload-time="2024-05-06T07:08:09Z" '
        f'data-core-metadata="sha256={OTHER_SHA}" data-dist-info-metadata="sha256={OTHER_SHA}">'
        "foo_bar-1.0+cu118-py3-none-any.whl</a>"
    ) in page


@pytest.mark.parametrize("representation", REPRESENTATIONS, ids=lambda r: r.name)
def test_p6_no_url_of_a_source_is_shown(representation: Representation) -> None:
    found = index(artifact(provenance="https://upstream.example/p", url="https://upstream.example/x"))
    body = render_index(found, {}, BASE, representation)
    assert b"upstream" not in body
    assert b"upstream" not in (render_manifest(found, {}, BASE, None) or b"")
    assert b"://" not in body


REASONS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30)


@given(REASONS, st.sampled_from([JSON, HTML]))
def test_what_we_render_reads_back_the_same(reason: str, representation: Representation) -> None:
    known = artifact("foo_bar-1!1.0+a.1-py3-none-any.whl", yanked=reason, requires_python=reason, size=None)
    body = render_index(index(known), {}, BASE, representation)
    if representation is HTML:
        assert body.count(b"<a ") == 1
        assert body.count(b"<") == body.count(b">")
    media_type = representation.content_type.partition(";")[0]
    (back,) = read_index(FOO, document(body, media_type)).artifacts
    assert (back.filename, back.digests, back.published) == (known.filename, known.digests, known.published)
    assert (back.yanked, back.requires_python) == (reason, reason)


@given(
    st.lists(st.tuples(REASONS, st.booleans()), min_size=1, max_size=4),
    st.data(),
    st.sampled_from([JSON, HTML]),
)
def test_metadata_that_is_put_in_is_where_rendering_puts_it(
    files: list[tuple[str, bool]], data: st.DataObject, representation: Representation
) -> None:
    known = [
        artifact(
            f"foo_bar-{at}.0+l.1-py3-none-any.whl",
            yanked=reason,
            metadata=Digest("sha256", SHA) if told else None,
        )
        for at, (reason, told) in enumerate(files, 1)
    ]
    at = data.draw(st.integers(0, len(known) - 1))
    said = msgspec.structs.replace(known[at], metadata=known[at].metadata or Digest("sha256", OTHER_SHA))
    body = render_index(index(*known), {}, BASE, representation)
    amended = offer_metadata(body, representation, said.filename, OTHER_SHA)
    assert amended == render_index(index(*known[:at], said, *known[at + 1 :]), {}, BASE, representation)
    assert offer_metadata(amended, representation, said.filename, OTHER_SHA) == amended
    assert offer_metadata(body, representation, "foo_bar-9.0-py3-none-any.whl", OTHER_SHA) == body


def test_p5_hostile_text_is_text_in_html() -> None:
    page = as_html(index(artifact(yanked='"><script>alert(1)</script>', requires_python="'><img src=x>")))
    assert "<script" not in page
    assert "<img" not in page


def test_p8_yanks_are_passed_on() -> None:
    reasons = [f.get("yanked", False) for f in as_json(index(artifact(yanked=""), artifact(NEWER)))["files"]]
    assert reasons == [True, False]


def test_a_withheld_file_is_yanked_with_the_reason() -> None:
    found = index(artifact(), artifact(NEWER, yanked="by its author"))
    no = refusal()
    files = as_json(index(artifact(), artifact(NEWER)), **{NEWER: no})["files"]
    assert [f.get("yanked") for f in files] == [None, no.message]
    page = as_html(index(artifact(), artifact(NEWER)), **{NEWER: no})
    assert 'data-yanked="Blocked: looks like `requests` (why: http://registry.example/why/0)"' in page
    assert [f.get("yanked") for f in as_json(found, **{NEWER: no})["files"]] == [None, no.message]


def test_where_nothing_is_left_to_fall_back_to_files_are_shown_as_they_are() -> None:
    found = index(artifact(), artifact(NEWER, yanked="by its author"))
    files = as_json(found, **{WHEEL: refusal(), NEWER: refusal()})["files"]
    assert [f.get("yanked") for f in files] == [None, "by its author"]
    files = as_json(found, **{WHEEL: refusal()})["files"]
    assert [f.get("yanked") for f in files] == [None, "by its author"]


@pytest.mark.parametrize("representation", REPRESENTATIONS, ids=lambda r: r.name)
def test_p9_every_form_tells_the_status_and_its_reason(representation: Representation) -> None:
    body = render_index(index(status=Status("quarantined", "malware")), {}, BASE, representation)
    assert b"quarantined" in body
    assert b"malware" in body


def test_the_status_is_passed_on_in_json() -> None:
    assert as_json(index(status=Status("archived")))["project-status"] == {"status": "archived"}
    assert "project-status" not in as_json(index())


def test_p13_the_project_list_has_both_forms() -> None:
    assert json.loads(render_projects(("a", "b-c"), JSON)) == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "a"}, {"name": "b-c"}],
    }
    assert '<a href="b-c/">b-c</a>' in render_projects(("a", "b-c"), HTML).decode()


@pytest.mark.parametrize("representation", REPRESENTATIONS, ids=lambda r: r.name)
def test_a_tombstone_reads_as_an_index_of_one_file_of_the_project(representation: Representation) -> None:
    project = parse_name("reqeusts-x")
    no = decision(project, resembles="python-dateutil")
    body = render_tombstone(project, no, representation, BASE)
    found = b"reqeusts_x-0%2Bblocked.lookalike.of.python.dateutil-py3-none-any.whl"
    assert found in body
    path = f"files/reqeusts-x/{found.decode()}"
    assert isinstance(parse_ask(parse_target("GET", path)), ArtifactAsk)
    if representation is JSON:
        document = json.loads(body)
        assert document["meta"] == {"api-version": "1.0"}
        assert document["versions"] == ["0+blocked.lookalike.of.python.dateutil"]
        assert document["files"][0]["hashes"] == {}
        assert document["files"][0]["upload-time"] < NOW.isoformat()


def test_p16_legacy_json_lists_all_versions_of_our_index_under_our_urls() -> None:
    found = index(
        artifact(requires_python=">=3.8", metadata=Digest("sha256", OTHER_SHA)),
        artifact(NEWER, version="2.0"),
        artifact("foo_bar-3.0rc1.tar.gz", version="3.0rc1", published=None, size=None),
    )
    body = json.loads(render_manifest(found, {}, BASE, None) or b"")
    assert body["info"]["version"] == "2.0"
    assert list(body["releases"]) == ["1.0", "2.0", "3.0rc1"]
    assert body["releases"]["1.0"] == [
        {
            "filename": WHEEL,
            "packagetype": "bdist_wheel",
            "url": f"{BASE}/files/foo-bar/{WHEEL}",
            "digests": {"sha256": SHA},
            "requires_python": ">=3.8",
            "size": 100,
            "upload_time": "2024-05-06T07:08:09",
            "upload_time_iso_8601": "2024-05-06T07:08:09Z",
            "yanked": False,
            "yanked_reason": None,
        }
    ]
    assert body["urls"] == body["releases"]["2.0"]
    assert body["releases"]["3.0rc1"][0]["packagetype"] == "sdist"
    assert body["releases"]["3.0rc1"][0]["upload_time"] is None


def test_p16_legacy_json_of_one_version_is_about_that_version() -> None:
    found = index(artifact(requires_python=">=3.8"), artifact(NEWER, version="2.0"))
    body = json.loads(render_manifest(found, {}, BASE, "1.0.0") or b"")
    assert body["info"] == {
        "name": "foo-bar",
        "version": "1.0",
        "requires_python": ">=3.8",
        "yanked": False,
        "yanked_reason": None,
    }
    assert [url["filename"] for url in body["urls"]] == [WHEEL]
    assert "releases" not in body
    for nothing in ("9.9", "latest", "../1"):
        assert render_manifest(found, {}, BASE, nothing) is None
    assert render_manifest(index(), {}, BASE, None) is None


def test_p16_legacy_json_is_no_way_around_what_is_withheld() -> None:
    found = index(artifact(), artifact(NEWER, version="2.0"))
    body = json.loads(render_manifest(found, {NEWER: refusal()}, BASE, None) or b"")
    assert body["info"]["version"] == "1.0"
    assert body["releases"]["2.0"][0]["yanked_reason"].startswith("Blocked: ")
    held = json.loads(render_manifest(found, {NEWER: refusal()}, BASE, "2.0") or b"")
    assert held["info"]["yanked"] is True


def test_html_that_names_a_base_is_not_ours() -> None:
    assert "<base" not in as_html(
        read_index(FOO, html_document(f'<base href="https://x.example/"><a href="{NEWER}">'))
    )
