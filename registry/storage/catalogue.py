"""The rows about artifacts: first sight, facts, which bytes we hold, whose a project is.

A file has a row of its own from when something happens to it; until then it stands in a page of its listing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import apsw
import msgspec

from registry.errors import Conflict, NotFound
from registry.model.artifacts import Artifact, Holding, Known
from registry.model.events import Event, Kind
from registry.model.indexes import Status
from registry.model.listings import Listing
from registry.model.names import Project
from registry.storage import listings, pinning
from registry.storage.database import Database, Row
from registry.storage.holdings import (
    COLUMNS,
    FACTS,
    KNOWN,
    LOOKED,
    facts_of,
    holding_of,
    known_of,
    looked,
    looked_holding_of,
    row_of,
)
from registry.storage.provenance_log import append

_replace = msgspec.structs.replace

_ONE = f"SELECT {COLUMNS} FROM artifact WHERE ecosystem = ? AND project = ? AND filename = ?"  # noqa: S608 - constants
_ALL = f"SELECT {COLUMNS} FROM artifact WHERE ecosystem = ? AND project = ?"  # noqa: S608 - constants
_KNOWN = f"SELECT filename, {KNOWN} FROM artifact WHERE ecosystem = ? AND project = ?"  # noqa: S608 - constants
_NAMED = ", ".join(f"artifact.{column}" for column in COLUMNS.split(", "))
_LOOKED = (
    f"SELECT {_NAMED}, {LOOKED} FROM artifact LEFT JOIN attestation AS a"  # noqa: S608 - constants
    " ON a.ecosystem = artifact.ecosystem AND a.project = artifact.project AND a.filename = artifact.filename"
    " WHERE artifact.ecosystem = ? AND artifact.project = ?"
)
_ONE_LOOKED = f"{_LOOKED} AND artifact.filename = ?"
_WRITE = (
    f"INSERT OR REPLACE INTO artifact (ecosystem, project, {COLUMNS})"  # noqa: S608 - constants
    f" VALUES (?, ?, {', '.join('?' * (COLUMNS.count(',') + 1))})"
)
_HAS = (
    "SELECT EXISTS (SELECT 1 FROM artifact WHERE ecosystem = ?1 AND project = ?2)"
    " OR EXISTS (SELECT 1 FROM listing WHERE ecosystem = ?1 AND project = ?2)"
)
_ATTESTED = f"SELECT filename, {LOOKED} FROM attestation AS a WHERE ecosystem = ? AND project = ?"  # noqa: S608 - constants
_ATTESTED_ONE = f"{_ATTESTED} AND filename = ?"
_STATUS = "SELECT status, reason FROM project_status WHERE ecosystem = ? AND project = ?"
_ORIGIN = "SELECT public, private FROM project WHERE ecosystem = ? AND name = ?"
_FACTS = len(FACTS.split(", "))
_ORIGIN_AT, _GONE_AT, _CONFLICT_AT, _WITHDRAWN_AT = (
    COLUMNS.split(", ").index(name) for name in ("origin", "gone", "conflict", "withdrawn")
)

# The row itself is always read, so no other process can make this stale; making the value of it costs more.
_decoded = lru_cache(maxsize=4_096)(looked_holding_of)


class Catalogue:
    """The port's implementation over the `artifact` and `project` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holding(self, project: Project, filename: str) -> Holding | None:
        """The row of one file."""
        return self.at_once(project, filename)

    def at_once(self, project: Project, filename: str) -> Holding | None:
        """The same without waiting: a point look-up on the local disk."""
        key = (project.ecosystem, project.name, filename)
        row = self._database.row(_ONE_LOOKED, key)
        if row is not None:
            return _decoded(project, row)
        listed = listings.holding_in(self._database.rows(listings.PAGE_OF, (*key, filename)), filename)
        if listed is None:
            return None
        said = self._database.row(_ATTESTED_ONE, key)
        return looked(listed, said and said[1:])

    async def holdings(self, project: Project) -> tuple[Holding, ...]:
        """All rows of a project, by first sight then file name."""
        key = (project.ecosystem, project.name)

        def job(connection: apsw.Connection) -> tuple[Holding, ...]:
            found = {str(row[0]): looked_holding_of(project, row) for row in connection.execute(_LOOKED, key)}
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
        new, changed, vanished = listing, list[Artifact](), list[str]()
        was_known = self._has(project)
        if was_known:
            new, changed, vanished = await self._database.scan(
                lambda connection: _differences(connection, project, listing.artifacts, origin, vanished_as)
            )
        name = (project.ecosystem, project.name)
        known = self._database.row("SELECT summary FROM project WHERE ecosystem = ? AND name = ?", name)
        tells = known is not None and summary is not None and known[0] != summary
        if not new.pages and not changed and not vanished and not tells:
            return

        def job(connection: apsw.Connection) -> None:
            _list(connection, project, origin)
            if summary is not None:
                connection.execute(
                    "UPDATE project SET summary = ? WHERE ecosystem = ? AND name = ?", (summary, *name)
                )
            unseen, met = new, list[Artifact]()
            if was_known or _has(connection, project):  # another process may have been quicker with some
                unseen, met = _parted(connection, project, new)
            listings.write(connection, project, unseen, origin, now)
            for artifact in (*met, *changed):
                _merge(connection, artifact, origin, now)
            for filename in vanished:
                known = _one(connection, project, filename)
                if known is not None and known.origin == origin:
                    gone = pinning.taken_back(known, vanished_as)
                    _write(connection, gone)
                    _tell_of_withdrawal(connection, known, gone, now)

        await self._database.write(job)

    async def hold(
        self,
        project: Project,
        filename: str,
        blob: str,
        size: int,
        event: Event,
        metadata_blob: str | None = None,
    ) -> None:
        """Link verified bytes to a row, and the core metadata found in them, and log the ingest, in one
        durable transaction. Raises NotFound for a file that was never remembered or published."""
        await self._amend(
            project, filename, lambda known: pinning.held(known, blob, size, metadata_blob), event
        )

    async def note_mismatch(self, project: Project, filename: str, mismatch: str, event: Event) -> None:
        """Note what in a file's verified bytes contradicts its name, and log it. Raises NotFound."""
        await self._amend(project, filename, lambda known: pinning.mismatched(known, mismatch), event)

    async def attach_metadata(self, project: Project, filename: str, blob: str) -> None:
        """Link core metadata extracted from the verified file. Raises NotFound."""
        await self._amend(project, filename, lambda known: pinning.with_metadata(known, blob), None)

    async def attach_side_file(self, project: Project, filename: str, blob: str, event: Event) -> None:
        """Link the metadata file that the source offers beside a file, and log it. Raises NotFound."""
        await self._amend(project, filename, lambda known: _replace(known, side_blob=blob), event)

    async def release(self, project: Project, filename: str) -> None:
        """Forget that we hold the bytes (they rotted or were collected); the pin stays."""

        def job(connection: apsw.Connection) -> None:
            known = _one(connection, project, filename)
            if known is not None:
                _write(connection, _replace(known, blob=None, blob_size=None))

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
            known = _one(connection, project, artifact.filename)
            if known is not None:
                pinning.require_same(known, artifact)
                if known.origin == "private":
                    return
            if not claimed and _origin(connection, project) == "public":
                raise Conflict(
                    f"{project.name} is known here as a public package, so it can't be published as a private"
                    " one; choose another name, or ask an operator to claim it."
                )
            _list(connection, project, "private")
            fresh = known or pinning.first_seen(artifact, "private", event.at)
            _write(connection, _replace(fresh, origin="private", metadata_blob=metadata_blob, gone=False))
            append(connection, event)

        await self._database.write(job)

    async def yank(
        self, project: Project, filenames: Sequence[str], reason: str | None, event: Event
    ) -> None:
        """Mark private files yanked, or with None not yanked, and log it. Raises NotFound."""

        def job(connection: apsw.Connection) -> None:
            for filename in filenames:
                known = _known(connection, project, filename)
                if known.origin != "private" or known.gone:
                    raise NotFound(f"{filename} isn't published here, so it can't be yanked here.")
                _write(connection, _replace(known, artifact=_replace(known.artifact, yanked=reason)))
            append(connection, event)

        await self._database.write(job)

    async def retire(self, project: Project, filenames: Sequence[str], event: Event) -> None:
        """Mark private files unpublished (their names are never reused) and log it. Raises NotFound."""

        def job(connection: apsw.Connection) -> None:
            for filename in filenames:
                known = _known(connection, project, filename)
                if known.origin != "private":
                    raise NotFound(f"{filename} was not published here, so it can't be unpublished.")
                _write(connection, _replace(known, gone=True))
            append(connection, event)

        await self._database.write(job)

    async def origin(self, project: Project) -> str | None:
        """`private` when anything was ever published here, else `public` when upstream has it, else None."""
        return _origin_of(self._database.row(_ORIGIN, (project.ecosystem, project.name)))

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
        rows = await self._database.scan(
            lambda connection: connection.execute(
                "SELECT public, private, name FROM project WHERE ecosystem = ? ORDER BY name", (ecosystem,)
            ).fetchall()
        )
        return tuple(str(row[2]) for row in rows if origin in {None, _origin_of(row)})

    async def _amend(
        self, project: Project, filename: str, change: Callable[[Holding], Holding], event: Event | None
    ) -> None:
        def job(connection: apsw.Connection) -> None:
            _write(connection, change(_known(connection, project, filename)))
            if event is not None:
                append(connection, event)

        await self._database.write(job)

    async def summaries(self, ecosystem: str, origin: str) -> Mapping[str, str]:
        """Names with rows, sorted → what they say they are about."""
        rows = await self._database.scan(
            lambda connection: connection.execute(
                "SELECT public, private, name, summary FROM project WHERE ecosystem = ? ORDER BY name",
                (ecosystem,),
            ).fetchall()
        )
        return {str(row[2]): str(row[3]) for row in rows if origin == _origin_of(row)}

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
        row = self._database.row(_HAS, (project.ecosystem, project.name))
        return row is not None and bool(row[0])


