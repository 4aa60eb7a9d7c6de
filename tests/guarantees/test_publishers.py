"""Who published it: a changed publisher, a missing attestation and a bad one are refused where policy says so."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from registry.model.artifacts import Digest
from registry.provenance.signatures import RegistryKey, message
from tests.guarantees.house import Got, House, path_of
from tests.policy.worlds import GUARDED
from tests.upstream import Distribution, LyingUpstream, Tarball, make_tarball, make_wheel
from tests.upstream.faults import Answer, document, status

ATTESTED = Path(__file__).parents[1] / "sources" / "attested"
KEYS = "/npm/-/npm/v1/keys"


def rules(**effects: str) -> str:
    return f"{GUARDED}[rules]\n" + "".join(f'{rule} = "{effect}"\n' for rule, effect in effects.items())


@pytest.fixture
def attested(upstream: LyingUpstream) -> Distribution:
    """A public file that really was attested."""
    filename = "gcb_attestation_test-0.0.0.tar.gz"
    made = Distribution(
        project="gcb-attestation-test",
        version="0.0.0",
        filename=filename,
        data=(ATTESTED / filename).read_bytes(),
        provenance=(ATTESTED / f"{filename}.provenance").read_bytes(),
    )
    upstream.add(made)
    return made


def touched(made: Distribution) -> Any:
    """Its provenance, as of somebody else."""
    said = json.loads(made.provenance or b"")
    said["attestation_bundles"][0]["publisher"]["email"] = "somebody@else.example"
    return document(json.dumps(said).encode())


async def knock(house: House, path: str) -> list[Got]:
    """At a file door, in every way."""
    ways: list[dict[str, str]] = [{}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}, house.admin]
    got = [await house.ask(path, headers=headers) for headers in ways]
    return [*got, await house.ask(path, method="HEAD")]


@pytest.mark.parametrize("effect", ["deny", "hold", "hide"])
async def test_an_attestation_that_does_not_hold_is_refused_before_anything_is_fetched(
    house: House, upstream: LyingUpstream, attested: Distribution, effect: str
) -> None:
    await house.decree(rules(attestation=effect))
    upstream.lie(touched(attested), "/integrity/*")
    await house.learn(attested)
    for got in await knock(house, path_of(attested)):
        assert got.status == 403
        assert "what vouches for 'gcb_attestation_test-0.0.0.tar.gz' doesn't hold" in got.reason
    provenance = f"/pypi/integrity/{attested.project}/{attested.version}/{attested.filename}/provenance"
    assert (await house.ask(provenance)).status == 403
    assert not [seen for seen in upstream.requests if "/files/" in seen.path]
    assert [seen.path for seen in upstream.requests if "/integrity/" in seen.path][1:] == []
    assert house.rows("delivery") == []
    assert house.alarms() == ["attestation_failed"]
    listed = (await house.index(attested.project))["files"]
    assert [file["filename"] for file in listed] == ([] if effect == "hide" else [attested.filename])


async def test_one_that_holds_passes_and_is_looked_at_once(
    house: House, upstream: LyingUpstream, attested: Distribution
) -> None:
    await house.decree(rules(attestation="deny", unattested="deny"))
    assert (await house.fetch(attested)).is_whole(attested.data)
    await house.restart()
    assert (await house.fetch(attested)).is_whole(attested.data)
    assert len([seen for seen in upstream.requests if "/integrity/" in seen.path]) == 1


async def test_one_that_cannot_be_had_is_refused_until_it_can(
    house: House, upstream: LyingUpstream, attested: Distribution
) -> None:
    await house.decree(rules(attestation="hold"))
    upstream.lie(status(500), "/integrity/*")
    got = await house.fetch(attested)
    assert (got.status, "can't be checked" in got.reason) == (403, True)
    upstream.heal()
    house.clock.advance(seconds=30)
    assert (await house.fetch(attested)).status == 403
    house.clock.advance(seconds=31)
    assert (await house.fetch(attested)).is_whole(attested.data)


async def test_observed_it_comes_in_and_is_recorded(
    house: House, upstream: LyingUpstream, attested: Distribution
) -> None:
    upstream.lie(touched(attested), "/integrity/*")
    assert (await house.fetch(attested)).is_whole(attested.data)
    assert (await house.fetch(attested)).is_whole(attested.data)
    (decision,) = (json.loads(row[0]) for row in house.query("SELECT decision FROM explanation"))
    assert [(o["rule"], o["effect"]) for o in decision["objections"]] == [("attestation", "observe")]


@pytest.mark.parametrize("effect", ["deny", "hold", "hide"])
async def test_a_file_without_any_is_refused_where_the_policy_says_so(
    house: House, upstream: LyingUpstream, effect: str
) -> None:
    wheel, tarball = make_wheel("demo", "1.0"), make_tarball("demo", "1.0.0")
    upstream.add(wheel, tarball)
    await house.decree(rules(unattested=effect))
    for package in (wheel, tarball):
        for got in await knock(house, path_of(package)):
            assert (got.status, "has no attestation of who built it" in got.reason) == (403, True)
    assert (await house.ask(f"{path_of(wheel)}.metadata")).status == 403
    assert (await house.ask("/npm/demo")).status == 403
    assert len((await house.index("demo"))["files"]) == (0 if effect == "hide" else 1)


async def test_a_python_release_that_lost_its_attestation_is_held_and_the_older_one_served(
    house: House, upstream: LyingUpstream, attested: Distribution
) -> None:
    later = make_wheel(attested.project, "1.0")
    later.published = "2020-06-01T00:00:00Z"
    upstream.add(later)
    await house.decree(rules(publisher="hold"))
    yanked = {f["filename"]: f.get("yanked") for f in (await house.index(attested.project))["files"]}
    assert "has no attestation of who built it, as 0.0.0 and others before it have" in str(
        yanked[later.filename]
    )
    assert not yanked[attested.filename]
    assert (await house.ask(path_of(later))).status == 403
    assert (await house.fetch(attested)).is_whole(attested.data)


# npm


def by(tarball: Tarball, who: str, day: str) -> Tarball:
    tarball.manifest["_npmUser"] = {"name": who, "email": f"{who}@example.com"}
    tarball.published = f"2020-{day}T00:00:00.000Z"
    return tarball


async def test_an_npm_release_by_somebody_new_is_left_out_and_refused_with_who_it_was(
    house: House, upstream: LyingUpstream
) -> None:
    old = by(make_tarball("tool", "1.0.0"), "ada", "01-01")
    new = by(make_tarball("tool", "1.0.1"), "eve", "06-01")
    upstream.add(old, new)
    await house.decree(rules(publisher="hold"))
    packument = (await house.ask("/npm/tool")).json
    assert list(packument["versions"]) == ["1.0.0"]
    reason = "'tool' 1.0.1 was published by eve; releases before it by ada"
    assert reason in str(packument["policyRestrictions"])
    for door in (path_of(new), "/npm/tool/1.0.1"):
        got = await house.ask(door)
        assert (got.status, reason in got.reason) == (403, True)
    assert (await house.fetch(old)).is_whole(old.data)


@pytest.fixture(scope="module")
def key() -> RegistryKey:
    return RegistryKey(RegistryKey.make())


def signed(tarball: Tarball, key: RegistryKey) -> Tarball:
    digest = Digest("sha512", hashlib.sha512(tarball.data).hexdigest())
    signature = key.sign(message(tarball.name, tarball.version, digest))
    tarball.dist = {"signatures": [{"keyid": signature.keyid, "sig": signature.sig}]}
    return tarball


def told(key: RegistryKey) -> Any:
    public = key.public
    entry = {"expires": None, "keyid": public.keyid, "keytype": public.keytype, "scheme": public.scheme}
    body = json.dumps({"keys": [{**entry, "key": public.key}]}).encode()
    return lambda _: Answer(headers=(("Content-Type", "application/json"),), body=body)


async def test_npm_files_need_a_signature_that_holds(
    house: House, upstream: LyingUpstream, key: RegistryKey
) -> None:
    good, plain = signed(make_tarball("good", "1.0.0"), key), make_tarball("plain", "1.0.0")
    strange = signed(make_tarball("strange", "1.0.0"), RegistryKey(RegistryKey.make()))
    forged = make_tarball("forged", "1.0.0")
    forged.dist = {
        "signatures": [{"keyid": key.public.keyid, "sig": base64.b64encode(b"no signature").decode()}]
    }
    upstream.add(good, plain, strange, forged)
    upstream.lie(told(key), KEYS)
    await house.decree(rules(attestation="deny"))
    assert (await house.fetch(good)).is_whole(good.data)
    for package in (plain, strange, forged):
        for got in await knock(house, path_of(package)):
            assert (got.status, "what vouches for" in got.reason) == (403, True)
    assert [row["filename"] for row in house.rows("ingest")] == [good.filename]


async def test_npm_signatures_that_nobody_can_check_are_refused(
    house: House, upstream: LyingUpstream
) -> None:
    package = signed(make_tarball("good", "1.0.0"), RegistryKey(RegistryKey.make()))
    upstream.add(package)
    upstream.lie(status(404), KEYS)
    await house.decree(rules(attestation="deny"))
    got = await house.ask(path_of(package))
    assert (got.status, "its registry tells no keys" in got.reason) == (403, True)
