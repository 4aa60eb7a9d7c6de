"""Petitions in the database: asked by anybody, so bounded; answered by admins."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import apsw
import msgspec

from registry.errors import Conflict, NotFound, TooMany
from registry.model.events import Event
from registry.model.petitions import Petition, PetitionState
from registry.storage.database import Database
from registry.storage.moments import micros, moment_of, moment_or_none
from registry.storage.provenance_log import append

PER_ADDRESS = 10
"""Petitions that one address may make in an hour."""
OPEN = 1_000
"""Petitions that may wait for an answer."""
_SHOWN = 1_000
"""Petitions in a list, the newest."""

_COLUMNS = "id, refusal, subject, message, name, actor, address, at, state, answer, answered_by, answered"


class Petitions:
    """The port's implementation over the `petition` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, petition: Petition, event: Event) -> Petition:
        """Store it and log the act, in one durable transaction. Where one about the same refusal is open,
        that one comes back and nothing is stored. Raises TooMany."""

        def job(connection: apsw.Connection) -> Petition:
            sql = f"SELECT {_COLUMNS} FROM petition WHERE refusal = ? AND state = 'open'"  # noqa: S608 - constants
            waiting = connection.execute(sql, (petition.refusal,)).fetchall()
            if waiting:
                return _petition(waiting[0])
            hour = micros(petition.at - timedelta(hours=1))
            recent = _count(connection, "address = ? AND at > ?", (petition.address, hour))
            if recent >= PER_ADDRESS or _count(connection, "state = 'open'", ()) >= OPEN:
                raise TooMany(
                    "Too many requests wait for an admin; talk to one, or try again in an hour.", 3_600
                )
            connection.execute(
                "INSERT INTO petition (refusal, subject, message, name, actor, address, at, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'open')",
                (
                    petition.refusal,
                    petition.subject,
                    petition.message,
                    petition.name,
                    petition.actor,
                    petition.address,
                    micros(petition.at),
                ),
            )
            number = connection.last_insert_rowid()
            append(connection, event)
            return msgspec.structs.replace(petition, id=number)

        return await self._database.write(job)

    async def petitions(self, state: PetitionState | None = None) -> tuple[Petition, ...]:
        """The newest first."""
        where = "" if state is None else " WHERE state = ?"
        sql = f"SELECT {_COLUMNS} FROM petition{where} ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
        rows = self._database.rows(sql, (_SHOWN,) if state is None else (state, _SHOWN))
        return tuple(map(_petition, rows))

    async def petition(self, number: int) -> Petition:
        """One by its number. Raises NotFound."""
        sql = f"SELECT {_COLUMNS} FROM petition WHERE id = ?"  # noqa: S608 - constants
        row = self._database.row(sql, (number,))
        if row is None:
            raise NotFound(f"There is no request {number}; `registry policy requests` lists them.")
        return _petition(row)

    async def about(self, refusal: str) -> Petition | None:
        """The newest about a refusal."""
        sql = f"SELECT {_COLUMNS} FROM petition WHERE refusal = ? ORDER BY id DESC LIMIT 1"  # noqa: S608 - constants
        row = self._database.row(sql, (refusal,))
        return None if row is None else _petition(row)

    async def answer(
        self, number: int, state: PetitionState, answer: str, by: str, at: datetime, event: Event
    ) -> Petition:
        """Close an open one and log the act. Raises NotFound and Conflict (answered already)."""

        def job(connection: apsw.Connection) -> Petition:
            sql = (
                "UPDATE petition SET state = ?, answer = ?, answered_by = ?, answered = ?"  # noqa: S608 - constants
                f" WHERE id = ? AND state = 'open' RETURNING {_COLUMNS}"
            )
            rows = connection.execute(sql, (state, answer, by, micros(at), number)).fetchall()
            if not rows:
                if _count(connection, "id = ?", (number,)):
                    raise Conflict(f"Request {number} was answered already.")
                raise NotFound(f"There is no request {number}; `registry policy requests` lists them.")
            append(connection, event)
            return _petition(rows[0])

        return await self._database.write(job)


def _count(connection: apsw.Connection, where: str, values: tuple[Any, ...]) -> int:
    sql = f"SELECT count(*) FROM petition WHERE {where}"  # noqa: S608 - constants
    return int(str(connection.execute(sql, values).fetchall()[0][0]))


def _petition(row: tuple[Any, ...]) -> Petition:
    number, refusal, subject, message, name, actor, address, at, state, answer, by, answered = row
    return Petition(
        id=number,
        refusal=refusal,
        subject=subject,
        message=message,
        name=name,
        actor=actor,
        address=address,
        at=moment_of(at),
        state=state,
        answer=answer,
        answered_by=by,
        answered=moment_or_none(answered),
    )
