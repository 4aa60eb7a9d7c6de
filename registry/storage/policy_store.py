"""What operators decided by command, API or page: rows that are joined with policy.toml."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from registry.errors import NotFound
from registry.model.accounts import PolicyEntry
from registry.model.editions import OwnEdition
from registry.model.events import Event
from registry.model.ports import Edition
from registry.storage.database import Database, Row
from registry.storage.moments import micros, micros_or_none, moment_of, moment_or_none
from registry.storage.provenance_log import append

_COLUMNS = "id, ecosystem, kind, pattern, versions, reason, author, created, until, rule, cutoff"
_IN_FORCE = f"SELECT {_COLUMNS} FROM policy_entry WHERE removed IS NULL ORDER BY id"  # noqa: S608 - constants
_GENERATION = "SELECT coalesce(max(id), 0), count(removed) FROM policy_entry"
_REMOVE = (
    "UPDATE policy_entry SET removed = ?"  # noqa: S608 - constants
    f" WHERE id = ? AND removed IS NULL RETURNING {_COLUMNS}"
)


class PolicyStore:
    """The port's implementation over the `policy_entry` table."""

    def __init__(self, database: Database, edition: Edition | None = None) -> None:
        """`edition` is raised with every change."""
        self._database = database
        self._edition = edition or OwnEdition()

    async def entries(self) -> tuple[PolicyEntry, ...]:
        """Those in force (not removed), oldest first; ended ones included, the engine reads `until`."""
        return tuple(map(_entry, self._database.rows(_IN_FORCE)))

    def generation(self) -> tuple[int, int]:
        """Differs after every change, also one that another process made. A point look-up."""
        row = self._database.row(_GENERATION)
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def add(self, entry: PolicyEntry, event: Event) -> PolicyEntry:
        """Store it and log the act, in one durable transaction; gives it back with its id."""

        def job(connection: apsw.Connection) -> int:
            number = _insert(connection, entry)
            append(connection, event)
            return number

        number = await self._database.write(job)
        self._edition.bump()
        return msgspec.structs.replace(entry, id=number)

    async def add_all(self, entries: Sequence[PolicyEntry], event: Event) -> None:
        """Store many and log the one act, in one durable transaction."""

        def job(connection: apsw.Connection) -> None:
            for entry in entries:
                _insert(connection, entry)
            append(connection, event)

        await self._database.write(job)
        self._edition.bump()

    async def remove(self, entry_id: int, event: Event) -> PolicyEntry:
        """Take it out of force (the row stays) and log the act. Raises NotFound."""

        def job(connection: apsw.Connection) -> PolicyEntry:
            rows = connection.execute(_REMOVE, (micros(event.at), entry_id)).fetchall()
            if not rows:
                raise NotFound(f"There is no policy entry {entry_id} in force; see `registry policy list`.")
            append(connection, event)
            return _entry(rows[0])

        removed = await self._database.write(job)
        self._edition.bump()
        return removed


def _insert(connection: apsw.Connection, entry: PolicyEntry) -> int:
    connection.execute(
        "INSERT INTO policy_entry"
        " (ecosystem, kind, pattern, versions, reason, author, created, until, rule, cutoff)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.ecosystem,
            entry.kind,
            entry.pattern,
            entry.versions,
            entry.reason,
            entry.author,
            micros(entry.created),
            micros_or_none(entry.until),
            entry.rule,
            micros_or_none(entry.cutoff),
        ),
    )
    return connection.last_insert_rowid()


def _entry(row: Row) -> PolicyEntry:
    number, ecosystem, kind, pattern, versions, reason, author, created, until, rule, cutoff = row
    return PolicyEntry(
        id=number,
        ecosystem=ecosystem,
        kind=kind,
        pattern=pattern,
        versions=versions,
        reason=reason,
        author=author,
        created=moment_of(created),
        until=moment_or_none(until),
        rule=rule,
        cutoff=moment_or_none(cutoff),
    )
