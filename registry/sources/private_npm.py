"""Verdaccio: where the team's private npm packages lie, with their packuments, dist-tags and revisions."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from registry.errors import Conflict, SourceFailed
from registry.model.artifacts import Artifact, Digest
from registry.model.ecosystem import Ecosystem
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.ports import Clock
from registry.model.publications import Publication
from registry.sources.client import Client
from registry.sources.hosts import HomeOnly
from registry.sources.registry_source import exactly, read_reply

_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class VerdaccioSource:
    """The port `Source` over Verdaccio."""

    def __init__(self, ecosystem: Ecosystem, client: Client, *, clock: Clock) -> None:
        self.name = client.name
        self._ecosystem = ecosystem
        self._client = client
        self._clock = clock
        self._rule = HomeOnly(client.name, client.home)

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        """The whole packument. Verdaccio's ETag is of what it would send, so unchanged means unchanged."""
        url = self._client.home.join(self._ecosystem.source_path(project))
        headers = {"Accept": "application/json"}
        if previous is not None and previous.etag:
            headers["If-None-Match"] = previous.etag
        reply = await self._client.fetch(url, headers, self._rule)
        return read_reply(self.name, reply, previous, self._clock)

    @asynccontextmanager
    async def artifact(self, artifact: Artifact) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The tarball, by its name: the packument has whatever address Verdaccio thinks is its own."""
        project = quote(artifact.project.name, safe="@/")
        url = self._client.home.join(f"{project}/-/{quote(artifact.filename, safe='')}")
        async with (
            self._client.stream(url, self._rule) as (length, body),
            aclosing(
                exactly(self.name, artifact, length, body, self._client.limits.artifact_bytes)
            ) as counted,
        ):
            yield counted

    async def probe(self) -> str | None:
        """None when Verdaccio is up, else a sentence that says what fails."""
        return await self._client.probe("GET", "-/ping")


class VerdaccioPublisher:
    """The port `Publisher` over Verdaccio's own npm protocol."""

    def __init__(self, ecosystem: Ecosystem, client: Client, *, clock: Clock) -> None:
        self._ecosystem = ecosystem
        self._client = client
        self._source = VerdaccioSource(ecosystem, client, clock=clock)

    async def publish(self, publication: Publication, spool: Path) -> None:
        """PUT the publish document that `spool` holds: npm's JSON with the tarball in `_attachments`.

        Raises Conflict when the version is there with other bytes, SourceFailed, SourceTimedOut.
        """
        url = self._client.home.join(self._ecosystem.source_path(publication.project))
        with spool.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            reply = await self._client.send("PUT", url, headers=_JSON, data=file, size=size)
        if reply.status == 409:
            await self._settle(publication)
        elif reply.status not in {200, 201}:
            filename = publication.artifact.filename
            raise SourceFailed(f"{self._client.name} did not take {filename} ({reply.status}); see its log.")

    async def amend(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Pass a change on: `PUT -/package/name/dist-tags/next`. `path` is encoded, below its base."""
        url = self._client.home.join(path)
        reply = await self._client.send(method, url, headers=_JSON, data=body or None)
        return reply.status, reply.body

    async def _settle(self, publication: Publication) -> None:
        """The version exists: fine with the same bytes (an earlier try of this), a conflict with others."""
        artifact = publication.artifact
        document = await self._source.index(publication.project, None)
        listed = self._ecosystem.read_index(publication.project, document).artifacts if document else ()
        there = next((entry for entry in listed if entry.filename == artifact.filename), None)
        if there is None or not _agree(there.digests, artifact.digests):
            raise Conflict(
                f"{publication.project.name} {artifact.version} is published already, with other bytes; "
                "publish a new version."
            )


def _agree(some: Iterable[Digest], others: Iterable[Digest]) -> bool:
    """Whether two sets of digests have an algorithm in common, and differ in none."""
    known = {digest.algorithm: digest.hex for digest in some}
    pairs = [(known[digest.algorithm], digest.hex) for digest in others if digest.algorithm in known]
    return bool(pairs) and all(one == other for one, other in pairs)
