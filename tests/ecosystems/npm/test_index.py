import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import SourceFailed
from registry.model.artifacts import Digest
from tests.ecosystems.npm.world import CHECKED, UPSTREAM, integrity, manifest, packument, read

NAME = "left-pad"


def one(**fields: Any) -> dict[str, Any]:
    return packument(NAME, ["1.0.0"], versions={"1.0.0": manifest(NAME, "1.0.0", **fields)})


def test_a_packument_becomes_an_index_in_its_own_order() -> None:
    index = read(packument(NAME, ["1.0.0", "0.9.0", "1.1.0-rc.1"]))
    first = index.artifacts[0]
    assert [a.version for a in index.artifacts] == ["1.0.0", "0.9.0", "1.1.0-rc.1"]
    assert first.filename == "left-pad-1.0.0.tgz"
    assert first.url == f"{UPSTREAM}/left-pad/-/left-pad-1.0.0.tgz"
    assert first.published == datetime(2020, 1, 1, tzinfo=UTC)
    assert first.digests == (
        Digest("sha512", hashlib.sha512(b"left-pad@1.0.0").hexdigest()),
        Digest("sha1", hashlib.sha1(b"left-pad@1.0.0").hexdigest()),
    )
    assert index.tags == {"latest": "1.1.0-rc.1"}
    assert index.dropped == ()


def test_a_manifest_is_carried_as_the_bytes_it_came_in() -> None:
    spaced = (
        b'{ "name":"left-pad","version" : "1.0.0", "odd":1e2, "dist":{"tarball":"https://up.test/x.tgz"} }'
    )
    body = b'{"name":"left-pad","versions":{"1.0.0":' + spaced + b"}}"
    assert bytes(read(body).artifacts[0].carried) == spaced


def test_a_tarball_with_an_odd_name_has_its_canonical_one_here() -> None:
    index = read(one(dist={"tarball": "https://up.test/download/987?file=x"}))
    assert index.artifacts[0].filename == "left-pad-1.0.0.tgz"
    assert index.artifacts[0].url == "https://up.test/download/987?file=x"


def test_a_value_of_an_odd_kind_costs_only_itself() -> None:
    odd = one(
        scripts="none", deprecated={"why": 1}, _npmUser=[1], dist={"signatures": 5, "attestations": "x"}
    )
    (artifact,) = read(odd).artifacts
    assert (artifact.install_script, artifact.yanked, artifact.publisher) == (False, "", "")
    assert (artifact.signatures, artifact.provenance) == ((), "")
    assert artifact.digests[0].algorithm == "sha512"


@pytest.mark.parametrize(
    ("dist", "algorithms"),
    [
        pytest.param({"integrity": None}, ["sha1"], id="a shasum alone is weak, and stays so"),
        pytest.param({"integrity": integrity(b"x", "sha1"), "shasum": hashlib.sha1(b"x").hexdigest()}, ["sha1"], id="an SRI sha1"),
        pytest.param({"integrity": f"{integrity(b'x', 'sha256')} {integrity(b'x')}", "shasum": None}, ["sha512", "sha256"], id="several, the strongest first"),
        pytest.param({"integrity": f"{integrity(b'x')}?foo", "shasum": None}, ["sha512"], id="with an option"),
        pytest.param({"integrity": "sha512-AAAA", "shasum": None}, [], id="too short for its algorithm"),
        pytest.param({"integrity": "sha512-!!!!", "shasum": None}, [], id="not base64"),
        pytest.param({"integrity": "whirlpool-AAAA", "shasum": "zz"}, [], id="unknown and broken"),
        pytest.param({"integrity": 5, "shasum": ["x"]}, [], id="not text"),
        pytest.param({"integrity": "", "shasum": None}, [], id="nothing"),
    ],
)  # fmt: skip
def test_digests_are_taken_from_integrity_and_shasum(dist: dict[str, Any], algorithms: list[str]) -> None:
    index = read(one(dist=dist))
    assert [d.algorithm for d in index.artifacts[0].digests] == algorithms


@pytest.mark.parametrize(
    ("deprecated", "yanked"),
    [("use x", "use x"), ("", None), (False, None), (None, None), (True, ""), ({"a": 1}, "")],
)
def test_a_deprecation_is_a_yank(deprecated: object, yanked: str | None) -> None:
    assert read(one(deprecated=deprecated)).artifacts[0].yanked == yanked


@pytest.mark.parametrize(
    ("fields", "runs"),
    [
        ({}, False),
        ({"hasInstallScript": True}, True),
        ({"scripts": {"postinstall": "node x"}}, True),
        ({"scripts": {"preinstall": "x"}}, True),
        ({"scripts": {"install": "x"}}, True),
        ({"scripts": {"test": "x", "install": ""}}, False),
        ({"scripts": ["install"]}, False),
        ({"gypfile": True}, True),
    ],
)
def test_an_install_script_is_found_where_nobody_flags_it(fields: dict[str, Any], runs: bool) -> None:
    assert read(one(**fields)).artifacts[0].install_script is runs


