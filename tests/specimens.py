"""Values to test with, and the real storage in a directory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from registry.model.artifacts import Artifact, Digest
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.storage.blobs import Blobs
from registry.storage.catalogue import Catalogue
from registry.storage.database import Database
from registry.storage.documents import Documents
from registry.storage.provenance_log import ProvenanceLog
from registry.storage.volume import Volume
from tests.fakes import FixedClock

NOW = datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=UTC)
FOO = Project("pypi", "foo")
BAR = Project("pypi", "bar")
SCOPED = Project("npm", "@acme/foo")


def sha(data: bytes, algorithm: str = "sha256") -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


def artifact(filename: str = "foo-1.0-py3-none-any.whl", *digests: Digest, **facts: Any) -> Artifact:
    """A file of FOO with a digest made from its name, unless others are given."""
    known = digests or (sha(filename.encode()),)
    return Artifact(**{"project": FOO, "filename": filename, "version": "1.0", "digests": known, **facts})


def event(kind: Kind = Kind.DELIVERY, **facts: Any) -> Event:
    return Event(**{"kind": kind, "at": NOW, "actor": "ada", "project": FOO, **facts})


@dataclass(frozen=True)
class Storage:
    """The real storage, wired as the appliance does it."""

    root: Path
    database: Database
    volume: Volume
    log: ProvenanceLog
    blobs: Blobs
    documents: Documents
    catalogue: Catalogue

    async def alarms(self) -> list[Event]:
        return [row.event for row in await self.log.events(kinds=["alarm"])]


@asynccontextmanager
async def opened(root: Path, **volume_options: Any) -> AsyncIterator[Storage]:
    """A database and a volume below `root`; open the same root again for a restart."""
    database = Database.open(root / "registry.db")
    volume = Volume(root / "volume", database, **volume_options)
    log = ProvenanceLog(database)
    blobs = Blobs(volume, database, FixedClock(), log.record)
    try:
        yield Storage(
            root,
            database,
            volume,
            log,
            blobs,
            Documents({"public": volume, "private": volume}, database),
            Catalogue(database),
        )
    finally:
        volume.close()
        database.close()
