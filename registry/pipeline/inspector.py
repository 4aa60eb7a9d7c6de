"""What a look into verified bytes leaves behind: an alarm, a note, a wheel's core metadata."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from registry.ecosystems import ECOSYSTEMS
from registry.errors import RegistryError
from registry.model.artifacts import Artifact, Holding
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.model.ports import Blobs, Catalogue, Clock, ProvenanceLog
from registry.model.publications import Findings

_INSPECTING = 64 << 20
"""What looking into a file counts for, in bytes that the volume must move: it is bounded by itself."""

journal = logging.getLogger("registry.inspector")


class Inspect(Protocol):
    """Looks into verified bytes; runs in a thread."""

    def __call__(self, artifact: Artifact, path: Path) -> Findings:
        """What is inside, and whether that is what the file's name says."""


class Inspector:
    """Looks into files that are here, and keeps what was found."""

    def __init__(
        self,
        blobs: Mapping[str, Blobs],
        catalogue: Catalogue,
        log: ProvenanceLog,
        clock: Clock,
        inspect: Inspect,
        learned: Callable[[Project], Awaitable[None]] | None = None,
        offers: Callable[[Project, str, str], Awaitable[None]] | None = None,
    ) -> None:
        """`blobs` maps an origin (`public`, `private`) to where its bytes are kept; `learned` hears of a
        project of whose files more can be told, `offers` where that is only the digest (SHA-256) of one
        file's metadata."""
        self._blobs = blobs
        self._catalogue = catalogue
        self._log = log
        self._clock = clock
        self._inspect = inspect
        self._learned = learned
        self._offers = offers

    async def look(self, holding: Holding, path: Path) -> tuple[Findings, str | None]:
        """What is in the verified bytes at `path`, held against what the file's name and its source say, and
        the SHA-256 of its core metadata where that could be kept."""
        found = await self._inspected(holding, path)
        await self._judge(holding, found)
        return found, await self._keep_quietly(holding, found)

    async def examine(self, holding: Holding) -> bool:
        """Look into a kept file once more, and offer its core metadata; whether that is offered now."""
        path = await self._find(holding)
        if path is None:
            return False
        artifact = holding.artifact
        _, metadata = await self.look(holding, path)
        if metadata is not None:
            await self._catalogue.attach_metadata(artifact.project, artifact.filename, metadata)
        await self.tell(artifact.project)
        return metadata is not None

    async def metadata(self, holding: Holding, path: Path | None = None) -> bytes | None:
        """The file's core metadata, taken out of its verified bytes (at `path`) again where it was lost; None
        where it has none, or the bytes aren't here either."""
        blobs, blob = self._blobs[holding.origin], holding.metadata_blob
        body = await blobs.read(blob) if blob else None
        if body is not None or blob is None:
            return body
        path = path or await self._find(holding)
        if path is None:
            return None
        journal.warning("core metadata is taken out again", extra={"file": holding.artifact.filename})
        found = await self._inspected(holding, path)
        await self._keep_quietly(holding, found)
        return found.metadata

    async def _inspected(self, holding: Holding, path: Path) -> Findings:
        """What is inside; looked at where the file lies, since each read may hang."""
        artifact = holding.artifact
        if ECOSYSTEMS[artifact.project.ecosystem].offer_metadata is None:
            return Findings()
        work = (artifact.size or 0) + _INSPECTING
        return await self._blobs[holding.origin].place.run(lambda: self._inspect(artifact, path), work=work)

    async def _find(self, holding: Holding) -> Path | None:
        return None if holding.blob is None else await self._blobs[holding.origin].find(holding.blob)

    async def _judge(self, holding: Holding, found: Findings) -> None:
        """Note what contradicts the file's name, or its announced metadata; each is an alarm."""
        artifact, side = holding.artifact, holding.artifact.metadata
        if found.mismatch != artifact.mismatch:
            alarm = "content_mismatch" if found.mismatch else "content_mismatch_cleared"
            event = alarm_about(
                artifact, alarm, found.mismatch or f"No longer: {artifact.mismatch}", self._clock.now()
            )
            await self._catalogue.note_mismatch(artifact.project, artifact.filename, found.mismatch, event)
        if found.metadata is None or side is None or holding.origin != "public":
            return
        if hashlib.sha256(found.metadata).hexdigest() != side.hex:
            said = f"The metadata offered beside '{artifact.filename}' isn't that inside; the latter counts."
            await self._log.record(alarm_about(artifact, "metadata_mismatch", said, self._clock.now()))

    async def _keep_quietly(self, holding: Holding, found: Findings) -> str | None:
        """Keep a wheel's core metadata, so that resolvers need not fetch the wheel for it (PEP 658)."""
        if found.metadata is None:
            return None
        try:
            return await self._blobs[holding.origin].put(found.metadata)
        except RegistryError as error:  # the file is kept and served; only its metadata isn't offered
            journal.warning(
                "metadata not kept", extra={"file": holding.artifact.filename, "error": str(error)}
            )
            return None

    async def tell(self, project: Project) -> None:
        """Something new can be told of the project's files."""
        if self._learned is not None:
            await self._learned(project)

    async def offer(self, artifact: Artifact, metadata: str) -> None:
        """The core metadata of a file can be offered, of which there was none."""
        if self._offers is not None:
            await self._offers(artifact.project, artifact.filename, metadata)


def alarm_about(artifact: Artifact, alarm: str, message: str, at: datetime) -> Event:
    """The log's row of an alarm about a file."""
    detail = {"alarm": alarm, "message": message, "url": artifact.url}
    return Event.about(artifact, Kind.ALARM, at, detail=detail)
