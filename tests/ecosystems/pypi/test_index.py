"""Reading a source's document: what is kept, what is dropped, what can't be read (P4, P5; U7-U9, U21, U27, U28)."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.pypi import index as reading
from registry.ecosystems.pypi.index import read_index
from registry.ecosystems.pypi.names import parse_name
from registry.errors import SourceFailed
from registry.model.artifacts import Artifact, Digest
from registry.model.indexes import Document, Index, Status
from tests.ecosystems.pypi.files import (
    FOO,
    NOW,
    OTHER_SHA,
    SHA,
    UPSTREAM,
    document,
    entry,
    html_document,
    json_document,
)

WHEEL = "foo_bar-1.0-py3-none-any.whl"


def read(found: Document) -> Index:
    return read_index(FOO, found)


def read_one(**more: Any) -> Artifact:
    index = read(json_document(entry(**more)))
    assert index.dropped == ()
    return index.artifacts[0]


def test_a_json_entry_is_kept_with_all_it_says() -> None:
    found = read_one(
        **{
            "upload-time": "2024-05-06T07:08:09.123456Z",
            "requires-python": ">=3.8",
            "yanked": "broken <b>",
            "core-metadata": {"sha256": OTHER_SHA.upper()},
            "provenance": "https://upstream.example/p",
            "_unknown": {"deep": [1]},
        }
    )
    assert found == Artifact(
        project=FOO,
        filename=WHEEL,
        version="1.0",
        url=f"https://files.example/{WHEEL}",
        digests=(Digest("sha256", SHA),),
        size=100,
        published=datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC),
        yanked="broken <b>",
        requires_python=">=3.8",
        metadata=Digest("sha256", OTHER_SHA),
        provenance="https://upstream.example/p",
    )


def test_an_html_anchor_is_kept_with_all_it_says() -> None:
    page = f"""<!DOCTYPE html><html><head>
        <base href="../../files/"><base href="https://evil.example/">
        <meta name="pypi:repository-version" content="1.4">
        <meta name="pypi:project-status" content="archived">
        <meta name="pypi:project-status-reason" content="gone&#10;fishing"></head><body>
        <script>document.write('<a href="https://evil.example/foo_bar-9-py3-none-any.whl">x</a>')</script>
        <a href="a/{WHEEL}?x=1#sha256={SHA}&amp;egg=x" data-requires-python="&gt;=3.8" data-yanked=""
           data-upload-time="2024-05-06T07:08:09Z" data-core-metadata="sha256={OTHER_SHA}"
           onclick="evil()">ignored</a>
        <A HREF="foo_bar-1.0%2Bcu118-py3-none-any.whl#md5={"0" * 32}">x</A>
        <a href="../">Parent</a><a name="top">"""
    index = read(html_document(page))
    assert index.dropped == ()
    assert index.status == Status("archived", "gone fishing")
    first, second = index.artifacts
    assert first.url == f"https://upstream.example/files/a/{WHEEL}?x=1"
    assert first.digests == (Digest("sha256", SHA),)
    assert first.requires_python == ">=3.8"
    assert first.yanked == ""
    assert first.published == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert first.metadata == Digest("sha256", OTHER_SHA)
    assert first.size is None
    assert second.filename == "foo_bar-1.0+cu118-py3-none-any.whl"
    assert second.url == "https://upstream.example/files/foo_bar-1.0%2Bcu118-py3-none-any.whl"
    assert second.digests == (Digest("md5", "0" * 32),)
    assert second.yanked is None


def test_an_entity_in_an_href_is_undone_before_the_url_is_taken_apart() -> None:
    index = read(html_document(f'<a href="https&#58;//files.example/{WHEEL}&#35;sha256={SHA}">x</a>'))
    assert index.artifacts[0].url == f"https://files.example/{WHEEL}"
    assert index.artifacts[0].digests == (Digest("sha256", SHA),)


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        (f"../../files/{WHEEL}", f"https://upstream.example/files/{WHEEL}"),
        (f"/files/{WHEEL}", f"https://upstream.example/files/{WHEEL}"),
        (f"//files.example/{WHEEL}", f"https://files.example/{WHEEL}"),
        (f"../../../../../{WHEEL}", f"https://upstream.example/{WHEEL}"),
        (f"http://files.example:8080/{WHEEL}#x", f"http://files.example:8080/{WHEEL}"),
    ],
)
def test_urls_count_from_the_document(url: str, whole: str) -> None:
    assert read_one(url=url).url == whole


@pytest.mark.parametrize(
    ("change", "because"),
    [
        pytest.param(
            {"filename": "other-1.0-py3-none-any.whl"}, "not of 'foo-bar'", id="another project's file"
        ),
        pytest.param({"filename": "foo_bar-1.0/../x.whl"}, "characters", id="a path for a name"),
        pytest.param({"filename": "foo_bar-1.0-<script>-none-any.whl"}, "characters", id="markup"),
        pytest.param({"filename": "foo_bar-1.0.whl"}, "isn't the name of a wheel", id="no wheel name"),
        pytest.param(
            {"filename": "foo_bar-0+blocked.allowlist-py3-none-any.whl"}, "refusals", id="our own tombstone"
        ),
        pytest.param({"url": "javascript:alert(1)"}, "http", id="javascript"),
        pytest.param({"url": "file:///etc/passwd"}, "http", id="file"),
        pytest.param({"url": "https://user:secret@files.example/x"}, "credentials", id="credentials"),
        pytest.param({"url": "https://files.example:port/x"}, "isn't a URL", id="a port that is none"),
        pytest.param({"url": "https://[::1/x"}, "isn't a URL", id="a broken address"),
        pytest.param({"url": "https://files.example/a b"}, "isn't a URL", id="a space"),
        pytest.param({"url": "https://files.example/\r\nHost:x"}, "isn't a URL", id="a line end"),
        pytest.param({"url": "https://files.example/\u00e9"}, "isn't a URL", id="not encoded"),
        pytest.param({"url": "https:///x"}, "http", id="no host"),
        pytest.param({"hashes": {"sha256": "ab"}}, "a sha256 that isn't one", id="short digest"),
        pytest.param({"hashes": {"sha256": "zz" * 32}}, "a sha256 that isn't one", id="no hex"),
        pytest.param({"hashes": [1]}, "PEP 691", id="hashes of another type"),
        pytest.param({"size": -1}, "impossible size", id="negative size"),
        pytest.param({"size": 2**60}, "impossible size", id="huge size"),
        pytest.param({"size": "100"}, "PEP 691", id="size of another type"),
        pytest.param({"url": None}, "PEP 691", id="no url"),
    ],
)
def test_a_forged_or_broken_entry_is_dropped_with_a_sentence_and_costs_only_itself(
    change: dict[str, Any], because: str
) -> None:
    good = entry("foo_bar-2.0-py3-none-any.whl")
    index = read(json_document(entry(**change), good))
    assert [a.version for a in index.artifacts] == ["2.0"]
    (sentence,) = index.dropped
    assert because in sentence
    assert sentence.isascii()
    assert sentence.isprintable()


def test_an_entry_that_is_not_utf_8_is_dropped() -> None:
    body = json_document(entry(), entry("foo_bar-2.0.tar.gz")).body.replace(b"foo_bar-1.0", b"foo_bar\xff")
    index = read(document(body))
    assert [a.version for a in index.artifacts] == ["2.0"]
    assert len(index.dropped) == 1


@pytest.mark.parametrize(
    "filename",
    ["foo_bar-1.0-py2.7.egg", "foo_bar-1.0.win32.exe", "foo-bar-1.0.tar.bz2", "foo-bar-2004d.tar.gz", ""],
)
def test_what_no_installer_takes_is_passed_over_in_silence(filename: str) -> None:
    index = read(json_document(entry(filename)))
    assert (index.artifacts, index.dropped) == ((), ())


def test_one_name_with_two_digests_is_dropped_altogether() -> None:
    twice = entry(hashes={"sha256": OTHER_SHA})
    index = read(json_document(entry(), twice, entry("foo_bar-2.0.tar.gz"), entry()))
    assert [a.version for a in index.artifacts] == ["2.0"]
    assert "listed twice" in index.dropped[0]
    same = read(json_document(entry(), entry()))
    assert len(same.artifacts) == 1
    assert same.dropped == ()


def test_a_name_twice_once_without_digest_is_dropped_too() -> None:
    assert read(json_document(entry(), entry(hashes={}))).artifacts == ()


def test_only_digests_that_we_can_compute_are_kept_the_strongest_first() -> None:
    hashes = {"md5": "0" * 32, "blake3": "x", "sha256": SHA.upper(), "sha512": "0" * 128}
    assert [str(d)[:10] for d in read_one(hashes=hashes).digests] == [
        "sha512:000",
        "sha256:aba",
        "md5:000000",
    ]
    assert read_one(hashes={"blake3": "x"}).digests == ()


@pytest.mark.parametrize(
    ("claim", "yanked"),
    [(False, None), (None, None), ("", None), (True, ""), ("why", "why"), (" a\n\x1b[31mb ", "a [31mb")],
)
def test_yanked_is_a_bool_or_a_reason(claim: object, yanked: str | None) -> None:
    assert read_one(yanked=claim).yanked == yanked


def test_a_long_reason_is_cut() -> None:
    assert len(read_one(yanked="x" * 10_000).yanked or "") == reading.MAX_REASON


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("2024-05-06T07:08:09Z", True),
        ("2024-05-06T09:08:09+02:00", True),
        ("2024-05-06T07:08:09", True),
        ("2026-11-21T12:05:00Z", True),  # a clock that runs a little ahead
        ("2026-11-21T13:00:00Z", False),
        ("9999-12-31T23:59:59-23:59", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("1994-12-31T23:59:59Z", False),
        ("yesterday", False),
        ("", False),
        (None, False),
    ],
)
def test_a_time_that_cannot_be_is_an_unknown_one(text: str | None, known: bool) -> None:
    assert (read_one(**{"upload-time": text}).published is not None) is known


@pytest.mark.parametrize("key", ["core-metadata", "dist-info-metadata", "data-dist-info-metadata"])
def test_metadata_counts_where_its_digest_is_announced(key: str) -> None:
    assert read_one(**{key: {"sha256": SHA}}).metadata == Digest("sha256", SHA)
    for nothing in (True, False, None, {}, {"sha256": "short"}, {"md5": "0" * 32}):
        assert read_one(**{key: nothing}).metadata is None


def test_an_sdist_runs_code_and_offers_no_metadata() -> None:
    found = read_one(filename="foo-bar-1.0.tar.gz", **{"core-metadata": {"sha256": SHA}})
    assert found.install_script
    assert found.metadata is None
    assert not read_one().install_script


@pytest.mark.parametrize("url", ["http://upstream.example/p", "javascript:x", "https://x/\n", None])
def test_provenance_is_on_https_or_nowhere(url: str | None) -> None:
    assert read_one(provenance=url).provenance == ""


def test_versions_are_kept_where_the_source_names_more_than_its_files_do() -> None:
    assert read(json_document(entry(), versions=["1.0", "v2", "0.9", "2004d", 7])).versions == (
        *("0.9", "1.0", "2", "7"),
    )
    assert read(json_document(entry(), versions=["1.0"])).versions == ()


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ({"status": "quarantined", "reason": "malware"}, Status("quarantined", "malware")),
        ({"status": "deprecated"}, Status("deprecated")),
        ({"status": "active"}, None),
        ({"status": "<b>"}, None),
        (None, None),
    ],
)
def test_the_project_status_is_one_of_pep_792(claim: object, status: Status | None) -> None:
    assert read(json_document(**{"project-status": claim})).status == status


UNREADABLE = {
    "empty": b"",
    "no JSON": b"<html>",
    "truncated": b'{"files":[{"filename":"x',
    "an array": b"[]",
    "null": b"null",
    "no files": b'{"meta":{"api-version":"1.0"},"name":"foo-bar"}',
    "files of another type": b'{"files":{}}',
    "NaN": b'{"files":[],"_x":NaN}',
    "NaN among the files": b'{"files":[NaN]}',
    "byte order mark": b"\xef\xbb\xbf" + json_document().body,
    "UTF-16": json_document().body.decode().encode("utf-16"),
    "deep nest": b'{"files":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    "deep nest elsewhere": b'{"files":[],"_x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "another project": json.dumps({"files": [], "name": "other"}).encode(),
    "no project's name": json.dumps({"files": [], "name": "../x"}).encode(),
    "another major version": json.dumps({"files": [], "meta": {"api-version": "2.0"}}).encode(),
    "a version of another type": json.dumps({"files": [], "meta": {"api-version": 1}}).encode(),
    "invalid UTF-8 in a key that counts": b'{"files":[],"name":"\xff"}',
    "lone surrogate": b'{"files":[],"name":"\\ud800"}',
    "lone surrogate among the files": b'{"files":[{"filename":"\\ud800.whl","url":""}]}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_document_that_cannot_be_read_is_the_sources_failure(body: bytes) -> None:
    with pytest.raises(SourceFailed, match="The source's index of foo-bar can't be used"):
        read(document(body))


def test_a_type_that_is_no_index_is_the_sources_failure() -> None:
    with pytest.raises(SourceFailed, match="neither JSON nor HTML"):
        read(document(b"{}", "application/octet-stream"))
    with pytest.raises(SourceFailed, match="we read 1"):
        read(html_document('<meta name="pypi:repository-version" content="2.0">'))
    with pytest.raises(SourceFailed, match="<base>"):
        read(html_document(f'<base href="https://[::1"><a href="{WHEEL}">'))


@pytest.mark.parametrize("page", ["", "<title>Log in</title><a href='/login'>here</a>", "<h1>Back soon"])
def test_a_web_page_is_no_empty_index(page: str) -> None:
    """A portal's or a proxy's page must not make a project's files vanish; an index that says it is one may."""
    with pytest.raises(SourceFailed, match="lists no file"):
        read(html_document(page))
    assert read(html_document(f"{MARK}{page}")).artifacts == ()


