"""Core metadata beside a file (PEP 658): what its index offers must be there, and be what was announced.

Metadata out of the verified wheel wins over everything. Until the wheel is here, the file that its source
offers beside it is fetched, checked against the announced hash and kept; a resolver then needs no wheel.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from registry.errors import IntegrityFailed, NotFound, SourceFailed
from registry.model.artifacts import Artifact, Digest, Holding
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.model.ports import Blobs, Catalogue, Clock, ProvenanceLog, Source
from registry.pipeline.inspector import Inspector
from registry.pipeline.singleflight import Flights

LONGEST = 4 * 2**20
"""Bytes of a metadata file; the longest public ones have some hundred thousand."""

journal = logging.getLogger("registry.metadata")


class CoreMetadata:
    """Core metadata of public and private files."""

    def __init__(
        self,
        blobs: Mapping[str, Blobs],
        catalogue: Catalogue,
        log: ProvenanceLog,
        clock: Clock,
        inspector: Inspector,
    ) -> None:
        """`blobs` maps an origin (`public`, `private`) to where its bytes are kept."""
        self._blobs = blobs
        self._catalogue = catalogue
        self._log = log
        self._clock = clock
        self._inspector = inspector
        self._flights: Flights[tuple[Project, str], bytes] = Flights()

    async def read(self, holding: Holding, source: Source) -> bytes | None:
        """The metadata of a file; None where only the file itself can tell, and isn't here.

        Raises SourceTimedOut and Unavailable where the source can't be asked.
        """
        body = await self._inspector.metadata(holding)
        side = announced(holding)
        if body is not None or holding.metadata_blob is not None or side is None:
            return body
        if holding.side_blob == side.hex:
            body = await self._blobs[holding.origin].read(side.hex)
        return body if body is not None else await self._brought(holding, side, source)

    async def inside(self, holding: Holding, path: Path) -> bytes | None:
        """What the verified file at `path` itself holds."""
        return await self._inspector.metadata(holding, path)

    async def close(self) -> None:
        """End the fetches."""
        await self._flights.close()

    async def _brought(self, holding: Holding, side: Digest, source: Source) -> bytes | None:
        """The file beside the wheel, fetched; None where the source doesn't have what it announces."""
        artifact = holding.artifact
        try:
            return await self._flights.join(
                (artifact.project, artifact.filename), lambda: self._fetch(holding, side, source)
            )
        except (NotFound, IntegrityFailed, SourceFailed) as error:
            journal.warning(
                "announced metadata isn't there", extra={"file": artifact.filename, "error": str(error)}
            )
            if isinstance(error, IntegrityFailed):
                await self._log.record(
                    self._event(Kind.ALARM, artifact, alarm="integrity", message=str(error))
                )
            return None

    async def _fetch(self, holding: Holding, side: Digest, source: Source) -> bytes:
        artifact, blobs = holding.artifact, self._blobs[holding.origin]
        beside = msgspec.structs.replace(
            artifact,
            filename=f"{artifact.filename}.metadata",
            url=f"{artifact.url}.metadata",
            digests=(side,),
            size=None,
        )
        async with source.artifact(beside) as chunks:
            staging = await blobs.stage()
            try:
                async for chunk in chunks:
                    if staging.size + len(chunk) > LONGEST:
                        raise IntegrityFailed(f"'{beside.filename}' is longer than {LONGEST} bytes.")
                    await staging.write(chunk)
                blob = await staging.commit((side,))
            finally:
                await staging.discard()
        event = self._event(Kind.INGEST, beside, source=source.name, url=beside.url, announced=str(side))
        event = msgspec.structs.replace(event, sha256=blob)
        await self._catalogue.attach_side_file(artifact.project, artifact.filename, blob, event)
        body = await blobs.read(blob)
        if body is None:
            raise SourceFailed(f"'{beside.filename}' was kept and can't be read back; check the volume.")
        return body

    def _event(self, kind: Kind, artifact: Artifact, **detail: str) -> Event:
        return Event.about(artifact, kind, self._clock.now(), detail=detail)


def announced(holding: Holding) -> Digest | None:
    """What the metadata file beside a public file must be, by its index's own word."""
    return holding.artifact.metadata if holding.origin == "public" else None
