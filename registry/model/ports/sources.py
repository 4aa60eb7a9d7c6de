"""Where packages come from and go to: upstreams, private back ends, the services beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import IO, Protocol

from registry.model.artifacts import Artifact
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.publications import Publication, Stocked


class Source(Protocol):
    """Where the artifacts of a project come from: an upstream, or a private back end."""

    name: str
    """What messages call it: `the upstream index`, `pypiserver`."""

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        """The project's current document; None when the source has no such project.

        With `previous`, the source is asked conditionally; when nothing changed, `previous` comes back with a
        new `checked`. Raises SourceFailed, SourceTimedOut, TooLarge as SourceFailed with the setting's name,
        Unavailable (breaker open, upstream said Retry-After).
        """

    def artifact(self, artifact: Artifact) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A file's bytes as they arrive, unverified. Entering raises NotFound and what `index` raises;
        iterating raises SourceFailed when the body ends early or stalls."""


class Publisher(Protocol):
    """The writing side of a private back end."""

    async def publish(self, publication: Publication, spool: Path) -> None:
        """Hand over a verified file. Idempotent for identical bytes. Raises SourceFailed, SourceTimedOut."""

    async def amend(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Pass a change on (npm dist-tags, deprecation, unpublish); gives status and JSON body back."""


class Services(Protocol):
    """What an upstream offers besides packages, as small JSON documents. Nothing of a client is passed on but
    what the line puts into `path` and `body`."""

    name: str

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a path (percent-encoded, below the upstream's base URL); the body is empty for
        any status but 200. Raises SourceFailed, SourceTimedOut, Unavailable."""

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The same for a JSON body that is sent there."""


class Stock(Protocol):
    """What lies in a private back end, whatever our rows say."""

    async def stocked(self) -> tuple[Stocked, ...]:
        """Every file that it has. Raises SourceFailed, SourceTimedOut."""

    def content(self, stocked: Stocked) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The file's bytes as they arrive, unverified."""

    async def remove(self, stocked: Stocked) -> None:
        """Take the file's whole version out of it; no failure where it is gone. Raises like `stocked`."""


class Spool(Protocol):
    """Where an upload lies until it was checked."""

    path: Path

    def open(self) -> IO[bytes]:
        """For reading."""
