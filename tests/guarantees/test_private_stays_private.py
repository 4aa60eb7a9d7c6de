"""I6: a name that is ours leaves in no path, query, header or body, whatever door it is asked at.

Rows P1 to P4. The upstream remembers every byte it was sent; the canary must not be in it.
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args
from urllib.parse import unquote

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.errors import RegistryError
from registry.model.asks import Ask, ProjectsAsk
from registry.model.targets import parse_target
from tests.guarantees.house import JSON, House
from tests.policy.worlds import GUARDED
from tests.upstream import LyingUpstream, make_tarball, make_wheel

OURS = '[pypi]\nmode = "guarded"\nours = ["acme-*"]\n[npm]\nmode = "guarded"\nours = ["@acme/*", "acme-*"]\n'

WHEEL = make_wheel("acme-canary", "1.0")
SCOPED = make_tarball("@acme/canary", "1.0.0")
TARBALL = make_tarball("acme-canary", "1.0.0")
IMPOSTORS = (
    make_wheel("acme-canary", "99.0"),
    make_tarball("@acme/canary", "99.0.0"),
    make_tarball("acme-canary", "99.0.0"),
)

NAMES = ("canary", "acme")
"""What no outbound byte may have."""
DOORS = [
    ("GET", "/pypi/simple/acme-canary/"),
    ("GET", "/pypi/simple/Acme_Canary"),
    ("GET", "/pypi/simple/acme--canary/"),
    ("GET", "/pypi/simple/acme%2Dcanary/"),
    ("GET", "/pypi/files/acme-canary/acme_canary-1.0-py3-none-any.whl"),
    ("GET", "/pypi/files/acme-canary/acme_canary-1.0-py3-none-any.whl.metadata"),
    ("GET", "/pypi/files/acme-canary/acme_canary-99.0-py3-none-any.whl"),
    ("GET", "/pypi/pypi/acme-canary/json"),
    ("GET", "/pypi/pypi/acme-canary/99.0/json"),
    ("GET", "/pypi/integrity/acme-canary/1.0/acme_canary-1.0-py3-none-any.whl/provenance"),
    ("GET", "/npm/@acme%2fcanary"),
    ("GET", "/npm/@acme%2Fcanary"),
    ("GET", "/npm/@acme/canary"),
    ("GET", "/npm/%40acme%2fcanary"),
    ("GET", "/npm/@acme%2fcanar%79"),
    ("GET", "/npm/@acme%2fcanary?write=true"),
    ("GET", "/npm/@acme%2fcanary/latest"),
    ("GET", "/npm/@acme%2fcanary/99.0.0"),
    ("GET", "/npm/@acme/canary/-/canary-1.0.0.tgz"),
    ("GET", "/npm/@acme/canary/-/canary-99.0.0.tgz"),
    ("GET", "/npm/-/package/@acme%2fcanary/dist-tags"),
    ("GET", "/npm/-/npm/v1/attestations/@acme%2fcanary@1.0.0"),
    ("GET", "/-/npm/v1/attestations/@acme%2fcanary@1.0.0"),
    ("GET", "/npm/-/v1/search?text=@acme/canary&size=20"),
    ("GET", "/npm/-/v1/search?text=acme-canary&from=0"),
    ("GET", "/npm/acme-canary"),
    ("GET", "/npm/acme-canary/-/acme-canary-1.0.0.tgz"),
    ("PUT", "/npm/-/package/@acme%2fcanary/dist-tags/canary"),
    ("DELETE", "/npm/-/package/@acme%2fcanary/dist-tags/canary"),
    ("PUT", "/npm/-/user/org.couchdb.user:canary"),
    ("PUT", "/npm/@acme%2fcanary/-rev/1-abc"),
    ("DELETE", "/npm/@acme%2fcanary/-rev/1-abc"),
    ("DELETE", "/npm/@acme/canary/-/canary-99.0.0.tgz/-rev/1-abc"),
    ("POST", "/pypi/legacy/"),
    ("PUT", "/npm/@acme%2fcanary"),
]
SPELLINGS = {
    "/pypi/simple/{}/": ("ACME-CANARY", "Acme.Canary", "acme_canary", "acme-_.canary", "acme%2ecanary"),
    "/pypi/pypi/{}/json": ("ACME_CANARY", "Acme.Canary"),
    "/pypi/files/{}/acme_canary-99.0-py3-none-any.whl": ("Acme.Canary", "ACME-CANARY"),
    "/pypi/integrity/{}/99.0/acme_canary-99.0-py3-none-any.whl/provenance": ("Acme_Canary", "acme.canary"),
    "/npm/{}": ("@ACME%2fcanary", "@Acme/Canary", "@acme%2FCANARY", "Acme-Canary", "%41cme-canary"),
    "/npm/{}/-/canary-99.0.0.tgz": ("@ACME/canary", "%40acme%2fcanary", "@acme%2Fcanary"),
    "/npm/{}/99.0.0": ("@ACME%2fcanary", "Acme-Canary"),
    "/npm/-/package/{}/dist-tags": ("@ACME%2fcanary", "@acme/canary", "ACME-CANARY"),
    "/npm/-/npm/v1/attestations/{}@99.0.0": ("@ACME%2fcanary", "@acme/canary", "acme-canary"),
    "/npm/-/v1/search?text={}": ("ACME%20canary", "@acme%2fCanary", "scope:acme", "keywords:canary"),
}
"""Door → other spellings of the name, in case and in what normalisation and percent-encoding take for the same."""
API = [
    ("GET", "/api/v1/policy/explain?ecosystem=pypi&name=Acme_Canary", None),
    ("GET", "/api/v1/policy/explain?ecosystem=npm&name=@acme/canary&version=99.0.0", None),
    ("POST", "/api/v1/check", {"pins": [{"ecosystem": "npm", "name": "@acme/canary", "version": "99.0.0"}]}),
    ("POST", "/api/v1/check", {"pins": [{"ecosystem": "pypi", "name": "acme-canary", "version": "99.0"}]}),
]
"""What admins ask."""
PACKUMENT = json.dumps({"name": "@acme/canary", "versions": {}, "dist-tags": {}}).encode()
AUDITS = [
    ("/npm/-/npm/v1/security/advisories/bulk", {"@acme/canary": ["1.0.0"], "acme-canary": ["1.0.0"]}),
    (
        "/npm/-/npm/v1/security/audits/quick",
        {"name": "acme-canary", "requires": {"@acme/canary": "1"}, "dependencies": {"@acme/canary": {}}},
    ),
    (
        "/npm/-/npm/v1/security/audits",
        {"name": "x", "dependencies": {"y": {"version": "1.0.0", "requires": {"@ACME/Canary": "1"}}}},
    ),
    ("/npm/-/npm/v1/security/advisories/bulk", {"@ACME/canary": ["1.0.0"], "Acme-Canary": ["99.0.0"]}),
]
CANARY_HEADERS = {
    "npm-scope": "@acme",
    "npm-command": "install",
    "pacote-pkg-id": "registry:@acme/canary@1.0.0",
    "Referer": "install @acme/canary",
    "Cookie": "canary=1",
    "User-Agent": "npm/11 workspaces/canary",
    "X-Forwarded-Host": "canary.example",
}


async def knock(house: House) -> None:
    """At every door, with every header that a client might tell it by."""
    for method, path in DOORS:
        body = None if method != "PUT" else b'"1.0.0"' if "dist-tags" in path else PACKUMENT
        for headers in ({}, JSON, house.admin):
            await house.ask(path, method=method, headers={**CANARY_HEADERS, **headers}, data=body)
        if method == "GET":
            await house.ask(path, method="HEAD", headers=CANARY_HEADERS)
    for door, names in SPELLINGS.items():
        for name in names:
            for headers in (CANARY_HEADERS, {**JSON, "npm-command": "publish"}):
                await house.ask(door.format(name), headers=headers)
    for method, path, question in API:
        text = None if question is None else json.dumps(question)
        headers = {**house.admin, "Content-Type": "application/json"}
        assert (await house.ask(path, method=method, headers=headers, data=text)).status == 200, path
    for path, document in AUDITS:
        packed = gzip.compress(json.dumps(document).encode())
        headers = {**CANARY_HEADERS, "Content-Type": "application/json"}
        await house.ask(path, method="POST", headers={**headers, "Content-Encoding": "gzip"}, data=packed)
        await house.ask(path, method="POST", headers=headers, data=json.dumps(document))


def require_silence(upstream: LyingUpstream) -> None:
    told = [
        seen
        for seen in upstream.requests
        if any(part in unquote(f"{seen.path} {seen.headers} {_plain(seen.body)}").lower() for part in NAMES)
    ]
    assert not told


@pytest.fixture(autouse=True)
def looked_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No door makes the appliance ask a name server for it, either."""
    hosts: list[str] = []
    look_up = socket.getaddrinfo

    def remembered(host: Any, *more: Any, **named: Any) -> Any:
        hosts.append(str(host).lower())
        return look_up(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", remembered)
    yield
    assert not [host for host in hosts if any(part in host for part in NAMES)]


def test_every_kind_of_question_is_asked_with_a_name_that_is_ours() -> None:
    """A new door is a new kind of question: it belongs into the lists above. (Of `ProjectsAsk`, which has no
    name, and of redirects nothing can leak.)"""
    doors = [*DOORS, *(("POST", path) for path, _ in AUDITS)]
    doors += [("GET", door.format(name)) for door, names in SPELLINGS.items() for name in names]
    asked = set()
    for method, path in doors:
        _, prefix, rest = path.split("/", 2)
        if prefix not in ECOSYSTEMS:
            continue
        with suppress(RegistryError):  # a spelling that is no name at all
            asked.add(type(ECOSYSTEMS[prefix].parse_ask(parse_target(method, rest))))
    assert set(get_args(Ask)) - {ProjectsAsk} <= asked


def _plain(body: bytes) -> str:
    data = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    return data.decode("latin-1")


async def test_a_reserved_name_is_never_asked_for_and_not_found(
    house: House, upstream: LyingUpstream
) -> None:
    """P2: nothing was ever published under it; the upstream has an impostor waiting."""
    upstream.add(*IMPOSTORS)
    await house.decree(OURS)
    await knock(house)
    require_silence(upstream)
    for path in ("/pypi/simple/acme-canary/", "/npm/@acme%2fcanary", "/npm/acme-canary"):
        assert (await house.ask(path)).status == 404


async def test_a_published_name_is_never_asked_for_and_has_our_versions_alone(
    house: House, upstream: LyingUpstream
) -> None:
    """P1: published without being reserved, so first publication alone makes it ours."""
    upstream.add(*IMPOSTORS)
    assert (await house.upload(WHEEL)).status == 200
    assert (await house.publish(SCOPED)).status == 201
    assert (await house.publish(TARBALL)).status == 201
    await knock(house)
    await house.restart()
    house.clock.advance(hours=1)
    await knock(house)
    require_silence(upstream)
    assert (await house.index("acme-canary"))["versions"] == ["1.0"]
    for tarball in (SCOPED, TARBALL):
        packument = await house.ask(f"/npm/{tarball.name.replace('/', '%2f')}")
        assert list(packument.json["versions"]) == ["1.0.0"]
    for package in (WHEEL, SCOPED, TARBALL):
        assert (await house.fetch(package)).is_whole(package.data)


async def test_a_private_name_stays_inside_while_its_back_end_is_down(
    house: House, upstream: LyingUpstream
) -> None:
    """F31: no fallback to the outside, ever."""
    upstream.add(*IMPOSTORS, make_tarball("@acme/never-read", "99.0.0"))
    await house.decree(OURS)
    await house.upload(WHEEL)
    await house.publish(SCOPED)
    await house.publish(TARBALL)
    assert (await house.ask("/npm/@acme%2fcanary")).status == 200
    house.pypiserver.broken = house.verdaccio.broken = True
    await knock(house)
    got = await house.ask("/npm/@acme%2fnever-read")
    assert (got.status in {502, 503}, "Verdaccio" in got.reason) == (True, True)
    kept = await house.ask("/npm/@acme%2fcanary")
    assert (kept.status, b"99.0" in kept.body) == (200, False)
    require_silence(upstream)


async def test_a_public_name_that_is_claimed_shows_nothing_public_any_more(
    house: House, upstream: LyingUpstream
) -> None:
    """P1, the other way round: somebody had fetched the impostor before the name was claimed."""
    upstream.add(*IMPOSTORS)
    for impostor in IMPOSTORS:
        assert (await house.fetch(impostor)).is_whole(impostor.data)
    upstream.requests.clear()
    await house.decree(OURS)
    await knock(house)
    require_silence(upstream)
    for path in ("/pypi/simple/acme-canary/", "/npm/@acme%2fcanary", "/npm/acme-canary"):
        assert (await house.ask(path)).status == 404
    assert (await house.ask("/pypi/files/acme-canary/acme_canary-99.0-py3-none-any.whl")).status == 404


async def test_a_claimed_public_name_can_be_published_and_has_our_versions_alone(
    house: House, upstream: LyingUpstream
) -> None:
    upstream.add(*IMPOSTORS)
    for impostor in IMPOSTORS:
        await house.fetch(impostor)
    await house.decree(OURS)
    upstream.requests.clear()
    assert (await house.upload(WHEEL)).status == 200
    assert (await house.publish(SCOPED)).status == 201
    assert (await house.index("acme-canary"))["versions"] == ["1.0"]
    for package in (WHEEL, SCOPED):
        assert (await house.fetch(package)).is_whole(package.data)
    require_silence(upstream)


@pytest.mark.parametrize("package", [WHEEL, TARBALL], ids=["pypi", "npm"])
async def test_a_public_name_that_nobody_claimed_cannot_be_published(
    house: House, upstream: LyingUpstream, package: object
) -> None:
    """H15: and nothing of it reaches a back end."""
    upstream.add(*IMPOSTORS)
    await house.index("acme-canary")
    await house.ask("/npm/acme-canary")
    got = await (house.upload(WHEEL) if package is WHEEL else house.publish(TARBALL))
    assert (got.status, "public" in got.reason) == (403, True)
    assert not house.pypiserver.files
    assert not house.verdaccio.files


async def test_a_client_about_to_publish_asks_nobody_outside(house: House, upstream: LyingUpstream) -> None:
    """DESIGN 5.7: `npm publish` looks for the package first."""
    upstream.add(*IMPOSTORS)
    await house.decree(GUARDED)
    got = await house.ask("/npm/@acme%2fcanary", headers={"npm-command": "publish"})
    assert got.status == 404
    assert not upstream.requests
