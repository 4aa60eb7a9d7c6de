"""N10, N11 and N13 to N16: the registry itself, logins, search, audit, keys and attestations."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from registry.model.artifacts import Digest
from registry.provenance.signatures import Key, RegistryKey, message
from tests.protocols.npm.world import POLICY, Answer, Appliance, BackEnds, appliance, publish_document
from tests.upstream import Tarball, make_tarball
from tests.upstream.faults import Answer as Sent
from tests.upstream.faults import status

pytestmark = pytest.mark.asyncio(loop_scope="module")

BULK = "-/npm/v1/security/advisories/bulk"
UPSTREAM_BULK = f"/npm/{BULK}"
KEYS = "/npm/-/npm/v1/keys"


def says(document: Any) -> Callable[[Sent], Sent]:
    """An upstream that answers with this document, whatever it has."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return lambda _: Sent(headers=(("Content-Type", "application/json"),), body=body)


# N10, N11


async def test_n10_ping_answers_an_empty_object(gateway: Appliance) -> None:
    answer = await gateway.npm("-/ping")
    assert (answer.status, answer.json) == (200, {})


async def test_n10_whoami_names_the_account_or_asks_for_one(gateway: Appliance) -> None:
    assert (await gateway.npm("-/whoami", login=True)).json == {"username": "admin-token"}
    assert (await gateway.npm("-/whoami")).status == 401


async def test_n11_the_web_login_is_declined_so_that_npm_asks_for_a_password(gateway: Appliance) -> None:
    answer = await gateway.npm("-/v1/login", method="POST", data={"hostname": "desk"})
    assert answer.status in {404, 405}


def login(name: str, password: str) -> dict[str, str]:
    return {"_id": f"org.couchdb.user:{name}", "name": name, "password": password, "type": "user"}


async def test_n11_a_login_gives_a_token_that_a_logout_ends(gateway: Appliance) -> None:
    made = await gateway.ask(
        "api/v1/users", method="POST", data={"name": "dev", "password": "correct horse"}, login=True
    )
    assert made.status in {200, 201}, made.body
    path = "-/user/org.couchdb.user:dev"
    answer = await gateway.npm(path, method="PUT", data=login("dev", "correct horse"))
    assert answer.status == 201
    assert answer.json["ok"] is True
    token = answer.json["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await gateway.npm("-/whoami", headers=bearer)).json == {"username": "dev"}
    tokens = (await gateway.npm("-/npm/v1/tokens", headers=bearer)).json
    assert [len(tokens["objects"]), tokens["urls"]] == [1, {}]
    assert token not in json.dumps(tokens)
    assert (await gateway.npm(f"-/user/token/{token}", method="DELETE", headers=bearer)).status == 200
    assert (await gateway.npm("-/whoami", headers=bearer)).status == 401


async def test_n11_tokens_are_made_with_the_password_and_ended_by_their_key(gateway: Appliance) -> None:
    made = await gateway.ask(
        "api/v1/users", method="POST", data={"name": "maker", "password": "correct horse"}, login=True
    )
    assert made.status in {200, 201}, made.body
    path = "-/user/org.couchdb.user:maker"
    token = (await gateway.npm(path, method="PUT", data=login("maker", "correct horse"))).json["token"]
    bearer = {"Authorization": f"Bearer {token}"}

    async def make(**asked: Any) -> Answer:
        return await gateway.npm("-/npm/v1/tokens", method="POST", data=asked, headers=bearer)

    assert (await gateway.npm("-/npm/v1/user", headers=bearer)).json == {"name": "maker", "tfa": False}
    assert (await make(password="wrong")).status == 403
    assert (await make(readonly=True)).status == 400
    limited = await make(password="correct horse", cidr_whitelist=["10.0.0.0/8"])
    assert (limited.status, "can't be limited" in limited.json["error"]) == (400, True)
    reading = await make(password="correct horse", readonly=True, cidr_whitelist=[])
    assert (reading.status, reading.json["readonly"]) == (201, True)
    reader = {"Authorization": f"Bearer {reading.json['token']}"}
    assert (await gateway.npm("-/whoami", headers=reader)).json == {"username": "maker"}
    refused = await gateway.npm(
        "@acme%2fnot-by-readers", method="PUT", data=publish_document(make_tarball("@acme/not-by-readers", "1.0.0")),
        headers=reader,
    )  # fmt: skip
    assert refused.status == 403
    end = f"-/npm/v1/tokens/token/{reading.json['key']}"
    assert (await gateway.npm(end, method="DELETE", login=True)).status == 404, "somebody else's token"
    assert (await gateway.npm(end, method="DELETE", headers=bearer)).status == 200
    assert (await gateway.npm("-/whoami", headers=reader)).status == 401


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (login("dev", "wrong"), 401),
        (login("nobody", "correct horse"), 401),
        (login("another", "correct horse"), 400),
        ("no document", 400),
    ],
)
async def test_n11_a_wrong_login_is_refused(gateway: Appliance, document: Any, expected: int) -> None:
    name = "nobody" if isinstance(document, dict) and document["name"] == "nobody" else "dev"
    answer = await gateway.npm(f"-/user/org.couchdb.user:{name}", method="PUT", data=document)
    assert answer.status == expected


