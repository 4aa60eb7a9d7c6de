"""An upstream: a simple index or an npm registry, asked for documents and files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import msgspec
from yarl import URL

from registry.errors import IntegrityFailed, SourceFailed
from registry.model.artifacts import Artifact
from registry.model.ecosystem import Ecosystem
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.ports import Clock
from registry.sources.client import Client, Reply
from registry.sources.egress import Origin, read_url
from registry.sources.failures import unexpected
from registry.sources.hosts import HomeOnly, Rule


class RegistrySource:
    """The port `Source` over HTTP, for any ecosystem."""

    def __init__(
        self, ecosystem: Ecosystem, client: Client, *, documents: HomeOnly, files: Rule, clock: Clock
    ) -> None:
        self.name = client.name
        self._ecosystem = ecosystem
        self._client = client
        self._documents = documents
        self._files = files
        self._clock = clock

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        """The project's current document; `previous` with a new `checked` when its bytes are unchanged."""
        url = self._client.home.join(self._ecosystem.source_path(project))
        headers = {"Accept": self._ecosystem.source_accept, **self._conditions(previous)}
        reply = await self._client.fetch(url, headers, self._documents)
        return read_reply(self.name, reply, previous, self._clock)

    @asynccontextmanager
    async def artifact(self, artifact: Artifact) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The file's bytes, not one more than were announced."""
        try:
            url = read_url(artifact.url)
        except ValueError:
            raise SourceFailed(f"{self.name} named a file URL that isn't one; nothing was fetched.") from None
        async with (
            self._client.stream(url, self._files) as (length, body),
            aclosing(
                exactly(self.name, artifact, length, body, self._client.limits.artifact_bytes)
            ) as counted,
        ):
            yield counted

    async def probe(self) -> str | None:
        """None when the upstream answers through proxy and TLS, else a sentence that says what fails."""
        return await self._client.probe("HEAD", "")

    def _conditions(self, previous: Document | None) -> dict[str, str]:
        """If-None-Match and If-Modified-Since, unless the document came from somewhere else: another server's
        ETag may fit by accident."""
        if previous is None or Origin.of(URL(previous.url)).host != self._client.home.origin.host:
            return {}
        fields = {"If-None-Match": previous.etag, "If-Modified-Since": previous.last_modified}
        return {name: value for name, value in fields.items() if value}


def read_reply(name: str, reply: Reply, previous: Document | None, clock: Clock) -> Document | None:
    """A source's answer to a (conditional) request for an index. Raises SourceFailed."""
    if reply.status in {404, 410}:
        return None
    now = clock.now()
    if reply.status == 304 and previous is not None:
        return msgspec.structs.replace(previous, checked=now)
    if reply.status != 200:
        raise unexpected(name, reply.status)
    document = Document(
        body=reply.body,
        content_type=reply.headers.get("content-type", "").partition(";")[0].strip().lower(),
        url=str(reply.url),
        etag=reply.headers.get("etag", ""),
        last_modified=reply.headers.get("last-modified", ""),
        sha256=reply.sha256,
        checked=now,
    )
    if previous is None or not _same(previous, document):
        return document
    return msgspec.structs.replace(
        previous, checked=now, etag=document.etag, last_modified=document.last_modified
    )


def _same(one: Document, other: Document) -> bool:
    """Whether two documents say the same: relative links count from the URL."""
    return (one.sha256, one.url, one.content_type) == (other.sha256, other.url, other.content_type)


async def exactly(
    name: str, artifact: Artifact, length: int | None, body: AsyncIterator[bytes], limit: int
) -> AsyncGenerator[bytes, None]:
    """A body that must have the announced size; ends with IntegrityFailed before a byte too many is given.

    Where no size was announced, `limit` bytes are accepted.
    """
    announced = artifact.size
    if announced is not None and length is not None and length != announced:
        raise IntegrityFailed(
            f"{name} offers {artifact.filename} with {length} bytes, but its index says {announced}."
        )
    most = limit if announced is None else announced
    got = 0
    async for chunk in body:
        got += len(chunk)
        if got > most:
            raise IntegrityFailed(
                f"{name} sent more than {most} bytes for {artifact.filename}, which is all that its index "
                "announced, or more than one file may have."
            )
        yield chunk
    if announced is not None and got != announced:
        raise IntegrityFailed(
            f"{name} sent {got} bytes for {artifact.filename}, but its index says {announced}."
        )
