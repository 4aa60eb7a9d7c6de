"""pypiserver: where the team's private Python files lie.

It keeps bytes and nothing else: its own index has no sizes, upload times or yanks, so the index of a private
project is written from the catalogue's rows, and pypiserver is asked for files only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote

import aiohttp
import msgspec

from registry.errors import NotAllowed, SourceFailed
from registry.model.artifacts import Artifact
from registry.model.ecosystem import Ecosystem
from registry.model.indexes import Document, Index
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock
from registry.model.publications import Publication, Stocked
from registry.sources.client import Client, Reply
from registry.sources.hosts import HomeOnly
from registry.sources.registry_source import exactly


class PypiserverSource:
    """The port `Source` over the catalogue (index) and pypiserver (files)."""

    def __init__(self, ecosystem: Ecosystem, client: Client, catalogue: Catalogue, *, clock: Clock) -> None:
        self.name = client.name
        self._ecosystem = ecosystem
        self._client = client
        self._catalogue = catalogue
        self._clock = clock
        self._rule = HomeOnly(client.name, client.home)

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        """The project as its rows tell it; None when nothing was ever published under the name here."""
        rows = [row for row in await self._catalogue.holdings(project) if row.origin == "private"]
        if not rows:
            return None
        artifacts = tuple(row.artifact for row in rows if not row.gone)
        index = Index(
            project=project,
            artifacts=artifacts,
            status=self._catalogue.status(project),
            versions=tuple(dict.fromkeys(artifact.version for artifact in artifacts)),
        )
        form = self._ecosystem.negotiate(self._ecosystem.source_accept)
        url = str(self._client.home.join(self._ecosystem.source_path(project)))
        body = self._ecosystem.render_index(index, {}, url.rstrip("/"), form)
        sha256 = hashlib.sha256(body).hexdigest()
        now = self._clock.now()
        if previous is not None and previous.sha256 == sha256:
            return msgspec.structs.replace(previous, checked=now)
        content_type = form.content_type.partition(";")[0].strip().lower()
        return Document(body=body, content_type=content_type, url=url, sha256=sha256, checked=now)

    @asynccontextmanager
    async def artifact(self, artifact: Artifact) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The file's bytes, by its name."""
        url = self._client.home.join(f"packages/{quote(artifact.filename, safe='')}")
        async with (
            self._client.stream(url, self._rule) as (length, body),
            aclosing(
                exactly(self.name, artifact, length, body, self._client.limits.artifact_bytes)
            ) as counted,
        ):
            yield counted

    async def probe(self) -> str | None:
        """None when pypiserver is up, else a sentence that says what fails."""
        return await self._client.probe("GET", "health")


class PypiserverStock:
    """The port `Stock` over pypiserver's list of files."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rule = HomeOnly(client.name, client.home)

    async def stocked(self) -> tuple[Stocked, ...]:
        """Every file that it has, with the sha256 that it computes and the time of the file."""
        reply = await self._client.fetch(
            self._client.home.join("packages/"), {"Accept": "text/html"}, self._rule
        )
        if reply.status != 200:
            raise SourceFailed(f"{self._client.name} doesn't list its files ({reply.status}); see its log.")
        names = _Names()
        names.feed(reply.body.decode("utf-8", "replace"))
        return tuple([await self._dated(filename, sha256) for filename, sha256 in names.found])

    @asynccontextmanager
    async def content(self, stocked: Stocked) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The file's bytes."""
        url = self._client.home.join(f"packages/{quote(stocked.filename, safe='')}")
        async with self._client.stream(url, self._rule) as (_, body):
            yield body

    async def remove(self, stocked: Stocked) -> None:
        """Take out all files of that name and version, as it reads them out of file names."""
        name, version = _read_name(stocked.filename)
        form = aiohttp.FormData({":action": "remove_pkg", "name": name, "version": version})
        reply = await self._client.send("POST", self._client.home.url, headers={}, data=form)
        if reply.status not in {200, 404} or (await self._head(stocked.filename)).status == 200:
            raise SourceFailed(
                f"{self._client.name} did not remove {stocked.filename} ({reply.status}); see its log."
            )

    async def _dated(self, filename: str, sha256: str) -> Stocked:
        reply = await self._head(filename)
        try:
            modified = parsedate_to_datetime(reply.headers.get("last-modified", ""))
        except ValueError:
            modified = None
        return Stocked(filename=filename, sha256=sha256, modified=modified)

    async def _head(self, filename: str) -> Reply:
        url = self._client.home.join(f"packages/{quote(filename, safe='')}")
        return await self._client.send("HEAD", url, headers={})


def _read_name(filename: str) -> tuple[str, str]:
    """Name and version as they are spelled in a file's name."""
    if filename.endswith(".whl"):
        name, version, *_ = filename.split("-")
        return name, version
    name, _, version = filename.removesuffix(".tar.gz").removesuffix(".zip").rpartition("-")
    return name, version


class _Names(HTMLParser):
    """File names and sha256s in pypiserver's list."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "a":
            return
        url, _, fragment = (dict(attrs).get("href") or "").partition("#")
        algorithm, _, value = fragment.partition("=")
        filename = unquote(url.rpartition("/")[2])
        if filename:
            self.found.append((filename, value if algorithm == "sha256" else ""))


class PypiserverPublisher:
    """The port `Publisher` over pypiserver's upload form."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def publish(self, publication: Publication, spool: Path) -> None:
        """Upload the file; pypiserver runs with --overwrite, so doing it again changes nothing."""
        artifact = publication.artifact
        with spool.open("rb") as file:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field(":action", "file_upload")
            form.add_field("protocol_version", "1")
            form.add_field("name", publication.project.name)
            form.add_field("version", artifact.version)
            form.add_field(
                "content", file, filename=artifact.filename, content_type="application/octet-stream"
            )
            size = os.fstat(file.fileno()).st_size
            reply = await self._client.send("POST", self._client.home.url, headers={}, data=form, size=size)
        if reply.status != 200:
            raise SourceFailed(
                f"{self._client.name} did not take {artifact.filename} ({reply.status}); see its log."
            )

    async def amend(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:  # noqa: ARG002
        """Python files are published and never changed. Raises NotAllowed."""
        raise NotAllowed("A published Python file can't be changed; publish a new version instead.")
