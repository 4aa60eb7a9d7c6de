"""The append-only log in the database. `append` is the only way in, for every table's changes too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import apsw

from registry.model.events import Event, Kind, LoggedEvent
from registry.model.names import Project
from registry.provenance import chain
from registry.storage.database import Database, Row, ending
from registry.storage.gathering import Gathering, Told

_PAGE = 500
_NO_HASH = bytes(32)
_INSERT = "INSERT INTO log (seq, previous, hash, event) VALUES "
_ROWS = 64
"""Of one statement at most."""
_NOT_LONG_BEFORE = (
    "seq >= (SELECT coalesce(min(seq), (SELECT max(seq) FROM log)) - 512"
    " FROM log INDEXED BY log_at WHERE at >= ? AND seq % 256 = 0)"
)
"""Rows from a little before the first that is as late, by the index, which has every 256th."""


def append(connection: apsw.Connection, *events: Event) -> int:
    """Add events, in order, within the caller's write transaction; gives the number of the first.

    The chain's head is read in that same transaction, so several processes write one chain.
    """
    return _append_all(connection, [chain.canonical(event) for event in events])


def _append_all(connection: apsw.Connection, bodies: Sequence[bytes]) -> int:
    """Add events by their canonical bytes, in order; gives the number of the first."""
    head: list[Row] = connection.execute("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1").fetchall()
    seq: int = head[0][0] if head else 0
    previous: bytes = head[0][1] if head else _NO_HASH
    rows: list[Row] = []
    for number, body in enumerate(bodies, seq + 1):
        digest = bytes.fromhex(chain.row_hash(previous.hex(), body))
        rows.append((number, previous, digest, body.decode()))
        previous = digest
    done = 0
    while done < len(rows):
        # Each statement gives way to the other threads several times, so a few large ones are much cheaper;
        # of powers of two, so that few different ones are kept prepared.
        size = min(_ROWS, 1 << (len(rows) - done).bit_length() - 1)
        values = [value for row in rows[done : done + size] for value in row]
        connection.execute(_INSERT + ", ".join(["(?, ?, ?, ?)"] * size), values)
        done += size
    return seq + 1


class ProvenanceLog:
    """The port's implementation over the `log` table. Used from one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gathering = Gathering(
            lambda bodies, told: database.tell(
                lambda connection: _append_all(connection, bodies), told, appends=True
            )
        )

    def begin(self, event: Event, told: Told) -> None:
        """Have it appended; `told` gets its number once it is durable, or why it isn't."""
        self._gathering.add(chain.canonical(event), told)

    async def record(self, event: Event) -> int:
        """Append; returns its number once it is durable."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.begin(event, ending(future))
        return await future

    async def events(
        self,
        *,
        kinds: Sequence[str] = (),
        project: Project | None = None,
        version: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[LoggedEvent, ...]:
        """The newest matching rows, newest first."""
        conditions: list[tuple[str, Any]] = []
        if project is not None:
            conditions.append(("project = ?", str(project)))
        if version is not None:
            conditions.append(("version = ?", version))
        if actor is not None:
            conditions.append(("actor = ?", actor))
        if since is not None:
            at = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            conditions += [("at >= ?", at), (_NOT_LONG_BEFORE, at)]
        if before is not None:
            conditions.append(("seq < ?", before))
        where = [text for text, _ in conditions]
        values = [value for _, value in conditions]
        if kinds:
            if project is None and actor is None and Kind.DELIVERY.value not in kinds:
                where.append("kind <> 'delivery'")  # else the index isn't used, which has only these
            where.append(f"kind IN ({', '.join('?' * len(kinds))})")
            values += kinds
        sql = "SELECT seq, previous, hash, event FROM log"
        if where:
            sql += " WHERE " + " AND ".join(where)
        sql += " ORDER BY seq DESC LIMIT ?"
        values.append(limit)
        found = await self._database.scan(lambda connection: connection.execute(sql, values).fetchall())
        return tuple(map(_logged, found))

    async def replay(self, after: int = 0) -> AsyncIterator[LoggedEvent]:
        """All rows in order, a page at a time so that no snapshot is held while the reader works."""
        while rows := await self._database.scan(partial(_page, after=after)):
            for row in rows:
                yield row
            after = rows[-1].seq


def _page(connection: apsw.Connection, after: int) -> list[LoggedEvent]:
    found = connection.execute(
        "SELECT seq, previous, hash, event FROM log WHERE seq > ? ORDER BY seq LIMIT ?", (after, _PAGE)
    )
    return [_logged(row) for row in found.fetchall()]


def _logged(row: Row) -> LoggedEvent:
    seq, previous, digest, body = row
    event = chain.read(body) or chain.unreadable(seq)
    return LoggedEvent(seq=seq, previous=previous.hex(), hash=digest.hex(), event=event)
