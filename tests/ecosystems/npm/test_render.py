import copy
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import nodesemver
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.npm import NPM
from registry.model.indexes import Index
from tests.ecosystems.npm.test_names import VERSIONS
from tests.ecosystems.npm.world import BASE, UPSTREAM, manifest, packument, read, rendered, withhold

NAME = "@acme/left-pad"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def scoped(*numbers: str, **fields: Any) -> Index:
    return read(packument(NAME, numbers, **fields), NAME)


def test_tarballs_are_offered_here_in_the_shape_that_lock_files_leave_out() -> None:
    versions = rendered(scoped("1.0.0", "1.1.0+build"))["versions"]
    assert versions["1.0.0"]["dist"]["tarball"] == f"{BASE}/@acme/left-pad/-/left-pad-1.0.0.tgz"
    assert versions["1.1.0+build"]["dist"]["tarball"] == f"{BASE}/@acme/left-pad/-/left-pad-1.1.0+build.tgz"


def test_attestations_are_offered_here_too_and_keep_the_rest() -> None:
    url = f"{UPSTREAM}/-/npm/v1/attestations/@acme%2fleft-pad@1.0.0"
    stated = {"attestations": {"url": url, "provenance": {"predicateType": "p"}}}
    index = scoped("1.0.0", versions={"1.0.0": manifest(NAME, "1.0.0", dist=stated)})
    shown = rendered(index)["versions"]["1.0.0"]["dist"]["attestations"]
    assert shown == {
        "url": f"{BASE}/-/npm/v1/attestations/@acme%2fleft-pad@1.0.0",
        "provenance": {"predicateType": "p"},
    }
    assert index.artifacts[0].provenance == url


@given(st.dictionaries(st.text(max_size=12), JSON_VALUES, max_size=6), st.booleans())
def test_nothing_else_of_a_version_is_touched(extra: dict[str, Any], escaped: bool) -> None:
    stated = extra | manifest(NAME, "1.0.0", deprecated="old", _npmUser={"trustedPublisher": {"id": "x"}})
    document = packument(NAME, ["1.0.0"], versions={"1.0.0": stated})
    index = read(json.dumps(document, ensure_ascii=escaped).encode("utf-8", "replace"), NAME)
    before = msgspec.json.decode(index.artifacts[0].carried, type=dict[str, msgspec.Raw])
    after = msgspec.json.decode(
        NPM.render_manifest(index, {}, BASE, "1.0.0") or b"", type=dict[str, msgspec.Raw]
    )
    assert list(after) == list(before)
    assert all(bytes(after[key]) == bytes(before[key]) for key in before if key != "dist")
    dist_before = msgspec.json.decode(before["dist"], type=dict[str, msgspec.Raw])
    dist_after = msgspec.json.decode(after["dist"], type=dict[str, msgspec.Raw])
    assert list(dist_after) == list(dist_before)
    untouched = set(dist_before) - {"tarball"}
    assert all(bytes(dist_after[key]) == bytes(dist_before[key]) for key in untouched)


def test_the_full_packument_carries_what_the_source_said() -> None:
    document = packument(NAME, ["1.0.0", "1.1.0"], maintainers=[{"name": "ada"}], users={"b": True})
    expected = copy.deepcopy(document)
    for version, stated in expected["versions"].items():
        stated["dist"]["tarball"] = f"{BASE}/{NAME}/-/left-pad-{version}.tgz"
    assert rendered(read(document, NAME)) == expected


def test_the_abbreviated_packument_has_what_an_installer_needs_and_the_times() -> None:
    stated = manifest(
        NAME,
        "1.0.0",
        dependencies={"a": "1"},
        engines={"node": ">=18"},
        readme="long",
        scripts={"install": "x"},
    )
    shown = rendered(scoped("1.0.0", versions={"1.0.0": stated}), form="install")
    assert sorted(shown) == ["dist-tags", "modified", "name", "time", "versions"]
    assert shown["modified"] == "2024-01-01T00:00:00.000Z"
    assert shown["time"]["1.0.0"] == "2020-01-01T00:00:00.000Z"
    assert sorted(shown["versions"]["1.0.0"]) == [
        "dependencies",
        "dist",
        "engines",
        "hasInstallScript",
        "name",
        "version",
    ]
    assert shown["versions"]["1.0.0"]["hasInstallScript"] is True, "which only the abbreviated form promises"


