"""What the tests of the sources share: a fixed clock, and clients for the lying upstream."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from yarl import URL

from registry.model.artifacts import Artifact, Digest
from registry.model.ecosystem import Ecosystem
from registry.model.indexes import Document
from registry.model.names import Project
from registry.sources.client import Client
from registry.sources.egress import Home
from registry.sources.hosts import FileHosts, HomeOnly, Permit
from registry.sources.limits import Limits
from registry.sources.proxies import Proxies
from registry.sources.registry_source import RegistrySource
from tests.fakes import FixedClock

NAME = "The upstream index"
QUICK = Limits(connect=2, first_byte=0.2, window=0.2, retry_pause=0, failures=100)
"""For faults that only time reveals."""
PATIENT = Limits(retry_pause=0, failures=100)


@dataclass
class Alarms:
    """What was alarmed."""

    raised: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    async def __call__(self, what: str, detail: Mapping[str, str]) -> None:
        self.raised.append((what, detail))


@functools.cache
def _no_tls() -> ssl.SSLContext:
    """For upstreams without TLS: trusts nobody, and is made once."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def make_client(
    base_url: str,
    *,
    named: bool = True,
    limits: Limits = PATIENT,
    clock: FixedClock | None = None,
    proxies: Proxies | None = None,
    tls: ssl.SSLContext | None = None,
    alarm: Alarms | None = None,
) -> Client:
    return Client(
        NAME,
        Home.parse(base_url, named=named),
        tls=tls or _no_tls(),
        proxies=proxies or Proxies.none(),
        clock=clock or FixedClock(),
        limits=limits,
        agent="registry/test",
        alarm=alarm or Alarms(),
    )


def make_source(
    ecosystem: Ecosystem, client: Client, *, clock: FixedClock | None = None, files: FileHosts | None = None
) -> RegistrySource:
    return RegistrySource(
        ecosystem,
        client,
        documents=HomeOnly(NAME, client.home),
        files=files or FileHosts(ecosystem.name, NAME, client.home, allowed=()),
        clock=clock or FixedClock(),
    )


async def read(source: RegistrySource, artifact: Artifact) -> bytes:
    async with source.artifact(artifact) as chunks:
        return b"".join([chunk async for chunk in chunks])


def make_artifact(project: Project, filename: str, url: str, data: bytes | None) -> Artifact:
    """What an index said of a file; with `data`, its true size."""
    return Artifact(
        project=project,
        filename=filename,
        version="1.0",
        url=url,
        size=None if data is None else len(data),
        digests=(Digest("sha256", "0" * 64),),
    )


def body_of(document: Document | None) -> bytes:
    assert document is not None
    return document.body


class Anything:
    """A rule that has been tricked."""

    async def admit(self, url: URL) -> Permit:
        return Permit(url, named=False)
