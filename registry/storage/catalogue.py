"""The rows about artifacts: first sight, facts, which bytes we hold, whose a project is.

A file has a row of its own from when something happens to it; until then it stands in a page of its listing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import apsw
import msgspec

from registry.errors import Conflict, NotFound
from registry.model.artifacts import Artifact, Holding, Known
from registry.model.events import Event
from registry.model.indexes import Status
from registry.model.listings import Listing
from registry.model.names import Project
from registry.storage import artifact_rows as rows
from registry.storage import listings, pinning
from registry.storage.database import Database
from registry.storage.file_rows import ALL_LOOKED, FileRows
from registry.storage.holdings import KNOWN, LOOKED, known_of, looked, looked_holding_of
from registry.storage.provenance_log import append
from registry.storage.sightings import Differences, differences, record

_replace = msgspec.structs.replace

_KNOWN = f"SELECT filename, {KNOWN} FROM artifact WHERE ecosystem = ? AND project = ?"  # noqa: S608 - constants
_ATTESTED = f"SELECT filename, {LOOKED} FROM attestation AS a WHERE ecosystem = ? AND project = ?"  # noqa: S608 - constants
_STATUS = "SELECT status, reason FROM project_status WHERE ecosystem = ? AND project = ?"


class Catalogue:
    """The port's implementation over the `artifact` and `project` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._files = FileRows(database)

    async def holding(self, project: Project, filename: str) -> Holding | None:
        """What is known of one file."""
        return self._files.own(project, filename) or self._files.listed(project, filename)

    def at_once(self, project: Project, filename: str) -> Holding | None:
        """A file that has a row of its own, as every file has that ever came in; without waiting."""
        return self._files.own(project, filename)

    async def holdings(self, project: Project) -> tuple[Holding, ...]:
        """All rows of a project, by first sight then file name."""
        key = (project.ecosystem, project.name)

        def job(connection: apsw.Connection) -> tuple[Holding, ...]:
            found = {
                str(row[0]): looked_holding_of(project, row) for row in connection.execute(ALL_LOOKED, key)
            }
            said = {str(row[0]): row[1:] for row in connection.execute(_ATTESTED, key)}
            pages = connection.execute(listings.PAGES, key).fetchall()
            for listed in listings.holdings_in(pages, frozenset(found)):
                filename = listed.artifact.filename
                found[filename] = looked(listed, said.get(filename))
            return tuple(sorted(found.values(), key=lambda row: (row.first_seen, row.artifact.filename)))

        return await self._database.scan(job)

    async def known(self, project: Project) -> Mapping[str, Known]:
        """File name → what its row says, as far as an index needs it."""
        key = (project.ecosystem, project.name)

        def job(connection: apsw.Connection) -> Mapping[str, Known]:
            found = {str(row[0]): known_of(row) for row in connection.execute(_KNOWN, key)}
            pages = connection.execute(listings.PAGES, key).fetchall()
            return found | dict(listings.known_in(pages, found.keys()))

        return await self._database.scan(job) if self._has(project) else {}

    async def remember(
        self,
        project: Project,
        artifacts: Listing | Sequence[Artifact],
        origin: str,
        now: datetime,
        vanished_as: str = "removed",
        summary: str | None = None,
    ) -> None:
        """Keep new artifacts as a listing, give those that changed or vanished (then marked `gone`) a row.

        A file whose digest changed, and one that we hold and its source took back, is logged as an alarm in
        the same transaction. Files of another origin are left alone.

        Nothing is written when nothing changed, and only what changed is looked at again in the writer.
        """
        listing = artifacts if isinstance(artifacts, Listing) else Listing.of(artifacts)
        found, was_known = Differences(listing), self._has(project)
        if was_known:
            found = await self._database.scan(
                lambda connection: differences(connection, project, listing.artifacts, origin, vanished_as)
            )
        name = (project.ecosystem, project.name)
        known = self._database.row("SELECT summary FROM project WHERE ecosystem = ? AND name = ?", name)
        tells = known is not None and summary is not None and known[0] != summary
        if not found and not tells:
            return

        def job(connection: apsw.Connection) -> None:
            rows.note_project(connection, project, origin)
            if summary is not None:
                connection.execute(
                    "UPDATE project SET summary = ? WHERE ecosystem = ? AND name = ?", (summary, *name)
                )
            record(connection, project, found, origin, now, vanished_as, was_known=was_known)

        await self._database.write(job)

    async def hold(
        self,
        project: Project,
        filename: str,
        blob: str,
        size: int,
        event: Event,
        metadata_blob: str | None = None,
        deliveries: Sequence[Event] = (),
    ) -> None:
        """Link verified bytes to a row, and the core metadata found in them, and log the ingest and after it
        the deliveries to those who wait, in one durable transaction.

        Raises NotFound for a file that was never remembered or published.
        """

        def change(known: Holding) -> Holding:
            return pinning.held(known, blob, size, metadata_blob)

        await self._amend(project, filename, change, event, *deliveries)

    async def note_mismatch(self, project: Project, filename: str, mismatch: str, event: Event) -> None:
        """Note what in a file's verified bytes contradicts its name, and log it. Raises NotFound."""
        await self._amend(project, filename, lambda known: pinning.mismatched(known, mismatch), event)

    async def attach_metadata(self, project: Project, filename: str, blob: str) -> None:
        """Link core metadata extracted from the verified file. Raises NotFound."""
        await self._amend(project, filename, lambda known: pinning.with_metadata(known, blob))

    async def attach_side_file(self, project: Project, filename: str, blob: str, event: Event) -> None:
        """Link the metadata file that the source offers beside a file, and log it. Raises NotFound."""
        await self._amend(project, filename, lambda known: _replace(known, side_blob=blob), event)

    async def release(self, project: Project, filename: str) -> None:
        """Forget that we hold the bytes (they rotted or were collected); the pin stays."""

        def job(connection: apsw.Connection) -> None:
            known = rows.find(connection, project, filename)
            if known is not None:
                rows.write(connection, _replace(known, blob=None, blob_size=None))

        await self._database.write(job)

    async def publish(
        self, artifact: Artifact, metadata_blob: str | None, event: Event, *, claimed: bool = False
    ) -> None:
        """Insert a private file's row and log its publication, in one durable transaction.

        Raises Conflict when the file name was ever used with other bytes or was unpublished, or the project
        is known as public and nobody `claimed` it. The same bytes once more change and log nothing.
        """
        project = artifact.project

        def job(connection: apsw.Connection) -> None:
            known = rows.find(connection, project, artifact.filename)
            if known is not None:
                pinning.require_same(known, artifact)
                if known.origin == "private":
                    return
            if not claimed and rows.origin(connection, project) == "public":
                raise Conflict(
                    f"{project.name} is known here as a public package, so it can't be published as a private"
                    " one; choose another name, or ask an operator to claim it."
                )
            rows.note_project(connection, project, "private")
            fresh = known or pinning.first_seen(artifact, "private", event.at)
            rows.write(connection, _replace(fresh, origin="private", metadata_blob=metadata_blob, gone=False))
            append(connection, event)

        await self._database.write(job)

    async def yank(
        self, project: Project, filenames: Sequence[str], reason: str | None, event: Event
    ) -> None:
        """Mark private files yanked, or with None not yanked, and log it. Raises NotFound."""

        def job(connection: apsw.Connection) -> None:
            for filename in filenames:
                known = rows.require(connection, project, filename)
                if known.origin != "private" or known.gone:
                    raise NotFound(f"{filename} isn't published here, so it can't be yanked here.")
                rows.write(connection, _replace(known, artifact=_replace(known.artifact, yanked=reason)))
            append(connection, event)

        await self._database.write(job)

    async def retire(self, project: Project, filenames: Sequence[str], event: Event) -> None:
        """Mark private files unpublished (their names are never reused) and log it. Raises NotFound."""

        def job(connection: apsw.Connection) -> None:
            for filename in filenames:
                known = rows.require(connection, project, filename)
                if known.origin != "private":
                    raise NotFound(f"{filename} was not published here, so it can't be unpublished.")
                rows.write(connection, _replace(known, gone=True))
            append(connection, event)

        await self._database.write(job)

    async def origin(self, project: Project) -> str | None:
        """`private` when anything was ever published here, else `public` when upstream has it, else None."""
        return rows.origin_of(self._database.row(rows.ORIGIN, (project.ecosystem, project.name)))

    def status(self, project: Project) -> Status | None:
        """What an admin said of a private project; None for an active one. A point look-up."""
        row = self._database.row(_STATUS, (project.ecosystem, project.name))
        return None if row is None else Status(str(row[0]), str(row[1]))

    async def set_status(self, project: Project, status: Status | None, event: Event) -> None:
        """Say what a private project is, None for active, and log it, in one durable transaction."""

        def job(connection: apsw.Connection) -> None:
            connection.execute(
                "DELETE FROM project_status WHERE ecosystem = ? AND project = ?",
                (project.ecosystem, project.name),
            )
            if status is not None:
                connection.execute(
                    "INSERT INTO project_status (ecosystem, project, status, reason) VALUES (?, ?, ?, ?)",
                    (project.ecosystem, project.name, status.status, status.reason),
                )
            append(connection, event)

        await self._database.write(job)

    async def projects(self, ecosystem: str, origin: str | None = None) -> tuple[str, ...]:
        """Names with rows, sorted."""
        known = await self._database.scan(
            lambda connection: connection.execute(
                "SELECT public, private, name FROM project WHERE ecosystem = ? ORDER BY name", (ecosystem,)
            ).fetchall()
        )
        return tuple(str(row[2]) for row in known if origin in {None, rows.origin_of(row)})

    async def _amend(
        self, project: Project, filename: str, change: Callable[[Holding], Holding], *events: Event
    ) -> None:
        def job(connection: apsw.Connection) -> None:
            rows.write(connection, change(rows.require(connection, project, filename)))
            if events:
                append(connection, *events)

        await self._database.write(job)

    async def summaries(self, ecosystem: str, origin: str) -> Mapping[str, str]:
        """Names with rows, sorted → what they say they are about."""
        known = await self._database.scan(
            lambda connection: connection.execute(
                "SELECT public, private, name, summary FROM project WHERE ecosystem = ? ORDER BY name",
                (ecosystem,),
            ).fetchall()
        )
        return {str(row[2]): str(row[3]) for row in known if origin == rows.origin_of(row)}

    async def undated(self, ecosystem: str) -> int:
        """How many public files there are whose source tells no time for any file of their project."""

        def job(connection: apsw.Connection) -> int:
            rows = connection.execute(
                "SELECT count(*) FROM artifact"
                " WHERE ecosystem = ? AND undated AND origin = 'public' AND NOT gone",
                (ecosystem,),
            ).fetchall()
            return int(str(rows[0][0])) + listings.undated(connection, ecosystem)

        return await self._database.scan(job)

    def _has(self, project: Project) -> bool:
        """Whether anything is known of a project's files. A point look-up."""
        row = self._database.row(rows.HAS, (project.ecosystem, project.name))
        return row is not None and bool(row[0])