# N13


async def until(asked: Callable[[], Awaitable[object]], expected: object) -> None:
    """Ask again until the answer is as expected."""
    for _ in range(1_000):
        if await asked() == expected:
            return
    raise AssertionError(expected)


async def found(gateway: Appliance, text: str, more: str = "") -> list[str]:
    answer = await gateway.npm(f"-/v1/search?text={text}{more}")
    assert answer.status == 200, answer.body
    return [entry["package"]["name"] for entry in answer.json["objects"]]


async def test_n13_search_merges_ours_and_the_known_public_ones(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("sought-public", "1.0.0"), make_tarball("sought-unknown", "1.0.0"))
    assert (await gateway.npm("sought-public")).status == 200
    assert (
        await gateway.publish(make_tarball("@acme/sought-ours", "2.0.0"), description="Ours.")
    ).status == 201
    before = len(gateway.upstream.requests)
    answer = (await gateway.npm("-/v1/search?text=sought&size=20&from=0&quality=0.65")).json
    packages = {entry["package"]["name"]: entry["package"] for entry in answer["objects"]}
    assert set(packages) == {"sought-public", "@acme/sought-ours"}
    assert answer["total"] == 2
    assert (packages["@acme/sought-ours"]["version"], packages["@acme/sought-ours"]["description"]) == (
        "2.0.0",
        "Ours.",
    )
    assert set(packages["sought-public"]) >= {"keywords", "date", "links", "publisher", "maintainers"}
    assert len(gateway.upstream.requests) == before, "a search asked the upstream"


async def test_n13_search_pages(gateway: Appliance) -> None:
    for number in range(3):
        gateway.upstream.add(make_tarball(f"paged-{number}", "1.0.0"))
        await gateway.npm(f"paged-{number}")
    assert await found(gateway, "paged", "&size=2") == ["paged-0", "paged-1"]
    assert await found(gateway, "paged", "&size=2&from=2") == ["paged-2"]


async def test_n13_search_reads_descriptions_and_keywords(gateway: Appliance) -> None:
    flying, sailing = make_tarball("ornithopter", "1.0.0"), make_tarball("flaps-too", "1.0.0")
    flying.manifest |= {"description": "A machine that Flaps", "keywords": ["wings", 7, "aloft"]}
    gateway.upstream.add(flying, sailing)
    for name in ("ornithopter", "flaps-too"):
        assert (await gateway.npm(name)).status == 200
    assert await found(gateway, "flaps") == ["flaps-too", "ornithopter"], "names come first"
    assert await found(gateway, "keywords:wings%20machine") == ["ornithopter"]
    assert await found(gateway, "wings%20submarine") == []


async def test_n13_search_reads_descriptions_of_ours_once_they_are_published(gateway: Appliance) -> None:
    assert (
        await gateway.publish(make_tarball("@acme/whisper", "1.0.0"), description="Turns zephyrs into words")
    ).status == 201
    await until(lambda: found(gateway, "zephyrs"), ["@acme/whisper"])


async def test_n13_pages_leave_nothing_out_and_count_only_what_is_shown(
    back_end: BackEnds, tmp_path: Path
) -> None:
    policy = POLICY.replace('deny = ["denied"]', 'deny = ["leaf-2@*", "leaf-5"]')
    async with appliance(tmp_path, back_end, policy=policy) as gateway:
        for number in range(8):
            gateway.upstream.add(make_tarball(f"leaf-{number}", "1.0.0"))
            await gateway.npm(f"leaf-{number}")
        pages = [await gateway.npm(f"-/v1/search?text=leaf&size=3&from={start}") for start in (0, 3, 6)]
        names = [[each["package"]["name"] for each in page.json["objects"]] for page in pages]
        assert names == [["leaf-0", "leaf-1", "leaf-3"], ["leaf-4", "leaf-6", "leaf-7"], []]
        assert pages[1].json["total"] == pages[2].json["total"] == 6