def test_times_that_the_source_leaves_out_come_from_first_sight() -> None:
    index = scoped("1.0.0", "1.1.0", "1.2.0", time=None)
    seen = datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=UTC)
    first, second, third = index.artifacts
    filled = msgspec.structs.replace(
        index,
        artifacts=(
            msgspec.structs.replace(first, published=seen),
            msgspec.structs.replace(second, published=seen.replace(year=2027)),
            third,
        ),
    )
    assert rendered(filled)["time"] == {
        "created": "2026-03-04T05:06:07.089Z",
        "modified": "2027-03-04T05:06:07.089Z",
        "1.0.0": "2026-03-04T05:06:07.089Z",
        "1.1.0": "2027-03-04T05:06:07.089Z",
    }
    assert "time" not in rendered(index)


def test_withheld_versions_are_left_out_and_told_in_the_words_npm_prints() -> None:
    index = scoped("1.0.0", "1.1.0", **{"dist-tags": {"latest": "1.1.0", "next": "1.1.0", "old": "1.0.0"}})
    for form in ("full", "install"):
        shown = rendered(index, withhold(index, "1.1.0"), form)
        assert list(shown["versions"]) == ["1.0.0"]
        assert "1.1.0" not in shown["time"]
        assert shown["dist-tags"] == {"old": "1.0.0", "latest": "1.0.0"}
        assert shown["policyRestrictions"] == {
            "versions": {"1.1.0": {"name": NAME, "version": "1.1.0"}},
            "message": f"1.1.0: Held: too young (why: http://registry.test:8080/why/{'0' * 32})",
        }


def test_where_nothing_is_withheld_nothing_is_told() -> None:
    assert "policyRestrictions" not in rendered(scoped("1.0.0"))


def test_one_message_groups_the_versions_by_reason_and_stays_short() -> None:
    numbers = [f"1.{n}.0" for n in range(30)]
    index = scoped(*numbers)
    withheld = withhold(index, *numbers[:8], reason="denied") | {
        k: v for n in numbers[8:] for k, v in withhold(index, n, reason=f"reason {n}").items()
    }
    del withheld["left-pad-1.29.0.tgz"]
    lines = rendered(index, withheld)["policyRestrictions"]["message"].splitlines()
    assert lines[0].startswith("1.28.0: Held: reason 1.28.0")
    assert lines[-1] == "and 12 more reasons; ask for one version to see its own."
    only_denied = rendered(index, withhold(index, *numbers[:8], reason="denied"))["policyRestrictions"][
        "message"
    ]
    assert only_denied.startswith("1.7.0, 1.6.0, 1.5.0, 1.4.0, 1.3.0 and 3 more: Held: denied")