def test_an_unnamed_or_differently_spelled_document_is_accepted() -> None:
    assert read(json_document(entry(), name="Foo_Bar")).artifacts
    assert read(document(b'{"files":[]}', "application/json")).artifacts == ()
    nothing = b'{"files":[],"name":"foo-bar","_x":{"__proto__":1,"constructor":2},"name":"foo-bar"}'
    assert read(document(nothing)).artifacts == ()


def test_too_many_entries_are_the_sources_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.ecosystems.pypi.entries.MAX_ENTRIES", 3)
    with pytest.raises(SourceFailed, match="more than 3 files"):
        read(json_document(*[entry()] * 4))
    with pytest.raises(SourceFailed, match="more than 3 files"):
        read(html_document(f'<a href="{WHEEL}">' * 4))
    assert len(read(json_document(*[entry()] * 3)).artifacts) == 1


def test_sentences_about_dropped_entries_are_bounded() -> None:
    many = [entry(url="ftp://x/") for _ in range(reading.MAX_DROPPED + 7)]
    dropped = read(json_document(*many)).dropped
    assert len(dropped) == reading.MAX_DROPPED + 1
    assert dropped[-1] == "7 more entries were dropped."


MARK = '<meta name="pypi:repository-version" content="1.0">'
HTML_TRICKS = {
    "an attribute that breaks out": "<a href='\"><script>alert(1)</script>.whl'>x</a>",
    "an unclosed tag hides the rest": f'<a href="{WHEEL}',
    "a comment": f'<!-- <a href="{WHEEL}"> -->',
    "an unclosed comment": f'<!-- <a href="{WHEEL}">',
    "a style": f'<style><a href="{WHEEL}"></style>',
    "a charref that is no character": '<a href="&#xD800;&#x110000;.whl">',
    "not UTF-8": "<a href='\udcff.whl'>",
    "NUL": '<a href="\0.whl">',
    "declarations": "<!DOCTYPE [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a href='&x;.whl'>",
    "many opened": "<" * 10_000,
}