def _differences(
    connection: apsw.Connection,
    project: Project,
    artifacts: Sequence[Artifact],
    origin: str,
    vanished_as: str,
) -> tuple[Listing, list[Artifact], list[str]]:
    """Artifacts that were never seen, those that aren't as they were, names of files no longer listed."""
    key = (project.ecosystem, project.name)
    rows = {row[0]: row for row in connection.execute(_ALL, key)}
    listed = listings.listed_in(connection.execute(listings.PAGES, key).fetchall(), rows.keys())

    def is_changed(artifact: Artifact) -> bool:
        row = rows.get(artifact.filename)
        if row is None:
            return listed[artifact.filename] != (origin, artifact)
        if row[_ORIGIN_AT] != origin:
            return False
        return bool(row[_GONE_AT] or row[_CONFLICT_AT] or row[:_FACTS] != facts_of(artifact))

    seen = rows.keys() | listed.keys()
    now = {artifact.filename for artifact in artifacts}
    new = Listing.of(artifact for artifact in artifacts if artifact.filename not in seen)
    changed = [artifact for artifact in artifacts if artifact.filename in seen and is_changed(artifact)]
    vanished = [
        str(name)
        for name, row in rows.items()
        if row[_ORIGIN_AT] == origin
        and name not in now
        and (not row[_GONE_AT] or row[_WITHDRAWN_AT] not in {"", vanished_as})
    ]
    vanished += [name for name, (by, _) in listed.items() if by == origin and name not in now]
    return new, changed, vanished


