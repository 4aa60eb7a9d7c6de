"""An upstream: a simple index or an npm registry, asked for documents and files."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import msgspec
from yarl import URL

from registry.errors import IntegrityFailed, SourceFailed, SourceTimedOut, Unavailable
from registry.model.artifacts import Artifact
from registry.model.ecosystem import Ecosystem
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.ports import Clock
from registry.sources.client import Client, Reply
from registry.sources.egress import Origin, read_url
from registry.sources.failures import unexpected
from registry.sources.hosts import HomeOnly, Rule

GAP_PATIENCE = 5.0
"""Seconds that a client waits for what the index leaves out."""
GAP_MISSES = 5
"""Projects in a row of which the source says no more, until it isn't asked for more for a while."""
GAP_REST = 3600.0
"""Seconds of that while."""

PROVENANCE = "application/vnd.pypi.integrity.v1+json"
"""What PEP 740 documents are asked for as."""

journal = logging.getLogger("registry.sources")


class RegistrySource:
    """The port `Source` over HTTP, for any ecosystem."""

    def __init__(
        self,
        ecosystem: Ecosystem,
        client: Client,
        *,
        documents: HomeOnly,
        files: Rule,
        clock: Clock,
        beside: Client | None = None,
    ) -> None:
        """`beside` is asked for what isn't vital: its failures don't count against the index."""
        self.name = client.name
        self._ecosystem = ecosystem
        self._client = client
        self._documents = documents
        self._files = files
        self._clock = clock
        self._beside = beside or client
        self._misses = 0
        self._silent_until = float("-inf")

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        """The project's current document; `previous` with a new `checked` when its bytes are unchanged."""
        url = self._client.home.join(self._ecosystem.source_path(project))
        headers = {"Accept": self._ecosystem.source_accept, **self._conditions(previous)}
        reply = await self._client.fetch(url, headers, self._documents)
        document = read_reply(self.name, reply, previous, self._clock)
        return document and await self._filled(project, document, previous)

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

    async def provenance(self, artifact: Artifact) -> bytes | None:
        """The document at the artifact's provenance URL; None when there is none. Asked of the source's own
        origin only, and beside the packages."""
        try:
            url = read_url(artifact.provenance)
        except ValueError:
            return None
        if Origin.of(url) != self._client.home.origin:
            raise SourceFailed(f"{self.name} has the provenance of {artifact.filename} on another host.")
        reply = await self._beside.fetch(url, {"Accept": PROVENANCE}, self._documents)
        if reply.status in {404, 410}:
            return None
        if reply.status != 200:
            raise unexpected(self.name, reply.status)
        return reply.body

    async def probe(self) -> str | None:
        """None when the upstream answers through proxy and TLS, else a sentence that says what fails."""
        return await self._client.probe("HEAD", "")

    async def _filled(self, project: Project, document: Document, previous: Document | None) -> Document:
        """The document with what the source says elsewhere and its index leaves out, where anything is.

        That nothing more is said, or nobody answers, is no failure: what is unknown stays unknown.
        """
        if document.path:  # larger than memory, and no list of files of one project
            return document
        gap_path, fill = self._ecosystem.gap_path, self._ecosystem.fill_gaps
        path = await asyncio.to_thread(gap_path, project, document) if gap_path else None
        if path is None or fill is None:
            return document
        elsewhere = await self._elsewhere(path)
        if elsewhere is None and previous is not None:
            elsewhere = previous.body  # what it said last time
        if elsewhere is None:
            return document
        filled = await asyncio.to_thread(fill, project, document, elsewhere)
        if previous is None or filled.sha256 != previous.sha256:
            return filled
        return msgspec.structs.replace(
            previous, checked=document.checked, etag=document.etag, last_modified=document.last_modified
        )

    async def _elsewhere(self, path: str) -> bytes | None:
        """A document beside the index, or None."""
        if self._clock.monotonic() < self._silent_until:
            return None
        url = URL(self._client.home.url).join(URL(path, encoded=True))
        try:
            async with asyncio.timeout(GAP_PATIENCE):
                reply = await self._beside.fetch(url, {"Accept": "application/json"}, self._documents)
        except (TimeoutError, SourceFailed, SourceTimedOut, Unavailable) as error:
            journal.info("the gaps of an index stay", extra={"source": self.name, "error": str(error)})
            return None
        if reply.status == 200:
            self._misses = 0
            return reply.body
        self._misses += 1
        if self._misses >= GAP_MISSES:
            self._silent_until, self._misses = self._clock.monotonic() + GAP_REST, 0
        return None

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
        path=reply.path,
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