@pytest.mark.parametrize("page", HTML_TRICKS.values(), ids=HTML_TRICKS.keys())
def test_what_a_page_hides_is_no_entry(page: str) -> None:
    assert read(document(f"{MARK}{page}".encode("utf-8", "surrogateescape"), "text/html")).artifacts == ()


def test_of_an_attribute_that_is_given_twice_the_first_counts() -> None:
    index = read(html_document(f'<a href="{WHEEL}" href="https://evil.example/{WHEEL}">x</a>'))
    assert index.artifacts[0].url == UPSTREAM + WHEEL


@given(st.binary(max_size=200), st.sampled_from(["text/html", "application/vnd.pypi.simple.v1+json"]))
def test_any_bytes_are_an_index_or_the_sources_failure(body: bytes, content_type: str) -> None:
    with contextlib.suppress(SourceFailed):
        assert read(document(body, content_type)).project == FOO


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("filename", "url", "hashes", "size", "upload-time", "yanked", "core-metadata", "requires-python")


@given(st.sampled_from(KEYS), JSONISH)
def test_any_value_of_any_key_gives_an_entry_of_the_project_or_none(key: str, value: object) -> None:
    for artifact in read(json_document(entry() | {key: value})).artifacts:
        assert artifact.project == FOO
        assert artifact.url.startswith("https://")
        assert artifact.published is None or artifact.published <= NOW


def test_a_document_is_read_for_the_project_that_was_asked_for() -> None:
    with pytest.raises(SourceFailed, match="it is about 'foo-bar'"):
        read_index(parse_name("bar"), json_document(entry()))
