"""Where files and documents may come from, and that nothing else is ever connected to."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from registry.ecosystems.pypi import PYPI
from registry.errors import SourceFailed
from registry.model.artifacts import Artifact
from registry.model.names import Project
from registry.sources.client import Client
from registry.sources.egress import Home
from registry.sources.hosts import FileHosts, HomeOnly, Permit
from registry.sources.proxies import Proxies
from registry.sources.registry_source import RegistrySource
from registry.sources.trust import tls_context
from tests.fakes import FixedClock
from tests.sources.world import NAME, PATIENT, Alarms, Anything, make_artifact, make_client, make_source, read
from tests.upstream import Distribution, LyingUpstream, faults

HOME = Home.parse("https://index.example/simple/", named=False)


def pinned(alarms: Alarms, *hosts: str) -> FileHosts:
    return FileHosts("pypi", NAME, HOME, pinned=hosts, alarm=alarms)


async def test_the_first_public_host_is_pinned_and_remembered(alarms: Alarms) -> None:
    remembered = []

    async def remember(ecosystem: str, host: str) -> tuple[str, ...]:
        remembered.append((ecosystem, host))
        return (host,)

    rule = FileHosts("pypi", NAME, HOME, remember=remember, alarm=alarms)
    for _ in range(2):
        await rule.admit(URL("https://Files.example/a.whl"))
    assert remembered == [("pypi", "files.example")]
    assert alarms.raised == []


async def test_a_second_host_is_refused_and_alarmed(alarms: Alarms) -> None:
    rule = pinned(alarms, "files.example")
    with pytest.raises(SourceFailed, match="file_hosts"):
        await rule.admit(URL("https://evil.example/a.whl"))
    assert [what for what, _ in alarms.raised] == ["file_host_refused"]


async def test_the_source_itself_needs_no_pin(alarms: Alarms) -> None:
    rule = pinned(alarms)
    await rule.admit(URL("https://index.example/packages/a.whl"))
    permit = await rule.admit(URL("http://index.example/packages/a.whl"))
    assert permit.url == URL("https://index.example/packages/a.whl")
    await rule.admit(URL("https://files.example/a.whl"))


REFUSED = [
    "http://files.example/a.whl",
    "https://files.example:22/a.whl",
    "https://user:secret@files.example/a.whl",
    "https://user@index.example/a.whl",
    "https://index.example:8443/a.whl",
    "https://169.254.169.254/latest/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00::1]/",
    "https://0.0.0.0/",
    "https://8.8.8.8/",
    "ftp://files.example/a.whl",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "//files.example/a.whl",
    "https://files.example.evil.example/a.whl",
    "https://evil.example/files.example",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_a_url_that_no_honest_index_names_is_refused(url: str, alarms: Alarms) -> None:
    with pytest.raises(SourceFailed) as caught:
        await pinned(alarms, "files.example").admit(URL(url))
    assert "secret" not in str(caught.value)
    assert "secret" not in str(alarms.raised)
    assert len(alarms.raised) == 1


@pytest.mark.parametrize("url", ["https://127.0.0.1/a.whl", "https://8.8.8.8/a.whl"])
async def test_an_address_is_never_pinned(url: str, alarms: Alarms) -> None:
    with pytest.raises(SourceFailed):
        await pinned(alarms).admit(URL(url))


async def test_listed_hosts_are_all_there_is(alarms: Alarms) -> None:
    rule = FileHosts(
        "pypi",
        NAME,
        HOME,
        allowed=("Files.example", "ports.example:8443", "http://files.lan:8080"),
        alarm=alarms,
    )
    assert await rule.admit(URL("https://files.example/a")) == Permit(
        URL("https://files.example/a"), named=False
    )
    elsewhere = URL("https://ports.example:8443/a")
    assert await rule.admit(elsewhere) == Permit(elsewhere, named=False)
    lan = URL("http://files.lan:8080/a")
    assert await rule.admit(lan) == Permit(lan, named=True)
    for url in (
        "https://other.example/a",
        "https://ports.example/a",
        "https://files.example:8443/a",
        "http://files.lan/a",
        "https://files.lan/a",
        "http://files.example/a",
    ):
        with pytest.raises(SourceFailed):
            await rule.admit(URL(url))


async def test_documents_come_from_home_only(alarms: Alarms) -> None:
    rule = HomeOnly(NAME, HOME, alarm=alarms)
    await rule.admit(URL("https://index.example/elsewhere/"))
    for url in (
        "https://other.example/",
        "http://index.example/",
        "https://index.example:444/",
        "https://a@index.example/",
    ):
        with pytest.raises(SourceFailed):
            await rule.admit(URL(url))


async def test_a_home_on_plain_http_may_send_us_to_its_https(alarms: Alarms) -> None:
    rule = HomeOnly(NAME, Home.parse("http://mirror.lan:80/", named=True), alarm=alarms)
    permit = await rule.admit(URL("https://mirror.lan/simple/"))
    assert permit.named


# Redirects, on the wire.


async def test_a_redirect_within_the_source_is_followed_and_links_count_from_its_end(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    upstream.lie(faults.redirect("/simple/demo/?moved=1"), "/simple/demo/")
    document = await source.index(demo, None)
    assert document is not None
    assert document.url == f"{upstream.url_pypi}demo/?moved=1"


TARGETS = {
    "cloud metadata": "http://169.254.169.254/latest/meta-data/",
    "mapped": "http://[::ffff:169.254.169.254]/",
    "unique local": "http://[fd00::1]/",
    "unspecified": "http://0.0.0.0/",
    "NAT64": "http://[64:ff9b::a9fe:a9fe]/",
    "a file": "file:///etc/passwd",
    "another host": "https://evil.example/",
    "another port": "http://127.0.0.1:1/",
    "with credentials": "http://me:secret@127.0.0.1/",
    "no URL": "http://[/",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_a_redirect_elsewhere_is_not_followed(
    source: RegistrySource, upstream: LyingUpstream, demo: Project, file: Artifact, target: str
) -> None:
    upstream.lie(faults.redirect(target))
    with pytest.raises(SourceFailed):
        await source.index(demo, None)
    with pytest.raises(SourceFailed):
        await read(source, file)
    assert len(upstream.requests) == 2


async def test_a_redirect_loop_ends(source: RegistrySource, upstream: LyingUpstream, demo: Project) -> None:
    upstream.lie(faults.redirect("/simple/demo/"))
    with pytest.raises(SourceFailed, match="more than 5 times"):
        await source.index(demo, None)
    assert len(upstream.requests) == 6


async def test_credentials_go_home_and_nowhere_else(demo: Project) -> None:
    async with LyingUpstream() as home, LyingUpstream() as elsewhere:
        client = make_client(home.url_pypi.replace("://", "://me:secret@"))
        files = FileHosts("pypi", NAME, client.home, allowed=(elsewhere.origin,))
        source = make_source(PYPI, client, files=files)
        home.lie(faults.with_header("WWW-Authenticate", f'Bearer realm="{elsewhere.origin}/token"'))
        home.lie(faults.redirect(f"{elsewhere.origin}/files/x.whl"), "/files/*")
        assert await source.index(demo, None) is None
        with pytest.raises(Exception, match="no such file"):
            await read(source, make_artifact(demo, "x.whl", f"{home.origin}/files/x.whl", None))
        await client.close()
        assert [seen.headers.get("authorization") for seen in home.requests] == ["Basic bWU6c2VjcmV0"] * 2
        assert [seen.headers.get("authorization") for seen in elsewhere.requests] == [None]


# The last line: whatever a rule let through, an address that isn't public gets no connection.


@dataclass
class Resolver(AbstractResolver):
    """A name server that says what it is told to."""

    addresses: tuple[str, ...]
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.1", "127.0.0.1"), ("169.254.169.254",)])
async def test_a_name_that_turns_to_an_internal_address_is_not_connected_to(
    upstream: LyingUpstream, demo: Project, alarms: Alarms, addresses: tuple[str, ...]
) -> None:
    client = Client(
        NAME,
        Home.parse(f"https://index.example:{upstream.port}/simple/", named=False),
        tls=tls_context({}),
        proxies=Proxies.none(),
        clock=FixedClock(),
        limits=PATIENT,
        agent="registry/test",
        alarm=alarms,
        resolver=Resolver(addresses),
    )
    with pytest.raises(SourceFailed, match="isn't public"):
        await make_source(PYPI, client).index(demo, None)
    await client.close()
    assert [what for what, _ in alarms.raised] == ["egress_blocked"]
    assert upstream.requests == []


async def test_an_internal_address_is_not_connected_to_whatever_a_rule_says(
    upstream: LyingUpstream, alarms: Alarms
) -> None:
    client = make_client("https://index.example/", named=False, alarm=alarms)
    with pytest.raises(SourceFailed, match="loopback"):
        await client.fetch(URL(f"{upstream.origin}/simple/demo/"), {}, Anything())
    await client.close()
    assert [what for what, _ in alarms.raised] == ["egress_blocked"]
    assert upstream.requests == []
