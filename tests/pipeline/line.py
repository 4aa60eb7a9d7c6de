"""The line over fakes: real policy, freshness, rendering and publishing; sources that say what they are told to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from registry.ecosystems import ECOSYSTEMS
from registry.model.artifacts import Artifact
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.publications import Publication
from registry.pipeline.freshness import Freshness
from registry.pipeline.preparer import Preparer
from registry.pipeline.rendering import Renderer
from registry.pipeline.resolve import Resolver
from registry.pipeline.workers import Workers
from registry.storage.shelf import Shelf
from tests.desks import DeskWorld
from tests.fakes import AttestationsInMemory, DocumentsInMemory, FixedClock

FRESH = 600.0
SECRET = b"secret"


class Saying:
    """A source whose documents are set by hand."""

    def __init__(self, name: str, clock: FixedClock) -> None:
        self.name = name
        self.asked: list[Project] = []
        self.failure: Exception | None = None
        self._said: dict[Project, tuple[bytes, str]] = {}
        self._clock = clock

    def say(
        self, project: Project, body: bytes, content_type: str = "application/vnd.pypi.simple.v1+json"
    ) -> None:
        self._said[project] = (body, content_type)

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        self.asked.append(project)
        if self.failure is not None:
            raise self.failure
        if project not in self._said:
            return None
        body, content_type = self._said[project]
        return Document(
            body=body,
            content_type=content_type,
            url=f"https://files.example/simple/{project.name}/",
            sha256=hashlib.sha256(body).hexdigest(),
            checked=self._clock.now(),
        )

    def artifact(self, artifact: Artifact) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise AssertionError("nobody asks for a file here")


class Taking:
    """A publisher that takes everything, or fails."""

    def __init__(self) -> None:
        self.taken: list[Publication] = []
        self.amended: list[tuple[str, str, bytes]] = []
        self.failure: Exception | None = None
        self.status = 201

    async def publish(self, publication: Publication, spool: Path) -> None:
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(0)  # others may come meanwhile
        self.taken.append(publication)

    async def amend(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.amended.append((method, path, body))
        return self.status, b"{}"


class Line:
    """All of it."""

    def __init__(self, folder: Path) -> None:
        self.desk = DeskWorld(folder)
        self.clock, self.log = self.desk.clock, self.desk.log
        self.catalogue, self.refusals, self.policy = self.desk.catalogue, self.desk.refusals, self.desk.policy
        self.documents = DocumentsInMemory()
        self.upstream, self.back_end = Saying("the upstream", self.clock), Saying("the back end", self.clock)
        self.resolver = Resolver(
            dict.fromkeys(ECOSYSTEMS, self.upstream), dict.fromkeys(ECOSYSTEMS, self.back_end)
        )
        self.freshness = Freshness(self.documents, self.clock, FRESH)
        self.preparer = Preparer(
            policy=self.policy,
            freshness=self.freshness,
            catalogue=self.catalogue,
            attestations=AttestationsInMemory(),
            clock=self.clock,
            secret=SECRET,
            workers=Workers(),
        )
        self.renderer = Renderer(
            policy=self.policy,
            resolver=self.resolver,
            freshness=self.freshness,
            catalogue=self.catalogue,
            shelf=Shelf(2**20),
            log=self.log,
            refusals=self.refusals,
            clock=self.clock,
            preparer=self.preparer,
        )

    async def decree(self, text: str) -> None:
        """Put another policy file in force."""
        self.desk.policy_file = text
        await self.policy.reload()