async def test_n13_search_shows_nothing_that_is_refused(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("soon-denied", "1.0.0"))
    await gateway.npm("soon-denied")
    assert await found(gateway, "soon-denied") == ["soon-denied"]
    entry = {"kind": "deny", "ecosystem": "npm", "pattern": "soon-denied", "reason": "a test"}
    assert (await gateway.ask("api/v1/policy/entries", method="POST", data=entry, login=True)).status < 300
    assert await found(gateway, "soon-denied") == []


# N14


async def audited(gateway: Appliance, tree: dict[str, list[str]], command: str = "audit") -> Answer:
    return await gateway.npm(
        BULK,
        method="POST",
        data=gzip.compress(json.dumps(tree).encode()),
        headers={
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "npm-command": command,
            "npm-session": "secret-of-the-client",
        },
    )


async def test_n14_an_audit_is_forwarded_without_the_names_that_are_ours(gateway: Appliance) -> None:
    advisories = {"public": [{"id": 1, "severity": "high", "vulnerable_versions": "<2"}]}
    gateway.upstream.lie(says(advisories), UPSTREAM_BULK)
    answer = await audited(gateway, {"public": ["1.0.0"], "@acme/billing": ["1.0.0"], "acme-tool": ["1.0.0"]})
    assert (answer.status, answer.json) == (200, advisories)
    asked = gateway.upstream.asked(UPSTREAM_BULK)[-1]
    assert json.loads(asked.body) == {"public": ["1.0.0"]}
    assert "secret-of-the-client" not in str(asked.headers)
    assert "acme" not in str(asked)


async def test_n14_an_audit_of_our_own_packages_alone_asks_nobody(gateway: Appliance) -> None:
    before = len(gateway.upstream.requests)
    answer = await audited(gateway, {"@acme/billing": ["1.0.0"], "..": ["1"], "denied": ["1.0.0"]})
    assert (answer.status, answer.json, len(gateway.upstream.requests)) == (200, {}, before)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (status(404), "offers no audit"),
        (status(405), "offers no audit"),
        (status(500), "500"),
        (says(b"[]"), "200"),
        (says(b"<html>"), "200"),
        (says({"error": "later"}), "200"),
    ],
    ids=["404", "405", "500", "a list", "no json", "an error with 200"],
)
async def test_n14_an_upstream_that_cannot_say_is_503_and_never_no_vulnerabilities(
    back_end: BackEnds, tmp_path: Path, fault: Callable[[Sent], Sent], why: str
) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(fault, UPSTREAM_BULK)
        answer = await audited(gateway, {"public": ["1.0.0"]})
        assert answer.status == 503
        assert "Nothing was audited" in answer.json["error"]
        assert why in answer.json["error"]
        assert answer.headers["npm-notice"] == answer.json["error"]


async def test_n14_an_upstream_without_audits_is_not_asked_by_every_install(
    back_end: BackEnds, tmp_path: Path
) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(status(404), UPSTREAM_BULK)
        answers = [await audited(gateway, {"public": ["1.0.0"]}, "install") for _ in range(3)]
        assert [answer.status for answer in answers] == [503] * 3
        assert len(gateway.upstream.asked(UPSTREAM_BULK)) == 1
        assert not any("npm-notice" in answer.headers for answer in answers), "an install is told every time"


async def imported(gateway: Appliance, *records: dict[str, Any]) -> None:
    batch = await gateway.ask("api/v1/advisories", method="POST", data={"records": records}, login=True)
    assert batch.status < 300, batch.body
    end = {"source": "a test", "read": len(records), "news": len(records)}
    assert (await gateway.ask("api/v1/advisories/settle", method="POST", data=end, login=True)).status < 300


def advisory(name: str, **span: str) -> dict[str, Any]:
    return {
        "id": f"TEST-{name}", "modified": "2026-01-01T00:00:00Z", "severity": "medium", "summary": "Leans",
        "affected": [{"ecosystem": "npm", "project": name, "spans": [span]}],
    }  # fmt: skip


