"""Verdaccio: where the team's private npm packages lie, with their packuments, dist-tags and revisions."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

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
_BYTES = {"Accept": "application/json", "Content-Type": "application/octet-stream"}


class _Document(msgspec.Struct):
    """A publication's body: npm's document without attachments."""

    versions: dict[str, msgspec.Raw]
    tags: dict[str, str] = msgspec.field(name="dist-tags", default_factory=dict)


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
    """The port `Publisher` over Verdaccio's own npm protocol, and for what is new over our plugin of it
    (verdaccio/plugins), which takes a tarball as a stream."""

    def __init__(self, ecosystem: Ecosystem, client: Client, *, clock: Clock) -> None:
        self._ecosystem = ecosystem
        self._client = client
        self._source = VerdaccioSource(ecosystem, client, clock=clock)

    async def publish(self, publication: Publication, spool: Path) -> None:
        """Hand over the tarball in `spool` and the version that the publication's body describes.

        What an earlier try left half done is done again. Raises Conflict when the version is there with other
        bytes, SourceFailed, SourceTimedOut.
        """
        if await self._is_there(publication):
            return
        project, version = publication.project, publication.artifact.version
        await self._put(publication, self._ecosystem.source_path(project), _empty(project), known={409})
        await self._put_tarball(publication, spool)
        path = f"{_ours(project)}/version/{quote(version, safe='')}"
        await self._put(publication, path, _version(publication))

    async def amend(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Pass a change on: `PUT -/package/name/dist-tags/next`. `path` is encoded, below its base."""
        url = self._client.home.join(path)
        reply = await self._client.send(method, url, headers=_JSON, data=body or None)
        return reply.status, reply.body

    async def _is_there(self, publication: Publication) -> bool:
        """Whether the version is listed, with the same bytes. Raises Conflict where it has others."""
        artifact = publication.artifact
        document = await self._source.index(publication.project, None)
        listed = self._ecosystem.read_index(publication.project, document).artifacts if document else ()
        there = next((entry for entry in listed if entry.filename == artifact.filename), None)
        if there is not None and not _agree(there.digests, artifact.digests):
            raise Conflict(
                f"{publication.project.name} {artifact.version} is published already, with other bytes; "
                "publish a new version."
            )
        return there is not None

    async def _put_tarball(self, publication: Publication, spool: Path) -> None:
        """No version is listed with this file: one that is there is what an earlier try has left."""
        project, filename = publication.project, quote(publication.artifact.filename, safe="")
        path = f"{_ours(project)}/tarball/{filename}"
        if await self._put(publication, path, spool, known={409}) == 409:
            left = f"{self._ecosystem.source_path(project)}/-/{filename}/-rev/-"
            await self._client.send("DELETE", self._client.home.join(left), headers=_JSON)
            await self._put(publication, path, spool)

    async def _put(
        self, publication: Publication, path: str, body: bytes | Path, known: Collection[int] = ()
    ) -> int:
        """Send bytes or a file; gives the status. Raises SourceFailed for one that isn't expected."""
        url = self._client.home.join(path)
        if isinstance(body, Path):
            with body.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                reply = await self._client.send("PUT", url, headers=_BYTES, data=file, size=size)
        else:
            reply = await self._client.send("PUT", url, headers=_JSON, data=body)
        if reply.status not in {200, 201, *known}:
            filename = publication.artifact.filename
            raise SourceFailed(f"{self._client.name} did not take {filename} ({reply.status}); see its log.")
        return reply.status


def _ours(project: Project) -> str:
    return f"-/publishing/{quote(project.name, safe='')}"


def _empty(project: Project) -> bytes:
    """A project without versions. It is refused where the project is, and changes nothing there."""
    return msgspec.json.encode({"name": project.name, "versions": {}, "dist-tags": {}})


def _version(publication: Publication) -> bytes:
    document = msgspec.json.decode(publication.body, type=_Document)
    manifest = document.versions[publication.artifact.version]
    return msgspec.json.encode({"manifest": manifest, "tags": document.tags})


def _agree(some: Iterable[Digest], others: Iterable[Digest]) -> bool:
    """Whether two sets of digests have an algorithm in common, and differ in none."""
    known = {digest.algorithm: digest.hex for digest in some}
    pairs = [(known[digest.algorithm], digest.hex) for digest in others if digest.algorithm in known]
    return bool(pairs) and all(one == other for one, other in pairs)