def test_a_sources_clock_may_run_a_little_ahead() -> None:
    soon = CHECKED + timedelta(minutes=5)
    assert read(packument(NAME, ["1.0.0"], time={"1.0.0": soon.isoformat()})).artifacts[0].published == soon


@pytest.mark.parametrize(
    "time",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="a list"),
        pytest.param({}, id="empty"),
        pytest.param({"1.0.0": "yesterday"}, id="words"),
        pytest.param({"1.0.0": 1577836800}, id="a number"),
        pytest.param({"1.0.0": "2020-01-01T00:00:00"}, id="without a zone"),
        pytest.param({"1.0.0": "0001-01-01T00:00:00+23:00"}, id="before all time"),
        pytest.param({"1.0.0": "1994-12-31T23:59:59Z"}, id="before there was npm"),
        pytest.param({"1.0.0": "1970-01-01T00:00:00.000Z"}, id="the epoch"),
        pytest.param({"1.0.0": "9999-12-31T23:59:59-23:59"}, id="after all time"),
        pytest.param({"1.0.0": (CHECKED + timedelta(minutes=11)).isoformat()}, id="in the future"),
    ],
)
def test_a_time_that_says_nothing_is_unknown(time: object) -> None:
    assert read(packument(NAME, ["1.0.0"], time=time)).artifacts[0].published is None


@pytest.mark.parametrize(
    ("version", "described"),
    [
        pytest.param("1.0.0", manifest("other", "1.0.0"), id="another package's manifest (U9)"),
        pytest.param("1.0.0", manifest(NAME, "2.0.0"), id="another version's manifest (U9)"),
        pytest.param("1.0.0", {"dist": {"tarball": "https://up.test/x.tgz"}}, id="nameless"),
        pytest.param("1.0.0", {"name": NAME, "version": "1.0.0"}, id="without dist"),
        pytest.param("1.0.0", {"name": NAME, "version": "1.0.0", "dist": []}, id="dist is a list"),
        pytest.param("1.0.0", [], id="not an object"),
        pytest.param("1.0.0", None, id="null"),
        pytest.param("latest", manifest(NAME, "latest"), id="a word for a version (H8)"),
        pytest.param("../1", manifest(NAME, "../1"), id="a path for a version (H8)"),
        pytest.param("__proto__", manifest(NAME, "__proto__"), id="prototype"),
        pytest.param("1.0.0 ", manifest(NAME, "1.0.0 "), id="a blank at the end"),
        pytest.param("1.0", manifest(NAME, "1.0"), id="two numbers"),
        *(
            pytest.param("1.0.0", manifest(NAME, "1.0.0", dist={"tarball": url}), id=f"tarball at {url!r} (U21)")
            for url in (
                "", 5, None, "/x.tgz", "//up.test/x.tgz", "x.tgz", "javascript:alert(1)", "file:///etc/passwd",
                "ftp://up.test/x.tgz", "https://up.test", "https:///x.tgz", "https://user:pw@up.test/x.tgz",
                "https://up.test/a/../x.tgz", "https://up.test/%2e%2e/x.tgz", "https://up.test/a\\..\\x.tgz",
                "https://up.test/..%5cx.tgz", "https://up.test/x y.tgz", "https://up.test/x\n.tgz",
                "https://üp.test/x.tgz", "https://up.test:0/x.tgz", "https://up.test:99999/x.tgz", "https://[::1/x.tgz",
            )
        ),
        pytest.param("1.0.0", manifest(NAME, "1.0.0", dist={"integrity": f"{integrity(b'a')} {integrity(b'b')}"}), id="two digests for one file (U8)"),
        pytest.param("1.0.0", manifest(NAME, "1.0.0", dist={"integrity": integrity(b"a", "sha1")}), id="shasum says otherwise (U8)"),
    ],
)  # fmt: skip
def test_a_forged_or_broken_version_is_left_out_and_told(version: str, described: object) -> None:
    versions = {version: described, "0.1.0": manifest(NAME, "0.1.0")}
    index = read(packument(NAME, ["0.1.0"], versions=versions))
    assert [a.version for a in index.artifacts] == ["0.1.0"]
    assert len(index.dropped) == 1
    assert "was left out" in index.dropped[0]
    assert index.dropped[0].isprintable()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"name":"left-pad"', id="cut off"),
        pytest.param(b'{"name":"left-pad"} x', id="something behind"),
        pytest.param(b'{"name":"other"}', id="another package (U9)"),
        pytest.param(b'{"name":"Left-Pad"}', id="another case"),
        pytest.param(b'{"versions":{}}', id="nameless"),
        pytest.param(b'{"name":["left-pad"]}', id="a list for a name"),
        pytest.param(b'\xef\xbb\xbf{"name":"left-pad"}', id="byte order mark"),
        pytest.param(b'{"name":"left-pad","x":"\xff"}', id="invalid UTF-8"),
        pytest.param(b'{"name":"left-pad","\xff":1}', id="invalid UTF-8 in a key"),
        pytest.param('{"name":"left-pad"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"name":"left-pad","x":NaN}', id="NaN"),
        pytest.param(b'{"name":"left-pad","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="100,000 deep"),
        pytest.param(b'{"name":"left-pad","versions":[]}', id="versions are a list"),
        pytest.param(b'{"name":"left-pad","versions":null}', id="versions are null"),
        pytest.param(b'{"name":"left-pad","dist-tags":"latest"}', id="tags are text"),
        pytest.param(b"<html>not here</html>", id="a page"),
    ],
)
def test_a_document_that_is_no_packument_of_the_project_is_the_sources_failure(body: bytes) -> None:
    with pytest.raises(SourceFailed) as caught:
        read(body)
    assert str(caught.value).isprintable()