@pytest.mark.parametrize(
    ("versions", "latest", "withheld", "becomes"),
    [
        pytest.param(["1.0.0", "2.0.0", "3.0.0"], "2.0.0", ["2.0.0"], "1.0.0", id="down, not up"),
        pytest.param(["1.0.0", "2.0.0"], "1.0.0", ["1.0.0"], None, id="nothing below"),
        pytest.param(["1.9.0", "1.10.0", "1.2.0", "2.0.0"], "2.0.0", ["2.0.0"], "1.10.0", id="by number"),
        pytest.param(
            ["1.0.0-rc.1", "1.0.0"], "1.0.0", ["1.0.0"], None, id="a release never becomes a pre-release"
        ),
        pytest.param(
            ["1.0.0-rc.1", "1.0.0-rc.2"], "1.0.0-rc.2", ["1.0.0-rc.2"], "1.0.0-rc.1", id="a pre-release may"
        ),
        pytest.param(
            ["0.9.0", "1.0.0-rc.1", "1.0.0-rc.2"],
            "1.0.0-rc.2",
            ["1.0.0-rc.2"],
            "0.9.0",
            id="but a release is better",
        ),
        pytest.param(["1.0.0", "2.0.0"], "2.0.0", ["1.0.0"], "2.0.0", id="untouched"),
    ],
)
def test_latest_moves_down_to_a_release_that_remains(
    versions: list[str], latest: str, withheld: list[str], becomes: str | None
) -> None:
    index = scoped(*versions, **{"dist-tags": {"latest": latest}})
    assert rendered(index, withhold(index, *withheld))["dist-tags"].get("latest") == becomes


@given(st.lists(VERSIONS, min_size=1, max_size=8, unique=True), st.data())
def test_latest_never_moves_up_and_every_tag_resolves(versions: list[str], data: st.DataObject) -> None:
    latest = data.draw(st.sampled_from(versions))
    hidden = data.draw(st.sets(st.sampled_from(versions)))
    tags = {"latest": latest, "next": data.draw(st.sampled_from(versions))}
    index = scoped(*versions, **{"dist-tags": tags})
    shown = rendered(index, withhold(index, *hidden))
    assert set(shown["dist-tags"].values()) <= set(shown["versions"])
    assert set(shown["versions"]) == set(versions) - hidden
    moved = shown["dist-tags"].get("latest")
    assert moved is None or nodesemver.compare(moved, latest, True) <= 0
    assert latest in hidden or moved == latest


@pytest.mark.parametrize(("selector", "version"), [("1.0.0", "1.0.0"), ("latest", "1.1.0"), ("9.9.9", None), ("next", None), (None, None)])  # fmt: skip
def test_a_version_can_be_asked_for_by_number_or_tag(selector: str | None, version: str | None) -> None:
    index = scoped("1.0.0", "1.1.0")
    body = NPM.render_manifest(index, {}, BASE, selector)
    assert (json.loads(body)["version"] if body else None) == version
    if body and version:
        assert json.loads(body) == rendered(index)["versions"][version], "signatures included"


def test_a_withheld_version_has_no_manifest_and_latest_means_what_the_packument_says() -> None:
    index = scoped("1.0.0", "1.1.0")
    withheld = withhold(index, "1.1.0")
    assert NPM.render_manifest(index, withheld, BASE, "1.1.0") is None
    assert json.loads(NPM.render_manifest(index, withheld, BASE, "latest") or b"")["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        pytest.param(
            "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
            "install",
            id="npm publish, pnpm",
        ),
        pytest.param("application/json", "full", id="npm 11 install"),
        pytest.param(None, "full", id="yarn 4 sends none"),
        pytest.param("*/*", "full", id="anything"),
        pytest.param("application/vnd.npm.install-v1+json", "install", id="abbreviated alone"),
        pytest.param(
            "application/vnd.npm.install-v1+json; q=0.5, application/json", "full", id="full preferred"
        ),
        pytest.param("APPLICATION/VND.NPM.INSTALL-V1+JSON", "install", id="in upper case"),
        pytest.param("application/vnd.npm.install-v1+json;q=0", "full", id="declined"),
        pytest.param("application/vnd.npm.install-v1+json;q=x", "full", id="a weight that is none"),
        pytest.param("text/html", "full", id="a browser gets JSON as well"),
        pytest.param(",;,=", "full", id="noise"),
    ],
)
def test_the_form_is_negotiated(accept: str | None, form: str) -> None:
    assert NPM.negotiate(accept).name == form


def test_the_content_types_are_npms() -> None:
    assert {r.name: r.content_type for r in NPM.representations} == {
        "full": "application/json",
        "install": "application/vnd.npm.install-v1+json",
    }