def _parted(
    connection: apsw.Connection, project: Project, listing: Listing
) -> tuple[Listing, list[Artifact]]:
    """What of a listing was never seen, and the rest."""
    met = [a for a in listing.artifacts if _one(connection, project, a.filename) is not None]
    if not met:
        return listing, met
    names = {artifact.filename for artifact in met}
    return Listing.of(a for a in listing.artifacts if a.filename not in names), met


def _merge(connection: apsw.Connection, artifact: Artifact, origin: str, now: datetime) -> None:
    known = _one(connection, artifact.project, artifact.filename)
    if known is None:
        _write(connection, pinning.first_seen(artifact, origin, now))
        return
    merged = pinning.seen_again(known, artifact)
    if known.origin != origin or merged == known:
        return
    _write(connection, merged)
    _tell_of_withdrawal(connection, known, merged, now)
    if merged.conflict is not None and merged.conflict != known.conflict:
        append(connection, _alarm(merged, artifact, now))


def _tell_of_withdrawal(connection: apsw.Connection, before: Holding, after: Holding, now: datetime) -> None:
    """Log it when a source takes back what we hold: others may have it from us."""
    what = pinning.withdrawal(before, after)
    if what is None:
        return
    artifact = after.artifact
    event = Event(
        kind=Kind.ALARM,
        at=now,
        actor="upstream",
        project=artifact.project,
        version=artifact.version,
        filename=artifact.filename,
        sha256=after.blob,
        detail={"alarm": "withdrawn", "how": what, "reason": artifact.yanked, "url": artifact.url},
    )
    append(connection, event)