def test_more_versions_than_anyone_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.ecosystems.npm.index.MAX_VERSIONS", 2)
    with pytest.raises(SourceFailed, match="more than 2 versions"):
        read(packument(NAME, ["1.0.0", "1.0.1", "1.0.2"]))


def test_a_lone_surrogate_is_replaced_and_a_pair_kept() -> None:
    text = rb"cut \ud83d here, \ude00 there, \ud83d\ude00 whole, \\ud83d escaped"
    index = read(b'{"name":"left-pad","readme":"' + text + b'"}')
    assert json.loads(index.carried)["readme"] == "cut � here, � there, 😀 whole, \\ud83d escaped"


def test_of_two_equal_keys_the_last_counts_as_it_does_for_npm() -> None:
    body = json.dumps(packument(NAME, ["1.0.0"]))
    forged = body.replace('"versions":', '"versions": {"6.6.6": {}}, "versions":', 1)
    assert [a.version for a in read(forged.encode()).artifacts] == ["1.0.0"]


def test_what_only_a_back_end_or_another_policy_needs_is_not_carried() -> None:
    extra = {
        k: {"x": 1}
        for k in ("_attachments", "_uplinks", "_distfiles", "stagedVersions", "policyRestrictions")
    }
    carried = json.loads(read(packument(NAME, ["1.0.0"], **extra)).carried)
    assert sorted(carried) == ["_id", "_rev", "readme", "time"]


def test_a_package_without_versions_has_none() -> None:
    index = read({"name": NAME, "time": {"unpublished": {"time": "2020-01-01T00:00:00.000Z"}}})
    assert index.artifacts == ()
    assert index.tags == {}


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ({"latest": "1.0.0", "next": "2.0.0-rc.1"}, {"latest": "1.0.0", "next": "2.0.0-rc.1"}),
        ({"latest": "1.0.0", "next": "9.9.9"}, {"latest": "1.0.0"}),
        ({"latest": "1.5.0"}, {"latest": "1.0.0"}),
        ({"latest": "1.0.0", "__proto__": "1.0.0", "1.0": "1.0.0", "a b": "1.0.0"}, {"latest": "1.0.0"}),
        ({"latest": ["1.0.0"]}, {}),
        ({"latest": "nonsense"}, {}),
    ],
)
def test_tags_are_kept_where_they_lead_somewhere(tags: dict[str, Any], kept: dict[str, str]) -> None:
    index = read(packument(NAME, ["0.9.0", "1.0.0", "2.0.0-rc.1"], **{"dist-tags": tags}))
    assert index.tags == kept


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "version", "dist", "tarball", "integrity", "shasum", "scripts", "1.0.0"]), inner, max_size=4), max_leaves=12))  # fmt: skip
def test_no_shape_of_a_packument_breaks_the_reader(shape: object) -> None:
    for key in ("versions", "dist-tags", "time"):
        try:
            index = read({"name": NAME, key: shape})
            read({"name": NAME, "versions": {"1.0.0": shape}, "time": shape})
        except SourceFailed:
            continue
        assert index.artifacts == ()


@pytest.mark.parametrize(
    ("latest", "whole", "expected"),
    [
        ({"description": "A  kite", "keywords": ["wind", "string"]}, {}, "A kite wind string"),
        ({}, {"description": "A kite", "keywords": "wind"}, "A kite wind"),
        ({"description": 7, "keywords": [{}, None, "x"]}, {"description": "unasked"}, "x"),
        ({"description": "long " * 1000}, {}, ("long " * 200).strip()),
        ({}, {}, ""),
    ],
)
def test_a_summary_is_what_the_latest_version_says_it_is_about(
    latest: dict[str, Any], whole: dict[str, Any], expected: str
) -> None:
    assert read(one(**latest) | whole).summary == expected
