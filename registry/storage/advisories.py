"""Advisories in the database: hundreds of thousands of rows, looked up by project."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import apsw
import msgspec

from registry.model.advisories import Advisory, AdvisoryStanding, Record, Span
from registry.model.editions import OwnEdition
from registry.model.events import Event
from registry.model.names import Project
from registry.model.ports import Edition
from registry.storage.database import Database
from registry.storage.moments import micros, moment_or_none
from registry.storage.provenance_log import append

_ABOUT = (
    "SELECT id, malware, severity, summary, versions, spans FROM affected JOIN advisory ON id = advisory"
    " WHERE ecosystem = ? AND project = ? ORDER BY id"
)
_VERSIONS = msgspec.json.Decoder(tuple[str, ...])
_SPANS = msgspec.json.Decoder(tuple[Span, ...])
_FACT = "advisories"
_STANDING = msgspec.json.Decoder(AdvisoryStanding)


class Advisories:
    """The port's implementation over the `advisory` and `affected` tables."""

    def __init__(self, database: Database, edition: Edition | None = None) -> None:
        """`edition` is raised when an import counts."""
        self._database = database
        self._edition = edition or OwnEdition()

    def about(self, project: Project) -> tuple[Advisory, ...]:
        """Everything that is said about a project, in microseconds."""
        rows = self._database.rows(_ABOUT, (project.ecosystem, project.name))
        return tuple(
            Advisory(
                id=id_,
                malware=bool(malware),
                severity=severity,
                summary=summary,
                versions=_VERSIONS.decode(versions),
                spans=_SPANS.decode(spans),
            )
            for id_, malware, severity, summary, versions, spans in rows
        )

    def standing(self) -> AdvisoryStanding:
        """What was imported so far."""
        row = self._database.row("SELECT value FROM fact WHERE name = ?", (_FACT,))
        return _STANDING.decode(row[0]) if row else AdvisoryStanding()

    @property
    def generation(self) -> int:
        """Grows whenever any answer could differ."""
        return self.standing().generation

    async def put(self, records: Sequence[Record]) -> int:
        """Keep a batch, and forget what earlier versions of these advisories said. Gives how many were news:
        one that was modified no later than the kept one changes nothing."""

        def job(connection: apsw.Connection) -> int:
            return sum(_put(connection, record) for record in records)

        return await self._database.write(job)

    async def settle(self, now: datetime, event: Event) -> AdvisoryStanding:
        """End an import: from now on it counts. Logs the act in the same transaction."""

        def job(connection: apsw.Connection) -> AdvisoryStanding:
            count, newest = connection.execute("SELECT count(*), max(modified) FROM advisory").fetchall()[0]
            rows = connection.execute("SELECT value FROM fact WHERE name = ?", (_FACT,)).fetchall()
            before = _STANDING.decode(str(rows[0][0])) if rows else AdvisoryStanding()
            standing = AdvisoryStanding(
                generation=before.generation + 1,
                advisories=int(str(count)),
                newest=moment_or_none(newest if isinstance(newest, int) else None),
                imported=now,
            )
            connection.execute(
                "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)",
                (_FACT, msgspec.json.encode(standing).decode()),
            )
            append(connection, event)
            return standing

        standing = await self._database.write(job)
        self._edition.bump()
        return standing


def _put(connection: apsw.Connection, record: Record) -> bool:
    modified = micros(record.modified)
    known = connection.execute("SELECT modified FROM advisory WHERE id = ?", (record.id,)).fetchall()
    if known and int(str(known[0][0])) >= modified:
        return False
    connection.execute("DELETE FROM affected WHERE advisory = ?", (record.id,))
    connection.execute(
        "INSERT OR REPLACE INTO advisory (id, modified, malware, severity, summary) VALUES (?, ?, ?, ?, ?)",
        (record.id, modified, int(record.malware), record.severity, record.summary),
    )
    for project in {} if record.withdrawn else {(each.ecosystem, each.project) for each in record.affected}:
        about = [each for each in record.affected if (each.ecosystem, each.project) == project]
        # One of several entries that names nothing means everything, which no list may hide.
        bare = any(not each.versions and not each.spans for each in about)
        versions = () if bare else tuple(v for each in about for v in each.versions)
        spans = () if bare else tuple(s for each in about for s in each.spans)
        connection.execute(
            "INSERT INTO affected (ecosystem, project, advisory, versions, spans) VALUES (?, ?, ?, ?, ?)",
            (
                *project,
                record.id,
                msgspec.json.encode(versions).decode(),
                msgspec.json.encode(spans).decode(),
            ),
        )
    return True
