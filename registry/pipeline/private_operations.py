"""What an admin can do about private Python releases: yank, give back, delete, and rebuild the index.

npm's packages are changed by npm itself (deprecate, unpublish). Every act is in the log before it counts, and
counts at every door before it is answered. A deleted file's name is never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import IO, Literal, Protocol

import msgspec

from registry.errors import IntegrityFailed, Malformed, NotFound, RegistryError
from registry.model.artifacts import Artifact, Digest, Holding
from registry.model.ecosystem import Ecosystem
from registry.model.events import Client, Event, Kind
from registry.model.indexes import Status
from registry.model.names import Project
from registry.model.ports import Blobs, Catalogue, Clock, ProvenanceLog, Stock
from registry.model.publications import Publication, Stocked, Upload
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.jobs import Job, Jobs, Progress

Adopt = Callable[[Upload, IO[bytes]], Publication]

Standings = Literal["active", "archived", "deprecated", "quarantined"]
"""What a project can be (PEP 792). Archived: no more uploads. Quarantined: none, and no file is given out."""

Outcome = Literal["known", "added", "mended", "removed", "refused"]
"""What a rescan came to with one file."""

LONGEST_REASON = 200
"""Characters: it is shown in indexes and by clients."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A release that was changed."""

    name: str
    version: str
    files: tuple[str, ...]
    note: str = ""
    """What is left to do, if anything."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a private project is."""

    name: str
    status: Standings
    reason: str = ""


class Turns(Protocol):
    """What changes of a project have in common with publications."""

    def turn(self, project: Project) -> AbstractAsyncContextManager[object]:
        """Held while the project changes: one change at a time."""

    async def changed(self, project: Project) -> None:
        """From here on everybody sees the change."""


