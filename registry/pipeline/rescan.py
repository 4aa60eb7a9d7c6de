"""What lies in the private Python back end against what our rows say, and putting right what can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from registry.errors import IntegrityFailed, Malformed, RegistryError
from registry.model.artifacts import Artifact, Digest
from registry.model.ecosystem import Ecosystem
from registry.model.events import Client, Event, Kind
from registry.model.names import Project
from registry.model.ports import Blobs, Catalogue, Clock, ProvenanceLog, Stock
from registry.model.publications import Publication, Stocked, Upload
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.jobs import Job, Jobs, Progress
from registry.pipeline.turns import Turns

Adopt = Callable[[Upload, IO[bytes]], Publication]

Outcome = Literal["known", "added", "mended", "removed", "refused"]
"""What a rescan came to with one file."""


class Rescan:
    """Compares the back end's files with our rows."""

    def __init__(
        self,
        *,
        ecosystem: Ecosystem,
        stock: Stock,
        policy: PolicyInForce,
        catalogue: Catalogue,
        blobs: Blobs,
        log: ProvenanceLog,
        clock: Clock,
        turns: Turns,
        jobs: Jobs,
    ) -> None:
        """`blobs` keep the private side's files and documents."""
        self._ecosystem = ecosystem
        self._stock = stock
        self._policy = policy
        self._catalogue = catalogue
        self._blobs = blobs
        self._log = log
        self._clock = clock
        self._turns = turns
        self._jobs = jobs

    def begin(self, *, by: Client) -> Job:
        """Begin to compare the back end's files with our rows, and to list what has none.

        A file's upload time is that of its publication in the log, else the file's own. Nothing that was
        deleted comes back, and no row is taken away. The job finds numbers of files: `known` as they should
        be; `added` that had no row; `mended` wheels that offer their metadata now; `removed` that were
        deleted here and still lay there; `missing` that we list and the back end doesn't have; `refused` that
        can't be listed. Of the last two it complains. Raises Conflict while another one is under way.
        """
        return self._jobs.start("rescan", lambda progress: self._walk(progress, by))

    async def _walk(self, progress: Progress, by: Client) -> None:
        """Raises what the back end raises."""
        stocked = {each.filename: each for each in await self._stock.stocked()}
        progress.total = len(stocked)
        counts = dict.fromkeys(("known", "added", "mended", "removed", "missing", "refused"), 0)
        for each in stocked.values():
            try:
                what: Outcome = await self._compare(each, by)
            except RegistryError as error:
                what = "refused"
                progress.complain(f"refused: {each.filename}: {error}")
            counts[what] += 1
            progress.done += 1
            progress.found = dict(counts)
        for name in await self._catalogue.projects(self._ecosystem.name, "private"):
            for row in await self._catalogue.holdings(self._ecosystem.parse_name(name)):
                if row.origin == "private" and not row.gone and row.artifact.filename not in stocked:
                    counts["missing"] += 1
                    progress.complain(f"missing: {row.artifact.filename}")
        progress.found = dict(counts)

    async def _compare(self, stocked: Stocked, by: Client) -> Outcome:
        """Look at one file, and put right what can be."""
        if self._ecosystem.adopt is None or self._ecosystem.project_of is None:
            raise Malformed(f"{self._ecosystem.title} keeps its own index of private packages.")
        project, filename = self._ecosystem.project_of(stocked.filename), stocked.filename
        async with self._turns.turn(project):
            row = await self._catalogue.holding(project, filename)
            if row is None or row.origin != "private":
                await self._list(await self._read(stocked, self._ecosystem.adopt), stocked, by)
                return "added"
            if row.gone:
                await self._stock.remove(stocked)
                return "removed"
            if Digest("sha256", stocked.sha256) not in row.artifact.digests:
                raise IntegrityFailed("it has other bytes than were published; they are not served.")
            if row.metadata_blob is None and filename.endswith(".whl"):
                await self._mend(project, await self._read(stocked, self._ecosystem.adopt))
                return "mended"
            return "known"

    async def _mend(self, project: Project, publication: Publication) -> None:
        if publication.metadata is None:
            return
        blob = await self._blobs.put(publication.metadata)
        await self._catalogue.attach_metadata(project, publication.artifact.filename, blob)
        await self._turns.changed(project)

    async def _read(self, stocked: Stocked, adopt: Adopt) -> Publication:
        """A file of the back end, kept and looked into. Raises Malformed and IntegrityFailed."""
        async with self._stock.content(stocked) as chunks:
            staging = await self._blobs.stage()
            try:
                async for chunk in chunks:
                    await staging.write(chunk)
                blob = await staging.commit([Digest("sha256", stocked.sha256)])
            finally:
                await staging.discard()
        path = await self._blobs.find(blob)
        if path is None:
            raise IntegrityFailed("it was read and can't be read back.")
        upload = Upload(
            fields={},
            filename=stocked.filename,
            size=staging.size,
            digests={digest.algorithm: digest.hex for digest in staging.digests},
        )
        return await asyncio.to_thread(_adopted, adopt, upload, path)

    async def _list(self, publication: Publication, stocked: Stocked, by: Client) -> None:
        """Give a file that lies in the back end its row. Raises Malformed where policy says no."""
        project, artifact, now = publication.project, publication.artifact, self._clock.now()
        known_public = await self._catalogue.origin(project) == "public"
        decision = self._policy.current.decide_publication(project, artifact.version, known_public, now)
        if not decision.allowed and decision.leading is not None:
            raise Malformed(f"policy doesn't let it be published: {decision.leading.reason}")
        moment, told = await self._uploaded(project, artifact, stocked)
        artifact = msgspec.structs.replace(artifact, published=moment)
        metadata = await self._blobs.put(publication.metadata) if publication.metadata else None
        event = Event(
            kind=Kind.PUBLISH,
            at=now,
            actor=by.actor,
            project=project,
            version=artifact.version,
            filename=artifact.filename,
            address=by.address,
            agent=by.agent,
            detail={"change": "rescan", "upload_time": told},
        )
        await self._catalogue.publish(artifact, metadata, event, claimed=True)
        await self._turns.changed(project)

    async def _uploaded(self, project: Project, artifact: Artifact, stocked: Stocked) -> tuple[datetime, str]:
        """When a file was uploaded, and who says so."""
        events = await self._log.events(
            kinds=(Kind.PUBLISH.value,), project=project, version=artifact.version, limit=1_000
        )
        for row in reversed(events):
            if row.event.filename == artifact.filename and row.event.detail.get("change") == "publish":
                return row.event.at, "from the log"
        if stocked.modified is not None:
            return stocked.modified, "from the file"
        return self._clock.now(), "unknown, so of now"


def _adopted(adopt: Adopt, upload: Upload, path: Path) -> Publication:
    with path.open("rb") as file:
        return adopt(upload, file)