async def test_n14_imported_advisories_answer_by_setting_and_send_nothing_out(
    back_end: BackEnds, tmp_path: Path
) -> None:
    async with appliance(tmp_path, back_end, config='[npm]\naudit = "local"\n') as gateway:
        tree = {"leaning": ["1.1.0", "3.0.0"], "upright": ["1.0.0"], "@acme/ours": ["1.0.0"]}
        unasked = await audited(gateway, tree)
        assert unasked.status == 503, "an appliance that knows nothing said so"
        await imported(
            gateway,
            advisory("leaning", introduced="1.0.0", fixed="2.0.0"),
            advisory("upright", introduced="2.0.0"),
            advisory("@acme/ours"),
        )
        answer = (await audited(gateway, tree)).json
        assert set(answer) == {"leaning", "@acme/ours"}
        (told,) = answer["leaning"]
        assert (told["severity"], told["title"], told["vulnerable_versions"]) == (
            "moderate",
            "Leans",
            ">=1.0.0 <2.0.0",
        )
        assert answer["@acme/ours"][0]["vulnerable_versions"] == "*"
        assert (await audited(gateway, {"leaning": ["2.0.0"]})).json == {}
        assert not gateway.upstream.requests


async def test_n14_audits_can_be_switched_off(back_end: BackEnds, tmp_path: Path) -> None:
    async with appliance(tmp_path, back_end, config='[npm]\naudit = "off"\n') as gateway:
        answer = await audited(gateway, {"public": ["1.0.0"]})
        assert answer.status == 404
        assert "off" in answer.json["error"]
        assert not gateway.upstream.requests


OLD_KINDS = ("-/npm/v1/security/audits", "-/npm/v1/security/audits/quick")
OLD_TREE = {
    "name": "site",
    "requires": {"upper": "1.0.0"},
    "dependencies": {
        "upper": {"version": "1.0.0", "dependencies": {"leaning": {"version": "1.1.0"}}},
        "leaning": {"version": "3.0.0"},
        "by-address": {"version": "git+ssh://0123"},
        "@acme/ours": {"version": "1.0.0"},
    },
}


@pytest.mark.parametrize("path", OLD_KINDS)
async def test_n14_the_older_kinds_are_answered_from_the_same_knowledge(
    gateway: Appliance, path: str
) -> None:
    told = {"id": 7, "severity": "high", "title": "Leans", "vulnerable_versions": "<2", "url": "urn:7"}
    gateway.upstream.lie(says({"leaning": [told]}), UPSTREAM_BULK)
    body = gzip.compress(json.dumps(OLD_TREE).encode())
    answer = await gateway.npm(path, method="POST", data=body, headers={"Content-Encoding": "gzip"})
    assert answer.status == 200
    asked = json.loads(gateway.upstream.asked(UPSTREAM_BULK)[-1].body)
    assert asked == {"upper": ["1.0.0"], "leaning": ["3.0.0", "1.1.0"]}
    advisory = answer.json["advisories"]["7"]
    assert (advisory["module_name"], advisory["findings"]) == (
        "leaning",
        [{"version": "1.1.0", "paths": ["upper>leaning"]}],
    )
    assert answer.json["metadata"]["vulnerabilities"] == {
        "info": 0, "low": 0, "moderate": 0, "high": 1, "critical": 0
    }  # fmt: skip


@pytest.mark.parametrize("path", OLD_KINDS)
async def test_n14_the_older_kinds_fail_where_the_newer_one_does(
    back_end: BackEnds, tmp_path: Path, path: str
) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(status(500), UPSTREAM_BULK)
        answer = await gateway.npm(path, method="POST", data=OLD_TREE)
        assert answer.status == 503
        assert "Nothing was audited" in answer.json["error"]
        assert (await gateway.npm(path, method="POST", data=b"[]")).status == 400


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x1f\x8b broken", 400),
        (gzip.compress(b'{"a": ["1"]}')[:-9], 400),
        (b"[1]", 400),
        (gzip.compress(bytes(64 << 20)), 413),
    ],
    ids=["not gzip", "cut", "a list", "a bomb"],
)
async def test_n14_a_body_that_is_no_audit_is_refused_within_bounds(
    gateway: Appliance, data: bytes, expected: int
) -> None:
    assert (await gateway.npm(BULK, method="POST", data=data)).status == expected


# N15, N16 and registry signatures


@pytest.fixture(scope="module")
def upstream_key() -> RegistryKey:
    return RegistryKey(RegistryKey.make())


