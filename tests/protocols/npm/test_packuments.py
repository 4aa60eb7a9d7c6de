"""N1 to N6 and N9: packuments, version manifests and dist-tags as npm clients ask for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from registry.sources.inherit import public_npm
from tests.fakes import FixedClock
from tests.protocols.npm.world import INSTALL, POLICY, Appliance, BackEnds, appliance
from tests.upstream import Tarball, make_tarball

pytestmark = pytest.mark.asyncio(loop_scope="module")

NPM_ACCEPT = f"{INSTALL}; q=1.0, application/json; q=0.8, */*"
ABBREVIATED_FIELDS = {
    "name", "version", "deprecated", "dependencies", "optionalDependencies", "devDependencies",
    "bundleDependencies", "bundledDependencies", "peerDependencies", "peerDependenciesMeta", "acceptDependencies",
    "bin", "directories", "dist", "engines", "_hasShrinkwrap", "hasInstallScript", "cpu", "os", "libc", "funding",
    "_npmUser",
}  # fmt: skip
TOLD: dict[str, Any] = {
    "signatures": [{"keyid": "SHA256:x", "sig": "MEUCIQ=="}],
    "attestations": {
        "url": "http://elsewhere.example/-/npm/v1/attestations/told@1.0.0",
        "provenance": {"predicateType": "https://slsa.example/v1"},
    },
    "fileCount": 3,
    "unpackedSize": 1e3,
}


def told(name: str, version: str = "1.0.0", **manifest: Any) -> Tarball:
    """A version whose manifest says more than what is needed to install it."""
    tarball = make_tarball(name, version)
    tarball.manifest = {**tarball.manifest, "description": "d", "readme": "r", **manifest}
    tarball.dist = TOLD
    return tarball


@pytest.mark.parametrize("path", ["@sc/one", "@sc%2fone", "@sc%2Fone"])
async def test_n1_a_scoped_name_is_the_same_in_every_spelling(gateway: Appliance, path: str) -> None:
    gateway.upstream.add(make_tarball("@sc/one", "1.0.0"))
    answer = await gateway.npm(path)
    assert (answer.status, answer.json["name"]) == (200, "@sc/one")


@pytest.mark.parametrize("name", ["@sc/raw", "@sc%2fraw", "@sc%2Fraw"])
async def test_n1_tarballs_of_a_scope_arrive_with_a_raw_slash_or_an_encoded_one(
    gateway: Appliance, name: str
) -> None:
    tarball = make_tarball("@sc/raw", "1.0.0")
    gateway.upstream.add(tarball)
    answer = await gateway.npm(f"{name}/-/raw-1.0.0.tgz")
    assert (answer.status, answer.raw) == (200, tarball.data)
    head = await gateway.npm(f"{name}/-/raw-1.0.0.tgz", method="HEAD")
    assert (head.status, head.headers["ETag"]) == (200, answer.headers["ETag"])


async def test_n2_npms_accept_gets_the_abbreviated_document(gateway: Appliance) -> None:
    gateway.upstream.add(told("short"))
    answer = await gateway.npm("short", headers={"Accept": NPM_ACCEPT})
    assert answer.headers["Content-Type"] == INSTALL
    document = answer.json
    assert set(document) == {"name", "modified", "dist-tags", "versions", "time"}
    assert set(document["versions"]["1.0.0"]) <= ABBREVIATED_FIELDS


@pytest.mark.parametrize("accept", ["application/json", None, "*/*"])
async def test_n2_others_get_the_full_document(gateway: Appliance, accept: str | None) -> None:
    gateway.upstream.add(told("full"))
    answer = await gateway.npm("full", headers={"Accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["versions"]["1.0.0"]["readme"] == "r"
    assert set(answer.json["time"]) == {"created", "modified", "1.0.0"}


@pytest.mark.parametrize("accept", [INSTALL, "application/json"])
async def test_n3_every_version_has_its_time_in_both_forms(gateway: Appliance, accept: str) -> None:
    gateway.upstream.add(make_tarball("timed", "1.0.0"), make_tarball("timed", "1.1.0"))
    document = (await gateway.npm("timed", headers={"Accept": accept})).json
    assert set(document["time"]) == {"created", "modified", "1.0.0", "1.1.0"}
    assert document["time"]["1.0.0"] == "2020-01-01T00:00:00.000Z"


async def test_n4_nothing_that_others_vouch_by_is_touched(gateway: Appliance) -> None:
    trust = {"_npmUser": {"name": "n", "trustedPublisher": {"id": "github", "oidcConfigId": "o"}}}
    gateway.upstream.add(told("@sc/kept", deprecated="use another", **trust))  # type: ignore[arg-type]
    upstreams = await _upstreams(gateway, "@sc%2fkept")
    for accept in (INSTALL, "application/json"):
        ours = (await gateway.npm("@sc%2fkept", headers={"Accept": accept})).json["versions"]["1.0.0"]
        theirs = upstreams["versions"]["1.0.0"]
        for key in ("integrity", "shasum", "signatures", "fileCount", "unpackedSize"):
            assert ours["dist"][key] == theirs["dist"][key]
        assert ours["dist"]["attestations"]["provenance"] == TOLD["attestations"]["provenance"]
        assert (ours["deprecated"], ours["_npmUser"]) == ("use another", trust["_npmUser"])


async def _upstreams(gateway: Appliance, path: str) -> Any:
    async with gateway.session.get(
        f"{gateway.upstream.url_npm}{path}", headers={"Accept-Encoding": "identity"}
    ) as response:
        return json.loads(await response.read())


async def test_n4_a_withheld_version_takes_its_time_and_tags_along(
    back_end: BackEnds, tmp_path: Path
) -> None:
    policy = POLICY.replace('deny = ["denied"]', 'deny = ["tagged@>=2", "gone@*"]')
    async with appliance(tmp_path, back_end, policy=policy) as gateway:
        for version in ("1.0.0", "1.1.0", "1.2.0-beta.1", "2.0.0", "2.1.0"):
            gateway.upstream.add(make_tarball("tagged", version))
        gateway.upstream.add(make_tarball("gone", "1.0.0"))
        document = (await gateway.npm("tagged")).json
        assert set(document["versions"]) == {"1.0.0", "1.1.0", "1.2.0-beta.1"}
        assert set(document["time"]) == {"created", "modified", "1.0.0", "1.1.0", "1.2.0-beta.1"}
        assert document["dist-tags"] == {"latest": "1.1.0"}
        assert (await gateway.npm("-/package/tagged/dist-tags")).json == {"latest": "1.1.0"}
        nothing_left = await gateway.npm("gone")
        assert nothing_left.status == 403
        assert "gone" in nothing_left.json["error"]


@pytest.mark.parametrize("selector", ["1.0.0", "latest"])
async def test_n5_a_manifest_has_the_signatures_of_the_packument(gateway: Appliance, selector: str) -> None:
    gateway.upstream.add(told("manifested"))
    manifest = (await gateway.npm(f"manifested/{selector}")).json
    packument = (await gateway.npm("manifested")).json
    assert manifest == packument["versions"]["1.0.0"]
    assert manifest["dist"]["signatures"] == TOLD["signatures"]


async def test_n5_a_version_that_is_not_there_is_404(gateway: Appliance) -> None:
    gateway.upstream.add(told("manifested"))
    assert (await gateway.npm("manifested/9.9.9")).status == 404


async def test_n6_tarball_urls_have_npms_own_shape_under_our_address(gateway: Appliance) -> None:
    odd = make_tarball("@sc/shaped", "1.0.0")
    odd.url = f"{gateway.upstream.origin}/npm/@sc/shaped/-/shaped-1.0.0.tgz?download=1"
    gateway.upstream.add(odd)
    versions = (await gateway.npm("@sc%2fshaped")).json["versions"]
    assert versions["1.0.0"]["dist"]["tarball"] == f"{gateway.url}/npm/@sc/shaped/-/shaped-1.0.0.tgz"


async def test_n6_the_public_url_is_what_tarballs_stand_under(back_end: BackEnds, tmp_path: Path) -> None:
    async with appliance(
        tmp_path, back_end, REGISTRY_PUBLIC_URL="https://packages.example/registry"
    ) as gateway:
        gateway.upstream.add(make_tarball("placed", "1.0.0"))
        versions = (await gateway.npm("placed")).json["versions"]
        expected = "https://packages.example/registry/npm/placed/-/placed-1.0.0.tgz"
        assert versions["1.0.0"]["dist"]["tarball"] == expected


async def test_n6_forwarded_headers_of_strangers_change_nothing(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("forwarded", "1.0.0"))
    headers = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
    }
    body = (await gateway.npm("forwarded", headers=headers)).body
    assert b"evil" not in body
    assert f"{gateway.url}/npm/forwarded/-/forwarded-1.0.0.tgz".encode() in body


async def test_n9_a_client_that_has_it_gets_304(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("validated", "1.0.0"))
    first = await gateway.npm("validated")
    again = await gateway.npm("validated", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.raw) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Vary"] == first.headers["Vary"] == "Accept, Accept-Encoding"


async def test_n9_each_form_has_its_own_etag(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("forms", "1.0.0"))
    etags = {
        (await gateway.npm("forms", headers={"Accept": accept})).headers["ETag"]
        for accept in (INSTALL, "application/json")
    }
    assert len(etags) == 2


async def test_n9_gzip_is_sent_where_it_is_taken_and_named(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("zipped", "1.0.0"))
    plain = await gateway.npm("zipped")
    packed = await gateway.npm("zipped", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.body == plain.raw


async def test_n9_an_answer_to_somebody_is_private(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("personal", "1.0.0"))
    assert "private" in (await gateway.npm("personal", login=True)).headers["Cache-Control"]
    assert "private" not in (await gateway.npm("personal")).headers["Cache-Control"]


async def times_of(gateway: Appliance, name: str) -> dict[str, str]:
    times: dict[str, str] = (await gateway.npm(name)).json.get("time", {})
    return {key: moment for key, moment in times.items() if key[0].isdigit()}


@pytest.mark.parametrize(
    ("setting", "old", "new"),
    [("epoch", "1970-01-01", "today"), ("first-sight", "2026-11-21", "today"), ("none", None, None)],
)
async def test_n3_where_the_upstream_tells_no_times_the_setting_does(
    back_end: BackEnds, tmp_path: Path, setting: str, old: str | None, new: str | None
) -> None:
    config = f'[npm]\nmissing_times = "{setting}"\n'
    clock = FixedClock()
    today = (clock.now() + timedelta(days=2)).date().isoformat()
    expected = {
        version: today if told == "today" else told
        for version, told in (("1.0.0", old), ("1.1.0", new))
        if told is not None
    }
    async with appliance(tmp_path, back_end, config=config, clock=clock) as gateway:
        gateway.upstream.times = False
        gateway.upstream.add(make_tarball("timeless", "1.0.0"))
        await gateway.npm("timeless")
        gateway.upstream.add(make_tarball("timeless", "1.1.0"))
        clock.advance(days=2)
        found = await times_of(gateway, "timeless")
        assert {version: told[:10] for version, told in found.items()} == expected


async def test_n3_one_missing_time_among_others_is_our_first_sight(gateway: Appliance) -> None:
    late = make_tarball("half-timed", "1.1.0")
    late.published = None
    gateway.upstream.add(make_tarball("half-timed", "1.0.0"), late)
    found = await times_of(gateway, "half-timed")
    assert {version: told[:10] for version, told in found.items()} == {
        "1.0.0": "2020-01-01",
        "1.1.0": datetime.now(UTC).date().isoformat(),
    }


OWN_HOST = urlsplit(public_npm()).netloc
"""Of the registry that npm takes for its own."""


@pytest.mark.parametrize(
    ("agent", "moved"),
    [
        ("npm/11.17.0 node/v24.0.0 linux x64 workspaces/false", True),
        ("npm/10.9.9 node/v22.0.0 linux x64 workspaces/false", True),
        ("npm/6.14.18 node/v14.0.0 linux x64", False),
        ("pnpm/12.21.0 npm/? node/v24.0.0 linux x64", False),
        ("yarn/1.22.22 npm/? node/v24.0.0 linux x64", False),
        ("Bun/1.4.5", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("accept", [INSTALL, "application/json"])
async def test_n6_n7_by_setting_npm_alone_is_told_of_its_own_registry(
    back_end: BackEnds, tmp_path: Path, agent: str, moved: bool, accept: str
) -> None:
    async with appliance(tmp_path, back_end, config='[npm]\nlock_files = "portable"\n') as gateway:
        tarball = make_tarball("@sc/moved", "1.0.0")
        tarball.dist = {"attestations": {"url": "http://elsewhere.example/-/x", "provenance": {}}}
        gateway.upstream.add(tarball)
        headers = {"Accept": accept, "User-Agent": agent}
        answer = await gateway.npm("@sc%2fmoved", headers=headers)
        dist = answer.json["versions"]["1.0.0"]["dist"]
        url = urlsplit(dist["tarball"])
        assert (url.netloc == OWN_HOST, url.path.removeprefix("/npm")) == (
            moved,
            "/@sc/moved/-/moved-1.0.0.tgz",
        )
        assert dist["attestations"]["url"].startswith(gateway.url)
        assert "User-Agent" in answer.headers["Vary"]
        # `npm pack` keeps the path, and forgets what its registry's own has before it.
        assert (await gateway.ask(url.path.removeprefix("/"))).raw == tarball.data