def _alarm(holding: Holding, announced: Artifact, now: datetime) -> Event:
    return Event(
        kind=Kind.ALARM,
        at=now,
        actor="upstream",
        project=announced.project,
        version=announced.version,
        filename=announced.filename,
        detail={
            "alarm": "changed-digest",
            "reason": "The source announces other bytes under a name seen before; they are not let in.",
            "pinned": str(holding.pin) if holding.pin else None,
            "announced": str(holding.conflict),
            "first_seen": holding.first_seen.isoformat(),
            "url": announced.url,
        },
    )


def _has(connection: apsw.Connection, project: Project) -> bool:
    return bool(connection.execute(_HAS, (project.ecosystem, project.name)).fetchall()[0][0])


def _one(connection: apsw.Connection, project: Project, filename: str) -> Holding | None:
    key = (project.ecosystem, project.name, filename)
    rows = connection.execute(_ONE, key).fetchall()
    if rows:
        return holding_of(project, rows[0])
    return listings.holding_in(connection.execute(listings.PAGE_OF, (*key, filename)), filename)


def _known(connection: apsw.Connection, project: Project, filename: str) -> Holding:
    found = _one(connection, project, filename)
    if found is None:
        raise NotFound(f"{filename} is not a known file of {project.name}.")
    return found


def _write(connection: apsw.Connection, holding: Holding) -> None:
    project = holding.artifact.project
    connection.execute(_WRITE, (project.ecosystem, project.name, *row_of(holding)))


def _list(connection: apsw.Connection, project: Project, origin: str) -> None:
    """Note whose project it is."""
    private = origin == "private"
    connection.execute(
        "INSERT INTO project (ecosystem, name, public, private) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET public = max(public, excluded.public), private = max(private, excluded.private)",
        (project.ecosystem, project.name, int(not private), int(private)),
    )


def _origin(connection: apsw.Connection, project: Project) -> str | None:
    rows = connection.execute(_ORIGIN, (project.ecosystem, project.name)).fetchall()
    return _origin_of(rows[0] if rows else None)


def _origin_of(row: Row | None) -> str | None:
    if row is None:
        return None
    return "private" if row[1] else "public"