def entry(key: RegistryKey, **other: Any) -> dict[str, Any]:
    public = key.public
    return {
        "expires": None, "keyid": public.keyid, "keytype": public.keytype, "scheme": public.scheme,
        "key": public.key, "since": "told verbatim", **other,
    }  # fmt: skip


def sign(tarball: Tarball, key: RegistryKey) -> Tarball:
    digest = Digest("sha512", hashlib.sha512(tarball.data).hexdigest())
    signature = key.sign(message(tarball.name, tarball.version, digest))
    tarball.dist = {"signatures": [{"keyid": signature.keyid, "sig": signature.sig}]}
    return tarball


async def test_n15_the_upstreams_keys_are_served_as_they_are_and_ours_beside_them(
    back_end: BackEnds, tmp_path: Path, upstream_key: RegistryKey
) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(says({"keys": [entry(upstream_key)]}), KEYS)
        keys = (await gateway.npm("-/npm/v1/keys")).json["keys"]
        assert keys[0] == entry(upstream_key)
        assert (keys[1]["keyid"][:7], keys[1]["scheme"], keys[1]["expires"]) == (
            "SHA256:",
            "ecdsa-sha2-nistp256",
            None,
        )
        assert (gateway.data / "keys" / "npm-signing-key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("code", [400, 404])
async def test_n15_an_upstream_without_keys_leaves_ours(
    back_end: BackEnds, tmp_path: Path, code: int
) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(status(code), KEYS)
        answer = await gateway.npm("-/npm/v1/keys")
        assert (answer.status, len(answer.json["keys"])) == (200, 1)


async def test_n15_keys_that_nobody_can_tell_are_503_and_those_of_before_outlive_an_outage(
    back_end: BackEnds, tmp_path: Path, upstream_key: RegistryKey
) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(status(500), KEYS)
        assert (await gateway.npm("-/npm/v1/keys")).status == 503
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(says({"keys": [entry(upstream_key)]}), KEYS)
        assert len((await gateway.npm("-/npm/v1/keys")).json["keys"]) == 2
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(status(500), KEYS)
        assert len((await gateway.npm("-/npm/v1/keys")).json["keys"]) == 2


async def test_n15_a_private_package_is_signed_with_our_key_as_npm_checks_it(gateway: Appliance) -> None:
    tarball = make_tarball("@acme/signed", "1.0.0")
    assert (await gateway.publish(tarball)).status == 201
    listed = (await gateway.npm("-/npm/v1/keys")).json["keys"]
    for path, pick in (("@acme%2fsigned", ("versions", "1.0.0")), ("@acme%2fsigned/latest", ())):
        manifest = (await gateway.npm(path)).json
        for key in pick:
            manifest = manifest[key]
        (signature,) = manifest["dist"]["signatures"]
        public = next(key for key in listed if key["keyid"] == signature["keyid"])
        loaded = serialization.load_der_public_key(base64.b64decode(public["key"]))
        assert isinstance(loaded, ec.EllipticCurvePublicKey)
        signed = f"@acme/signed@1.0.0:{manifest['dist']['integrity']}".encode()
        loaded.verify(base64.b64decode(signature["sig"]), signed, ec.ECDSA(hashes.SHA256()))


async def ingested(gateway: Appliance, tarball: Tarball) -> tuple[int, Any]:
    gateway.upstream.add(tarball)
    answer = await gateway.npm(f"{tarball.name}/-/{tarball.filename}")
    events = await gateway.log("ingest", tarball.name)
    return answer.status, events[0]["detail"]["signature"] if events else None


async def test_a_registry_signature_is_checked_at_ingest_and_the_verdict_recorded(
    back_end: BackEnds, tmp_path: Path, upstream_key: RegistryKey
) -> None:
    old, strange = RegistryKey(RegistryKey.make()), RegistryKey(RegistryKey.make())
    keys = [entry(upstream_key), entry(old, expires="2019-12-31T00:00:00.000Z")]
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(says({"keys": keys}), KEYS)
        assert await ingested(gateway, sign(make_tarball("good", "1.0.0"), upstream_key)) == (200, "verified")
        assert await ingested(gateway, make_tarball("plain", "1.0.0")) == (200, "unsigned")
        assert await ingested(gateway, sign(make_tarball("late", "1.0.0"), old)) == (200, "expired")
        assert await ingested(gateway, sign(make_tarball("odd", "1.0.0"), strange)) == (200, "unknown key")


async def test_a_signature_that_does_not_fit_is_refused_and_alarmed(
    back_end: BackEnds, tmp_path: Path, upstream_key: RegistryKey
) -> None:
    forged = make_tarball("forged", "1.0.0")
    forged.dist = sign(make_tarball("forged", "1.0.1"), upstream_key).dist
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.lie(says({"keys": [entry(upstream_key)]}), KEYS)
        assert await ingested(gateway, forged) == (502, None)
        assert "signature" in (await gateway.log("alarm", "forged"))[0]["detail"]["message"]
        assert (await ingested(gateway, forged)) == (502, None), "it was kept"


async def test_without_keys_a_signature_is_unknown(back_end: BackEnds, tmp_path: Path) -> None:
    key = RegistryKey(RegistryKey.make())
    async with appliance(tmp_path, back_end) as gateway:
        assert await ingested(gateway, sign(make_tarball("unchecked", "1.0.0"), key)) == (200, "unknown")


async def test_a_key_list_that_changed_is_alarmed(
    back_end: BackEnds, tmp_path: Path, upstream_key: RegistryKey
) -> None:
    for keys in ([upstream_key], [upstream_key, RegistryKey(RegistryKey.make())]):
        async with appliance(tmp_path, back_end) as gateway:
            gateway.upstream.lie(says({"keys": [entry(key) for key in keys]}), KEYS)
            await gateway.npm("-/npm/v1/keys")
            rows = (await gateway.ask("api/v1/audit/log?kinds=alarm", login=True)).json["items"]
            alarms = [row["event"]["detail"]["alarm"] for row in rows]
            assert alarms.count("signing_keys_changed") == len(keys) - 1


async def test_n16_attestations_are_proxied_below_our_base_and_at_the_bare_origin(gateway: Appliance) -> None:
    tarball = make_tarball("@sc/attested", "1.0.0")
    told = "http://elsewhere.example/-/npm/v1/attestations/@sc%2fattested@1.0.0"
    tarball.dist = {"attestations": {"url": told, "provenance": {"predicateType": "p"}}}
    gateway.upstream.add(tarball)
    attestations = {"attestations": [{"predicateType": "p", "bundle": {}}]}
    gateway.upstream.lie(says(attestations), "/npm/-/npm/v1/attestations/@sc%2[Ff]attested@1.0.0")
    url = (await gateway.npm("@sc%2fattested")).json["versions"]["1.0.0"]["dist"]["attestations"]["url"]
    assert url == f"{gateway.url}/npm/-/npm/v1/attestations/@sc%2fattested@1.0.0"
    for path in (
        "npm/-/npm/v1/attestations/@sc%2fattested@1.0.0",
        "-/npm/v1/attestations/@sc%2fattested@1.0.0",
    ):
        answer = await gateway.ask(path)
        assert (answer.status, answer.json) == (200, attestations)


async def test_n16_that_an_attestation_was_not_checked_is_on_record(gateway: Appliance) -> None:
    attested, plain = make_tarball("attested-unseen", "1.0.0"), make_tarball("attested-by-nobody", "1.0.0")
    attested.dist = {"attestations": {"url": f"{gateway.upstream.url_npm}-/npm/v1/attestations/x@1.0.0"}}
    gateway.upstream.add(attested, plain)
    for tarball in (attested, plain):
        assert (await gateway.npm(f"{tarball.name}/-/{tarball.filename}")).status == 200
    details = [
        (await gateway.log("ingest", name))[0]["detail"] for name in ("attested-unseen", "attested-by-nobody")
    ]
    assert [detail.get("attestation") for detail in details] == ["unchecked", None]
    assert "passed on" in details[0]["reason"]


async def test_n16_nothing_is_asked_about_what_is_ours_or_refused(gateway: Appliance) -> None:
    await gateway.publish(make_tarball("@acme/unattested", "1.0.0"))
    before = len(gateway.upstream.requests)
    assert (await gateway.ask("-/npm/v1/attestations/@acme%2funattested@1.0.0")).status == 404
    assert (await gateway.ask("-/npm/v1/attestations/denied@1.0.0")).status == 403
    assert len(gateway.upstream.requests) == before


async def test_a_key_says_of_itself_what_npm_reads(upstream_key: RegistryKey) -> None:
    assert isinstance(upstream_key.public, Key)
    der = base64.b64decode(upstream_key.public.key)
    encoded = base64.b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    assert upstream_key.public.keyid == f"SHA256:{encoded}"