class PrivateOperations:
    """Private releases, for admins."""

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

    async def yank(self, name: str, version: str, reason: str, *, by: Client) -> Changed:
        """Have resolvers pass a release over unless it is asked for by its version (PEP 592).

        Raises Malformed and NotFound.
        """
        words = _line(reason)
        if not words:
            raise Malformed("A yank needs a reason; it is shown to whoever asks for that version.")
        return await self._mark(name, version, words, {"change": "yank", "reason": words}, by)

    async def unyank(self, name: str, version: str, *, by: Client) -> Changed:
        """Take a yank back. Raises Malformed and NotFound."""
        return await self._mark(name, version, None, {"change": "unyank"}, by)

    async def standing(self, name: str) -> Standing:
        """What a project is. Raises Malformed, and NotFound for one that isn't published here."""
        return await self._standing(await self._ours(name))

    async def stand(self, name: str, status: Standings, reason: str, *, by: Client) -> Standing:
        """Say what a project is; every status but `active` needs a reason, which clients may show.

        Raises Malformed and NotFound.
        """
        words = _line(reason)
        if status != "active" and not words:
            raise Malformed(f"To call a project {status} takes a reason; its index tells it.")
        project = await self._ours(name)
        said = None if status == "active" else Status(status, words)
        event = self._event(by, (), {"change": "status", "status": status, "reason": words})
        async with self._turns.turn(project):
            event = msgspec.structs.replace(event, project=project)
            await self._catalogue.set_status(project, said, event)
            await self._turns.changed(project)
        return await self._standing(project)

    async def delete(self, name: str, version: str, reason: str, *, by: Client) -> Changed:
        """Take a release away for good: not listed, not served, gone from the back end, its names used up.

        Raises Malformed and NotFound.
        """
        words = _line(reason)
        if not words:
            raise Malformed("A deletion needs a reason; the log keeps it.")
        project = self._ecosystem.parse_name(name)
        async with self._turns.turn(project):
            rows = await self._release(project, version)
            filenames = _filenames(rows)
            await self._catalogue.retire(
                project, filenames, self._event(by, rows, {"change": "delete", "reason": words})
            )
            await self._turns.changed(project)
            for row in rows:
                await self._catalogue.release(project, row.artifact.filename)
            note = await self._cleared(project, rows)
        return Changed(name=project.name, version=rows[0].artifact.version, files=filenames, note=note)

    def rescan(self, *, by: Client) -> Job:
        """Begin to compare the back end's files with our rows, and to list what has none.

        A file's upload time is that of its publication in the log, else the file's own. Nothing that was
        deleted comes back, and no row is taken away. The job finds numbers of files: `known` as they should
        be; `added` that had no row; `mended` wheels that offer their metadata now; `removed` that were
        deleted here and still lay there; `missing` that we list and the back end doesn't have; `refused` that
        can't be listed. Of the last two it complains. Raises Conflict while another one is under way.
        """
        return self._jobs.start("rescan", lambda progress: self._rescan(progress, by))

    async def _rescan(self, progress: Progress, by: Client) -> None:
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

    async def _ours(self, name: str) -> Project:
        project = self._ecosystem.parse_name(name)
        if await self._catalogue.origin(project) != "private":
            raise NotFound(f"'{project.name}' isn't published here.")
        return project

    async def _standing(self, project: Project) -> Standing:
        said = self._catalogue.status(project)
        if said is None:
            return Standing(name=project.name, status="active")
        return msgspec.convert({"name": project.name, "status": said.status, "reason": said.reason}, Standing)

    async def _mark(
        self, name: str, version: str, yanked: str | None, detail: Mapping[str, str], by: Client
    ) -> Changed:
        project = self._ecosystem.parse_name(name)
        async with self._turns.turn(project):
            rows = await self._release(project, version)
            filenames = _filenames(rows)
            await self._catalogue.yank(project, filenames, yanked, self._event(by, rows, detail))
            await self._turns.changed(project)
        return Changed(name=project.name, version=rows[0].artifact.version, files=filenames)

    async def _release(self, project: Project, version: str) -> Sequence[Holding]:
        """The rows of one published version. Raises NotFound."""
        rows = [
            row for row in await self._catalogue.holdings(project) if row.origin == "private" and not row.gone
        ]
        versions = {row.artifact.version for row in rows}
        if version not in versions:
            same = self._ecosystem.parse_range(f"=={version}")
            alike = {known for known in versions if same(known)}
            version = alike.pop() if len(alike) == 1 else version
        chosen = [row for row in rows if row.artifact.version == version]
        if not chosen:
            raise NotFound(f"'{project.name}' has no version {version!r} that was published here.")
        return chosen

    async def _cleared(self, project: Project, rows: Sequence[Holding]) -> str:
        """Drop the bytes of a deleted release, here and in the back end; gives what is left to do."""
        left = await self._catalogue.holdings(project)
        named = {blob for row in left if not row.gone for blob in _blobs(row)}
        try:
            for blob in {blob for row in rows for blob in _blobs(row)} - named:
                await self._blobs.drop(blob)
            for filename in _filenames(rows):
                await self._stock.remove(Stocked(filename=filename, sha256=""))
        except RegistryError as error:
            return f"The files still lie in the back end ({error}); `registry private rescan` removes them."
        return ""

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
        event = self._event(by, (), {"change": "rescan", "upload_time": told})
        event = msgspec.structs.replace(
            event, project=project, version=artifact.version, filename=artifact.filename
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

    def _event(self, by: Client, rows: Sequence[Holding], detail: Mapping[str, str]) -> Event:
        artifact = rows[0].artifact if rows else None
        return Event(
            kind=Kind.PUBLISH,
            at=self._clock.now(),
            actor=by.actor,
            project=artifact.project if artifact else None,
            version=artifact.version if artifact else None,
            address=by.address,
            agent=by.agent,
            detail={**detail, **({"files": " ".join(_filenames(rows))} if rows else {})},
        )


def _adopted(adopt: Adopt, upload: Upload, path: Path) -> Publication:
    with path.open("rb") as file:
        return adopt(upload, file)


def _filenames(rows: Sequence[Holding]) -> tuple[str, ...]:
    return tuple(row.artifact.filename for row in rows)


def _blobs(row: Holding) -> set[str]:
    """What is kept of a file: its bytes, however they are known, and its metadata."""
    digests = {digest.hex for digest in row.artifact.digests if digest.algorithm == "sha256"}
    return digests | {blob for blob in (row.blob, row.metadata_blob) if blob}


def _line(text: str) -> str:
    words = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(words.split())[:LONGEST_REASON]
