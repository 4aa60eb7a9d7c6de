"""Checkpoints of the log, its rows as they are stored, and the one way in which rows leave it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import apsw

from registry.errors import Conflict
from registry.model.checkpoints import Checkpoint, Link
from registry.model.events import Event
from registry.storage.database import Database, Row
from registry.storage.provenance_log import append

_COLUMNS = "kind, seq, hash, at, key, signature"
_BASE = f"SELECT {_COLUMNS} FROM checkpoint WHERE kind = 'base' ORDER BY seq DESC LIMIT 1"  # noqa: S608 - constants
_HEADS = (
    f"SELECT {_COLUMNS} FROM checkpoint WHERE kind = 'head' AND seq > ?"  # noqa: S608 - constants
    " ORDER BY seq LIMIT ?"
)
_HEAD = "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1"
_NEWEST = "SELECT seq FROM log ORDER BY seq DESC LIMIT 1"
_LINKS = "SELECT seq, previous, hash, event FROM log WHERE seq > ? ORDER BY seq LIMIT ?"
_FIRST_SINCE = (
    "SELECT coalesce((SELECT seq FROM log WHERE at >= ? ORDER BY seq LIMIT 1),"
    " (SELECT max(seq) FROM log) + 1, 1)"
)
_ROWS_A_JOB = 5_000
"""Rows that one transaction takes out: others get their turn in between."""


class Checkpoints:
    """The port's implementation over the `checkpoint` and `log` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seal(self, sign: Callable[[int, str], Checkpoint]) -> Checkpoint | None:
        """Sign the newest row and keep what was signed; the kept one when that row has one already, None for
        an empty log."""

        def job(connection: apsw.Connection) -> Checkpoint | None:
            rows: list[Row] = connection.execute(_HEAD).fetchall()
            if not rows:
                return None
            seq, digest = rows[0]
            kept = connection.execute(_HEADS, (seq - 1, 1)).fetchall()
            if kept:
                return _checkpoint(kept[0])
            made = sign(seq, digest.hex())
            _insert(connection, made)
            return made

        return await self._database.write(job)

    async def newest(self) -> int:
        """Number of the log's newest row; 0 for none."""
        row = self._database.row(_NEWEST)
        return int(row[0]) if row else 0

    async def base(self) -> Checkpoint | None:
        """What the log begins after, where rows were taken out."""
        row = self._database.row(_BASE)
        return _checkpoint(row) if row else None

    async def heads(self, after: int, limit: int) -> tuple[Checkpoint, ...]:
        """Checkpoints about rows after this one, in order, so many at most."""
        found = await self._database.scan(
            lambda connection: connection.execute(_HEADS, (after, limit)).fetchall()
        )
        return tuple(map(_checkpoint, found))

    async def links(self, after: int, limit: int) -> Sequence[Link]:
        """Rows after this one, in order, so many at most."""

        def job(connection: apsw.Connection) -> list[Link]:
            rows: list[Row] = connection.execute(_LINKS, (after, limit)).fetchall()
            return [Link(row[0], _hex(row[1]), _hex(row[2]), _bytes(row[3])) for row in rows]

        return await self._database.scan(job)

    async def newest_before(self, at: str) -> int:
        """Number of the last row of those at the log's beginning that are all older than `at` (as the log
        writes times); 0 for none."""
        rows: list[Row] = await self._database.scan(
            lambda connection: connection.execute(_FIRST_SINCE, (at,)).fetchall()
        )
        return int(rows[0][0]) - 1

    async def prune(self, base: Checkpoint, event: Event) -> int:
        """Take out all rows up to that of `base`, which takes their place, and log the act; gives how many.

        A crash leaves some of them, which nobody reads any more and the next time takes out. Raises Conflict
        when the row has another hash, or is the newest.
        """

        def declare(connection: apsw.Connection) -> None:
            rows: list[Row] = connection.execute("SELECT hash FROM log WHERE seq = ?", (base.seq,)).fetchall()
            if not rows or _hex(rows[0][0]) != base.hash:
                raise Conflict(f"Row {base.seq} of the log isn't the one that was exported; export it again.")
            _insert(connection, base)
            append(connection, event)

        def remove(connection: apsw.Connection) -> int:
            return len(
                connection.execute(
                    "DELETE FROM log WHERE seq IN (SELECT seq FROM log WHERE seq <= ? ORDER BY seq LIMIT ?)"
                    " RETURNING seq",
                    (base.seq, _ROWS_A_JOB),
                ).fetchall()
            )

        await self._database.write(declare)
        removed = 0
        while count := await self._database.write(remove):
            removed += count
        return removed


def _insert(connection: apsw.Connection, checkpoint: Checkpoint) -> None:
    connection.execute(
        f"INSERT INTO checkpoint ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - constants
        (
            checkpoint.kind,
            checkpoint.seq,
            bytes.fromhex(checkpoint.hash),
            checkpoint.at,
            checkpoint.key,
            bytes.fromhex(checkpoint.signature),
        ),
    )


def _checkpoint(row: Row) -> Checkpoint:
    kind, seq, digest, at, key, signature = row
    return Checkpoint(kind=kind, seq=seq, hash=digest.hex(), at=at, key=key, signature=signature.hex())


def _hex(value: object) -> str:
    """A hash column; whatever else somebody put there is shown as what it isn't."""
    return value.hex() if isinstance(value, bytes) else "?"


def _bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value) if isinstance(value, bytes) else b""
