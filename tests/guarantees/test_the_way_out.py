"""I7, I10, I13: one guarded way out, tried on the whole gateway: names, addresses, certificates, redirects, headers.

Rows U18 to U20, U22, U23 and U25. The upstream itself is on loopback, since an operator named it; nothing else is.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from registry.app import sources
from registry.pipeline import freshness
from registry.sources.trust import tls_context
from tests.guarantees.crew import open_crew
from tests.guarantees.house import Got, House, open_house, path_of
from tests.upstream import Answer, Fault, LyingUpstream, faults, make_tarball, make_wheel

WHEEL, TARBALL = make_wheel("demo", "1.0", padding=100_000), make_tarball("@team/tool", "1.0.0")
KNOWN = (
    "/pypi/simple/demo/",
    path_of(WHEEL),
    f"{path_of(WHEEL)}.metadata",
    "/npm/@team%2ftool",
    path_of(TARBALL),
)
UNKNOWN = ("/pypi/simple/unseen/", "/npm/unseen")
MIB = 2**20


async def keep(house: House, upstream: LyingUpstream) -> None:
    """Have two packages here."""
    upstream.add(WHEEL, TARBALL)
    for package in (WHEEL, TARBALL):
        assert (await house.fetch(package)).is_whole(package.data)


async def require_stale(house: House) -> None:
    """What is here is served."""
    for path in KNOWN:
        got = await house.ask(path)
        assert got.status == 200, (path, got.reason)
        assert got.headers.get("X-Cache", "HIT") in {"HIT", "STALE"}


# U18: names


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], list[str]]]:
    """The machine's name server: what each name leads to, said anew at every question."""
    said: dict[str, Callable[[], list[str]]] = {}

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        addresses = said[host]() if host in said else []
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if addresses == ["silence"]:
            await asyncio.Event().wait()
        return [
            (
                socket.AF_INET6 if ":" in each else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (each, port, 0, 0)[: 4 if ":" in each else 2],
            )
            for each in addresses
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return said


@pytest.fixture
async def by_name(
    tmp_path: Path,
    upstream: LyingUpstream,
    names: dict[str, Callable[[], list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[House]:
    """A house whose upstreams have names."""
    monkeypatch.setattr(freshness, "PATIENCE", 0.05)
    names["mirror.lan"] = lambda: ["127.0.0.1"]
    environ = {
        "REGISTRY_PYPI_UPSTREAM": upstream.url_pypi.replace("127.0.0.1", "mirror.lan"),
        "REGISTRY_NPM_UPSTREAM": upstream.url_npm.replace("127.0.0.1", "mirror.lan"),
        "REGISTRY_PYPI_FILE_HOSTS": f"{upstream.origin},files.example",
        "REGISTRY_NPM_FILE_HOSTS": upstream.origin,
        "REGISTRY_PYPI_CONNECT_TIMEOUT": "1",
        "REGISTRY_NPM_CONNECT_TIMEOUT": "1",
        "REGISTRY_PYPI_FIRST_BYTE_TIMEOUT": "1",
        "REGISTRY_NPM_FIRST_BYTE_TIMEOUT": "1",
    }
    async with open_house(tmp_path, upstream, environ) as opened:
        yield opened


@pytest.mark.parametrize("answer", [[], ["silence"]], ids=["no such name", "no answer"])
async def test_a_name_that_nobody_knows_any_more_is_an_outage(
    by_name: House, upstream: LyingUpstream, names: dict[str, Callable[[], list[str]]], answer: list[str]
) -> None:
    await keep(by_name, upstream)
    names["mirror.lan"] = lambda: answer
    await by_name.restart()  # no connection from before
    by_name.clock.advance(days=1)
    await require_stale(by_name)
    for path in UNKNOWN:
        got = await by_name.ask(path)
        assert got.status in {502, 503, 504}
        assert b"mirror.lan" not in got.body


ADDRESSES = [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "0.0.0.0",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::1",
    "2001:0:7f00:1::",
    "fd00::1",
    "fe80::1",
]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_leads_inside_is_not_followed(
    by_name: House, upstream: LyingUpstream, names: dict[str, Callable[[], list[str]]], address: str
) -> None:
    """DNS rebinding: a file host that was listed by its name, whose name now leads to one of ours."""
    names["files.example"] = lambda: [address]
    wheel = make_wheel("demo", "1.0")
    wheel.url = f"https://files.example/{wheel.filename}"
    upstream.add(wheel)
    assert (await by_name.ask("/pypi/simple/demo/")).status == 200
    before = len(upstream.requests)
    got = await by_name.ask(path_of(wheel))
    assert (got.status, "isn't public" in got.reason) == (502, True)
    assert "egress_blocked" in by_name.alarms()
    assert len(upstream.requests) == before
    assert address.encode() not in got.body


async def test_a_name_is_judged_anew_at_every_connection(
    by_name: House, upstream: LyingUpstream, names: dict[str, Callable[[], list[str]]]
) -> None:
    """Of several addresses none that leads inside is tried, whichever comes first."""
    turns = iter([["192.168.0.1", "127.0.0.1"], ["127.0.0.1", "::1"], []])
    names["files.example"] = lambda: next(turns)
    wheel = make_wheel("demo", "1.0")
    wheel.url = f"https://files.example/{wheel.filename}"
    upstream.add(wheel)
    assert (await by_name.ask("/pypi/simple/demo/")).status == 200
    for _ in range(3):
        assert (await by_name.ask(path_of(wheel))).status in {502, 503}
        by_name.clock.advance(seconds=700)
    assert not by_name.blobs()


# U19: certificates


def speaking_as(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def ancient(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """TLS 1.0 and nothing else."""
    context = speaking_as(certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    return context


OLD, LATER = datetime(2021, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
CERTIFICATES: dict[str, tuple[Callable[[trustme.CA], ssl.SSLContext], str]] = {
    "expired": (lambda ours: speaking_as(ours.issue_cert("127.0.0.1", not_after=OLD)), "expired"),
    "of tomorrow": (
        lambda ours: speaking_as(
            ours.issue_cert("127.0.0.1", not_before=LATER, not_after=LATER.replace(year=2100))
        ),
        "not yet valid",
    ),
    "signed by nobody we know": (lambda _: speaking_as(trustme.CA().issue_cert("127.0.0.1")), "local issuer"),
    "of another name": (lambda ours: speaking_as(ours.issue_cert("other.example")), "mismatch"),
    "in TLS 1.0": (lambda ours: ancient(ours.issue_cert("127.0.0.1")), "TLS"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
async def test_a_certificate_that_is_not_right_is_an_outage_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nothing is asked without TLS instead, and what is here is served."""
    monkeypatch.setattr(freshness, "PATIENCE", 0.05)
    ours = trustme.CA()
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusting = tls_context({}, tmp_path / "ca.pem")
    monkeypatch.setattr(sources, "tls_context", lambda *_: trusting)
    bad, says = CERTIFICATES[kind]
    async with (
        LyingUpstream(tls=speaking_as(ours.issue_cert("127.0.0.1"))) as upstream,
        open_house(tmp_path, upstream) as house,
    ):
        await keep(house, upstream)
        await upstream.stop()
        await house.restart()  # no connection from before, no session to resume
        upstream.speak(bad(ours))
        async with upstream:
            before = len(upstream.requests)
            for path in UNKNOWN:
                got = await house.ask(path)
                assert (got.status, says in got.reason) == (502, True), got.reason
            house.clock.advance(days=1)
            await require_stale(house)
            assert len(upstream.requests) == before


# U20: redirects

REDIRECTS = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00::1]/",
    "http://0.0.0.0/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://localhost/",
    "https://evil.example/",
    "//evil.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://me:secret@127.0.0.1/",
    "http://[",
]


@pytest.mark.parametrize("to", REDIRECTS)
async def test_a_redirect_that_leads_elsewhere_is_refused_and_on_record(
    house: House, upstream: LyingUpstream, to: str
) -> None:
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    before = len(upstream.requests)
    upstream.lie(faults.redirect(to))
    for each in (path, *UNKNOWN):
        got = await house.ask(each)
        assert (got.status, "Location" in got.headers) == (502, False), (each, got.reason)
        assert not set(b"secret evil 169.254".split()) & set(got.body.split())
    asked = [seen.path for seen in upstream.requests[before:]]
    assert len(asked) == 3, asked
    elsewhere = to.startswith(("http://1", "http://[f", "http://[6", "https:", "file:"))
    assert not elsewhere or {"egress_blocked", "file_host_refused"} & set(house.alarms())
    assert "secret" not in str(house.rows("alarm"))


@pytest.mark.parametrize("to", ["///evil.example/", "http:///", "\\\\evil.example\\", "", "?", "#"])
async def test_a_redirect_that_looks_like_elsewhere_stays_at_home(
    house: House, upstream: LyingUpstream, to: str
) -> None:
    """What is no other host is a path of the upstream's own, sent as one line."""
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    upstream.lie(faults.redirect(to))
    for each in (path, *UNKNOWN):
        assert (await house.ask(each)).status == 502
    assert {seen.headers["host"] for seen in upstream.requests} == {upstream.origin.partition("//")[2]}


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_without_end_are_given_up(house: House, upstream: LyingUpstream, code: int) -> None:
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    for each in (path, "/pypi/simple/unseen/", "/npm/unseen"):
        before = len(upstream.requests)
        upstream.lie(chain(upstream, code))
        got = await house.ask(each)
        assert (got.status, "redirected more than 5 times" in got.reason) == (502, True), got.reason
        assert len(upstream.requests) - before == 6
        upstream.heal()


def chain(upstream: LyingUpstream, code: int) -> Fault:
    """Each leads to the next, none twice."""

    def fault(answer: Answer) -> Answer:
        return faults.redirect(f"/hop/{len(upstream.requests)}", code)(answer)

    return fault


# U22, U23: headers


async def test_a_challenge_gets_no_credentials_to_anywhere(tmp_path: Path, upstream: LyingUpstream) -> None:
    """U22: neither the realm that it names, nor a file host; the client isn't asked for its own."""
    async with LyingUpstream() as elsewhere:
        environ = {
            "REGISTRY_PYPI_UPSTREAM": upstream.url_pypi.replace("://", "://me:hunter2@"),
            "REGISTRY_NPM_UPSTREAM": upstream.url_npm.replace("://", "://me:hunter2@"),
            "REGISTRY_PYPI_FILE_HOSTS": elsewhere.origin,
        }
        async with open_house(tmp_path, upstream, environ) as house:
            wheel = make_wheel("demo", "1.0")
            elsewhere.add(wheel)
            wheel.url = f"{elsewhere.origin}/files/{wheel.filename}"
            upstream.add(wheel, TARBALL)
            assert (await house.fetch(wheel)).is_whole(wheel.data)
            realm = f'Bearer realm="{elsewhere.origin}/token",service="x"'
            upstream.lie(faults.status(401))
            upstream.lie(faults.with_header("WWW-Authenticate", realm))
            for path in UNKNOWN:
                got = await house.ask(path, headers=house.admin)
                assert (got.status, "WWW-Authenticate" in got.headers) == (502, False)
                assert "hunter2" not in got.reason
            assert [seen.path for seen in elsewhere.requests] == [f"/files/{wheel.filename}"]
            assert "authorization" not in elsewhere.requests[0].headers
            assert {seen.headers["authorization"] for seen in upstream.requests} == {"Basic bWU6aHVudGVyMg=="}


FOREIGN = {
    "Set-Cookie": "track=me",
    "Cache-Control": "public, immutable, max-age=315360000",
    "Vary": "Cookie",
    "Age": "99999999",
    "Location": "https://evil.example/",
    "X-Accel-Redirect": "/etc/passwd",
    "X-Sendfile": "/etc/passwd",
    "Refresh": "0; url=https://evil.example/",
    "Link": "<https://evil.example/>; rel=preload",
    "Expires": "Thu, 31 Dec 2099 23:59:59 GMT",
    "Clear-Site-Data": '"*"',
    "Strict-Transport-Security": "max-age=1",
    "Content-Disposition": "inline; filename=evil.html",
    "npm-notice": "evil",
    "X-Cache": "evil",
}


async def test_what_an_upstream_says_beside_its_bytes_goes_no_further(
    house: House, upstream: LyingUpstream
) -> None:
    """U23: at every door, when it comes in and when it is served from here."""
    upstream.add(WHEEL, TARBALL)
    doors = (*KNOWN, "/npm/@team%2ftool/latest", "/pypi/pypi/demo/json")
    plain = {path: await house.ask(path) for path in doors + doors}
    async with LyingUpstream() as liar:
        liar.add(WHEEL, TARBALL)
        for name, value in FOREIGN.items():
            liar.lie(faults.with_header(name, value))
        folder = house.folder / "another"
        folder.mkdir()
        async with open_house(folder, liar) as lied_to:
            for path in doors + doors:
                got = await lied_to.ask(path)
                assert (got.status, names_of(got) - names_of(plain[path])) == (200, set()), path
                assert "evil" not in str(got.headers)
                assert got.headers["Cache-Control"] == plain[path].headers["Cache-Control"]
                assert int(got.headers.get("Age", "0")) < 1000


def names_of(got: Got) -> set[str]:
    return {name.lower() for name in got.headers}


# U25: bombs


@contextmanager
def highest(pid: int) -> Iterator[Callable[[], int]]:
    """Tells the most memory of its own that a process had since, in bytes (proc(5), VmHWM)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")

    def most() -> int:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    yield most


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read in /proc")
@pytest.mark.parametrize("path", UNKNOWN)
async def test_a_bomb_is_stopped_with_little_memory_and_others_are_served(
    tmp_path: Path, upstream: LyingUpstream, path: str
) -> None:
    async with open_crew(tmp_path, upstream, workers=1) as crew:
        await keep(crew, upstream)
        upstream.add(make_wheel("unseen", "1.0"), make_tarball("unseen", "1.0.0"))
        upstream.lie(faults.gzip_bomb(128 * MIB), "*unseen*")
        with highest(crew.pids[0]) as most:
            before = most()
            asked = [asyncio.create_task(crew.ask(path)) for _ in range(20)]
            while not all(task.done() for task in asked):
                assert (await crew.ask(path_of(WHEEL))).is_whole(WHEEL.data)
            assert {(task.result().status, "unpacks to" in task.result().reason) for task in asked} == {
                (502, True)
            }
            assert most() - before < 64 * MIB
        assert len(upstream.asked("*unseen*")) == 1
        assert not list((crew.data / "spool").iterdir())
