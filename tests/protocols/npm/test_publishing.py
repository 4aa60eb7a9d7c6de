"""N12: publishing, and changing what is published, as npm, pnpm and yarn do it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.protocols.npm.world import INSTALL, Answer, Appliance, appliance, publish_document, verdaccio
from tests.upstream import Tarball, make_tarball

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def put(gateway: Appliance, path: str, document: Any) -> Answer:
    return await gateway.npm(path, method="PUT", data=document, login=True)


async def writable(gateway: Appliance, path: str) -> dict[str, Any]:
    answer = await gateway.npm(f"{path}?write=true", login=True)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json
    return document


async def published(gateway: Appliance, name: str, *versions: str) -> list[Tarball]:
    tarballs = [make_tarball(name, version) for version in versions]
    for tarball in tarballs:
        answer = await gateway.publish(tarball)
        assert answer.status == 201, answer.body
    return tarballs


async def test_n12_what_is_published_is_installable_at_once_and_recorded(gateway: Appliance) -> None:
    (tarball,) = await published(gateway, "@acme/first", "1.0.0")
    for accept in (INSTALL, "application/json"):
        document = (await gateway.npm("@acme%2ffirst", headers={"Accept": accept})).json
        assert document["dist-tags"] == {"latest": "1.0.0"}
        assert set(document["time"]) >= {"created", "modified", "1.0.0"}
        assert document["versions"]["1.0.0"]["dist"]["tarball"] == (
            f"{gateway.url}/npm/@acme/first/-/first-1.0.0.tgz"
        )
    assert (await gateway.npm("@acme/first/-/first-1.0.0.tgz")).raw == tarball.data
    (event,) = await gateway.log("publish", "@acme/first")
    assert (event["actor"], event["version"]) == ("admin-token", "1.0.0")
    assert event["sha256"] == hashlib.sha256(tarball.data).hexdigest()
    assert event["detail"]["sha512"] == hashlib.sha512(tarball.data).hexdigest()


async def test_n12_a_client_about_to_publish_hears_nothing_from_upstream(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("namesake", "9.0.0"))
    before = len(gateway.upstream.requests)
    answer = await gateway.npm("namesake", headers={"npm-command": "publish"})
    assert (answer.status, len(gateway.upstream.requests)) == (404, before)


async def test_n12_publishing_needs_a_login(gateway: Appliance) -> None:
    document = publish_document(make_tarball("@acme/nobodys", "1.0.0"))
    answer = await gateway.npm("@acme%2fnobodys", method="PUT", data=document)
    assert answer.status == 401


async def test_n12_the_same_version_with_other_bytes_is_409_and_with_the_same_is_fine(
    gateway: Appliance,
) -> None:
    (tarball,) = await published(gateway, "@acme/twice", "1.0.0")
    assert (await gateway.publish(tarball)).status == 201
    other = make_tarball("@acme/twice", "1.0.0", padding=9)
    answer = await gateway.publish(other)
    assert answer.status == 409
    assert "publish a new version" in answer.json["error"]
    assert (await gateway.npm("@acme/twice/-/twice-1.0.0.tgz")).raw == tarball.data
    assert len(await gateway.log("publish", "@acme/twice")) == 1


def renamed(document: dict[str, Any]) -> None:
    document["name"] = "@acme/another"


def traversing(document: dict[str, Any]) -> None:
    attachment = next(iter(document["_attachments"].values()))
    document["_attachments"] = {"../../evil.tgz": attachment}


def cut_short(document: dict[str, Any]) -> None:
    next(iter(document["_attachments"].values()))["length"] += 1


def other_integrity(document: dict[str, Any]) -> None:
    document["versions"]["1.0.0"]["dist"]["integrity"] = "sha512-" + "A" * 86 + "=="


def hidden_dependency(document: dict[str, Any]) -> None:
    document["versions"]["1.0.0"]["dependencies"] = {"left-pad": "1.0.0"}


def hidden_script(document: dict[str, Any]) -> None:
    document["versions"]["1.0.0"]["scripts"] = {"postinstall": "node evil.js"}


@pytest.mark.parametrize(
    "spoil", [renamed, traversing, cut_short, other_integrity, hidden_dependency, hidden_script]
)
async def test_n12_a_document_that_does_not_fit_its_tarball_is_400(gateway: Appliance, spoil: Any) -> None:
    document = publish_document(make_tarball("@acme/spoilt", "1.0.0"))
    spoil(document)
    answer = await put(gateway, "@acme%2fspoilt", document)
    assert answer.status == 400, answer.body
    assert answer.json["error"]
    assert (await gateway.npm("@acme%2fspoilt")).status == 404


async def test_n12_the_document_of_another_address_is_400(gateway: Appliance) -> None:
    answer = await put(gateway, "@acme%2fhere", publish_document(make_tarball("@acme/there", "1.0.0")))
    assert answer.status == 400


async def test_n12_a_public_name_is_not_published_over(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("everybodys", "1.0.0"))
    await gateway.npm("everybodys")
    assert (await gateway.publish(make_tarball("everybodys", "99.0.0"))).status == 403


async def test_n12_dist_tags_are_listed_set_and_removed(gateway: Appliance) -> None:
    await published(gateway, "@acme/tagged", "1.0.0", "1.1.0")
    tags = "-/package/@acme%2ftagged/dist-tags"
    assert (await gateway.npm(tags)).json == {"latest": "1.1.0"}
    answer = await put(gateway, f"{tags}/next", "1.0.0")
    assert answer.status in {200, 201}, answer.body
    assert (await gateway.npm(tags)).json == {"latest": "1.1.0", "next": "1.0.0"}
    assert (await gateway.npm("@acme%2ftagged/next")).json["version"] == "1.0.0"
    assert (await gateway.npm(f"{tags}/next", method="DELETE", login=True)).status in {200, 201}
    assert (await gateway.npm(tags)).json == {"latest": "1.1.0"}
    changes = [event["detail"]["change"] for event in await gateway.log("publish", "@acme/tagged")]
    assert changes == ["tag", "tag", "publish", "publish"]


async def test_n12_the_tags_of_a_public_package_are_not_changed_here(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("public-tags", "1.0.0"))
    await gateway.npm("public-tags")
    answer = await put(gateway, "-/package/public-tags/dist-tags/next", "1.0.0")
    assert answer.status == 404
    assert "isn't published here" in answer.json["error"]


async def test_n12_a_deprecation_is_written_back_and_seen(gateway: Appliance) -> None:
    await published(gateway, "@acme/old", "1.0.0", "2.0.0")
    document = await writable(gateway, "@acme%2fold")
    document["versions"]["1.0.0"]["deprecated"] = "use 2"
    answer = await put(gateway, "@acme%2fold", document)
    assert answer.status in {200, 201}, answer.body
    for accept in (INSTALL, "application/json"):
        versions = (await gateway.npm("@acme%2fold", headers={"Accept": accept})).json["versions"]
        assert (versions["1.0.0"]["deprecated"], "deprecated" in versions["2.0.0"]) == ("use 2", False)


async def test_n12_a_client_that_writes_back_sees_what_policy_withholds(gateway: Appliance) -> None:
    await published(gateway, "@acme/partly", "1.0.0", "2.0.0")
    entry = {
        "kind": "deny", "ecosystem": "npm", "pattern": "@acme/partly", "versions": ">=2", "reason": "a test"
    }  # fmt: skip
    assert (await gateway.ask("api/v1/policy/entries", method="POST", data=entry, login=True)).status < 300
    assert set((await gateway.npm("@acme%2fpartly")).json["versions"]) == {"1.0.0"}
    assert set((await writable(gateway, "@acme%2fpartly"))["versions"]) == {"1.0.0", "2.0.0"}
    assert (await gateway.npm("@acme%2fpartly?write=true")).status == 401


async def test_n12_what_is_kept_outlives_a_client_that_asks_to_write_while_verdaccio_is_down(
    tmp_path: Path,
) -> None:
    with contextlib.ExitStack() as running:
        back_end = running.enter_context(verdaccio(tmp_path / "back-end"))
        async with appliance(tmp_path, back_end) as gateway:
            await published(gateway, "@acme/kept", "1.0.0")
            assert (await gateway.npm("@acme%2fkept")).status == 200
            running.close()
            answer = await gateway.npm("@acme%2fkept?write=true", login=True)
            assert answer.status in {502, 503}, "a client would have written back what was kept"
            assert set((await gateway.npm("@acme%2fkept")).json["versions"]) == {"1.0.0"}


async def test_n12_one_version_is_unpublished_as_npm_does_it(gateway: Appliance) -> None:
    await published(gateway, "@acme/shrunk", "1.0.0", "1.1.0")
    document = await writable(gateway, "@acme%2fshrunk")
    revision = document["_rev"]
    del document["versions"]["1.1.0"]
    document["dist-tags"] = {"latest": "1.0.0"}
    answer = await put(gateway, f"@acme%2fshrunk/-rev/{revision}", document)
    assert answer.status in {200, 201}, answer.body
    revision = (await writable(gateway, "@acme%2fshrunk"))["_rev"]
    path = f"@acme/shrunk/-/shrunk-1.1.0.tgz/-rev/{revision}"
    assert (await gateway.npm(path, method="DELETE", login=True)).status in {200, 201}
    assert set((await gateway.npm("@acme%2fshrunk")).json["versions"]) == {"1.0.0"}
    assert (await gateway.npm("@acme/shrunk/-/shrunk-1.1.0.tgz")).status == 404
    again = await gateway.publish(make_tarball("@acme/shrunk", "1.1.0"))
    assert again.status == 409, "a version that was unpublished came back"


async def test_n12_a_package_is_unpublished_and_never_asked_upstream(gateway: Appliance) -> None:
    await published(gateway, "acme-gone", "1.0.0")
    gateway.upstream.add(make_tarball("acme-gone", "99.0.0"))
    revision = (await writable(gateway, "acme-gone"))["_rev"]
    answer = await gateway.npm(f"acme-gone/-rev/{revision}", method="DELETE", login=True)
    assert answer.status in {200, 201}, answer.body
    before = len(gateway.upstream.requests)
    assert (await gateway.npm("acme-gone")).status == 404
    assert (await gateway.npm("acme-gone/-/acme-gone-1.0.0.tgz")).status == 404
    assert len(gateway.upstream.requests) == before


async def test_n12_private_bytes_that_changed_in_the_back_end_are_never_served(gateway: Appliance) -> None:
    (tarball,) = await published(gateway, "@acme/rotten", "1.0.0")
    stored = gateway.storage / "@acme" / "rotten" / "rotten-1.0.0.tgz"
    assert stored.read_bytes() == tarball.data
    stored.write_bytes(make_tarball("@acme/rotten", "1.0.0", padding=9).data)
    answer = await gateway.npm("@acme/rotten/-/rotten-1.0.0.tgz")
    assert answer.status == 502
    assert await gateway.log("alarm", "@acme/rotten")


async def test_n12_bytes_that_nobody_published_through_us_are_not_listed(gateway: Appliance) -> None:
    await published(gateway, "@acme/slipped", "1.0.0")
    document = gateway.storage / "@acme" / "slipped" / "package.json"
    packument = json.loads(document.read_text())
    foreign = {**packument["versions"]["1.0.0"], "version": "1.0.1"}
    packument["versions"]["1.0.1"], packument["dist-tags"]["latest"] = foreign, "1.0.1"
    document.write_text(json.dumps(packument))
    await writable(gateway, "@acme%2fslipped")
    shown = (await gateway.npm("@acme%2fslipped")).json
    assert (set(shown["versions"]), shown["dist-tags"]) == ({"1.0.0"}, {"latest": "1.0.0"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "-/package/@acme%2fowned/collaborators"),
        ("GET", "-/package/@acme%2fowned/visibility"),
        ("POST", "-/package/@acme%2fowned/access"),
        ("GET", "-/org/acme/package"),
        ("GET", "-/user/org.couchdb.user:somebody"),
        ("GET", "-/user/somebody/package"),
        ("GET", "-/team/acme/developers/user"),
        ("POST", "-/npm/v1/user"),
    ],
)
async def test_n12_what_is_managed_elsewhere_is_declined_in_words(
    gateway: Appliance, method: str, path: str
) -> None:
    before = len(gateway.upstream.requests)
    answer = await gateway.npm(path, method=method, data={} if method == "POST" else None, login=True)
    assert answer.status in {404, 405}
    assert answer.json["error"]
    assert len(gateway.upstream.requests) == before


@pytest.mark.parametrize("name", ["Acme-Billing", "ACME-BILLING", "acme-Billing"])
async def test_n12_a_legacy_name_with_capitals_is_ours_like_the_one_without(
    gateway: Appliance, name: str
) -> None:
    gateway.upstream.add(make_tarball(name, "1.0.0"))
    before = len(gateway.upstream.requests)
    assert (await gateway.npm(name)).status == 404
    assert (await gateway.npm(f"{name}/-/{name}-1.0.0.tgz")).status == 404
    assert len(gateway.upstream.requests) == before
