"""The latest time that was believed: a row, so that it holds over restarts and for every process."""

from __future__ import annotations

from datetime import datetime

import apsw
import msgspec

from registry.model.events import Event
from registry.model.moments import Mark
from registry.storage.database import Database, Row
from registry.storage.provenance_log import append

_NAME = "clock"
_KEPT = "SELECT value FROM fact WHERE name = ?"
_NEWEST = "SELECT at FROM log ORDER BY seq DESC LIMIT 1"


class ClockMarks:
    """The port's implementation over the `fact` table and the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept(self) -> Mark | None:
        """The mark."""
        row = self._database.row(_KEPT, (_NAME,))
        return msgspec.json.decode(row[0], type=Mark) if row else None

    def logged(self) -> datetime | None:
        """The time of the log's newest row; None where that isn't what we wrote, which is for `audit verify`
        to tell."""
        row = self._database.row(_NEWEST)
        try:
            return datetime.fromisoformat(row[0]) if row and isinstance(row[0], str) else None
        except ValueError:
            return None

    def keep(self, mark: Mark) -> None:
        """Have it kept with the next commit, unless an admin has declared the clock right since."""

        def job(connection: apsw.Connection) -> None:
            kept = _read(connection)
            if kept is None or kept.accepted <= mark.accepted:
                _write(connection, mark)

        self._database.post(job)

    async def settle(self, mark: Mark, event: Event) -> None:
        """Keep it and log the act, in one durable transaction."""

        def job(connection: apsw.Connection) -> None:
            _write(connection, mark)
            append(connection, event)

        await self._database.write(job)


def _read(connection: apsw.Connection) -> Mark | None:
    rows: list[Row] = connection.execute(_KEPT, (_NAME,)).fetchall()
    return msgspec.json.decode(rows[0][0], type=Mark) if rows else None


def _write(connection: apsw.Connection, mark: Mark) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (_NAME, msgspec.json.encode(mark).decode())
    )
