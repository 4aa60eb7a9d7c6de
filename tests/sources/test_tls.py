"""TLS is always verified, and an HTTP proxy changes nothing about that."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from yarl import URL

from registry.ecosystems.pypi import PYPI
from registry.errors import ConfigurationError, SourceFailed
from registry.model.names import Project
from registry.sources.hosts import FileHosts
from registry.sources.proxies import Proxies
from registry.sources.trust import tls_context
from tests.sources.world import Anything, body_of, make_artifact, make_client, make_source, read
from tests.upstream import LyingUpstream, faults, make_wheel


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def speaking_as(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def ask(upstream: LyingUpstream, demo: Project, tls: ssl.SSLContext) -> bytes:
    client = make_client(upstream.url_pypi, tls=tls)
    try:
        return body_of(await make_source(PYPI, client).index(demo, None))
    finally:
        await client.close()


async def test_a_certificate_of_an_authority_that_we_were_told_of_is_trusted(
    authority: trustme.CA, ca_file: Path, demo: Project
) -> None:
    async with LyingUpstream(tls=speaking_as(authority.issue_cert("127.0.0.1"))) as upstream:
        upstream.add(make_wheel("demo", "1.0"))
        assert await ask(upstream, demo, tls_context({}, ca_file))
        assert await ask(upstream, demo, tls_context({"SSL_CERT_FILE": str(ca_file)}))
        assert await ask(upstream, demo, tls_context({"REQUESTS_CA_BUNDLE": str(ca_file)}))


async def refusal(certificate: trustme.LeafCert, ca_file: Path | None, demo: Project) -> str:
    async with LyingUpstream(tls=speaking_as(certificate)) as upstream:
        with pytest.raises(SourceFailed) as caught:
            await ask(upstream, demo, tls_context({}, ca_file))
        assert upstream.requests == []
        return str(caught.value)


async def test_an_unknown_authority_is_refused(authority: trustme.CA, demo: Project) -> None:
    said = await refusal(authority.issue_cert("127.0.0.1"), None, demo)
    assert "local issuer" in said
    assert "ca_file" in said


async def test_an_expired_certificate_is_refused(authority: trustme.CA, ca_file: Path, demo: Project) -> None:
    old = authority.issue_cert("127.0.0.1", not_after=datetime(2021, 1, 1, tzinfo=UTC))
    assert "expired" in await refusal(old, ca_file, demo)


async def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA, ca_file: Path, demo: Project
) -> None:
    assert "mismatch" in await refusal(authority.issue_cert("other.example"), ca_file, demo)


async def test_a_redirect_from_https_to_plain_http_is_not_followed(
    authority: trustme.CA, ca_file: Path, demo: Project, upstream: LyingUpstream
) -> None:
    async with LyingUpstream(tls=speaking_as(authority.issue_cert("127.0.0.1"))) as home:
        client = make_client(home.url_pypi, tls=tls_context({}, ca_file))
        files = FileHosts("pypi", "The index", client.home, allowed=(upstream.origin,))
        home.lie(faults.redirect(f"{upstream.origin}/files/x.whl"))
        artifact = make_artifact(demo, "x.whl", f"{home.origin}/files/x.whl", None)
        with pytest.raises(SourceFailed, match="plain http"):
            await read(make_source(PYPI, client, files=files), artifact)
        await client.close()
    assert upstream.requests == []


async def test_an_old_tls_version_is_refused(authority: trustme.CA, ca_file: Path, demo: Project) -> None:
    context = speaking_as(authority.issue_cert("127.0.0.1"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    async with LyingUpstream(tls=context) as upstream:
        with pytest.raises(SourceFailed, match="TLS"):
            await ask(upstream, demo, tls_context({}, ca_file))


def test_the_system_store_stays_trusted_beside_the_own_one(ca_file: Path) -> None:
    alone = len(tls_context({}).get_ca_certs())
    both = len(tls_context({"SSL_CERT_FILE": str(ca_file)}, ca_file).get_ca_certs())
    assert both == alone + 1


def test_bundles_that_can_not_be_read_are_all_reported_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(ConfigurationError) as caught:
        tls_context({"SSL_CERT_FILE": str(tmp_path / "nothing.pem")}, empty)
    assert [problem.split()[0] for problem in caught.value.problems] == ["SSL_CERT_FILE", "ca_file"]


@contextlib.asynccontextmanager
async def tunnels(port: int) -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP proxy whose every tunnel ends at `port`; gives its URL and the heads of what it was asked."""
    heads: list[str] = []

    ended = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.current_task())
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Established\r\n\r\n")
        await asyncio.gather(pump(reader, outer), pump(inner, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://me:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
        await asyncio.gather(*filter(None, ended))


async def test_https_goes_through_the_proxy_and_is_still_verified(
    authority: trustme.CA, ca_file: Path, demo: Project
) -> None:
    async with LyingUpstream(tls=speaking_as(authority.issue_cert("index.example"))) as upstream:
        upstream.add(make_wheel("demo", "1.0"))
        async with tunnels(upstream.port) as (proxy, heads):
            for tls, works in ((tls_context({}, ca_file), True), (tls_context({}), False)):
                client = make_client(
                    "https://index.example/simple/",
                    named=False,
                    tls=tls,
                    proxies=Proxies.read({"HTTPS_PROXY": proxy}),
                )
                outcome = make_source(PYPI, client).index(demo, None)
                if works:
                    assert body_of(await outcome)
                else:
                    with pytest.raises(SourceFailed, match="trusted"):
                        await outcome
                await client.close()
    assert heads[0].startswith("CONNECT index.example:443 ")
    assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in heads[0]
    assert all("authorization" not in seen.headers for seen in upstream.requests)
    assert "proxy-authorization" not in upstream.requests[0].headers


async def test_plain_http_is_asked_of_the_proxy(upstream: LyingUpstream, demo: Project) -> None:
    proxy = upstream.origin.replace("://", "://me:secret@")
    client = make_client("http://mirror.lan/simple/", proxies=Proxies.read({"HTTP_PROXY": proxy}))
    assert await make_source(PYPI, client).index(demo, None) is None
    assert upstream.requests[0].path == "http://mirror.lan/simple/demo/"
    assert upstream.requests[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert "authorization" not in upstream.requests[0].headers
    await client.close()


async def test_a_literal_internal_address_is_not_asked_of_a_proxy_either(upstream: LyingUpstream) -> None:
    client = make_client(
        "https://index.example/", named=False, proxies=Proxies.read({"HTTPS_PROXY": upstream.origin})
    )
    rule = FileHosts("pypi", "The index", client.home, allowed=("10.0.0.1", "169.254.169.254"))
    for address in ("10.0.0.1", "169.254.169.254"):
        with pytest.raises(SourceFailed):
            await rule.admit(URL(f"https://{address}/"))
        with pytest.raises(SourceFailed):
            await client.fetch(URL(f"https://{address}/"), {}, Anything())
    await client.close()
    assert upstream.requests == []


async def test_a_proxy_that_is_not_there_is_named_as_such(upstream: LyingUpstream, demo: Project) -> None:
    await upstream.stop()
    client = make_client("http://mirror.lan/simple/", proxies=Proxies.read({"HTTP_PROXY": upstream.origin}))
    with pytest.raises(SourceFailed, match="proxy"):
        await make_source(PYPI, client).index(demo, None)
    await client.close()
