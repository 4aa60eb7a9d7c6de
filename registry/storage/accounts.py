"""Account and token rows. Passwords are in the htpasswd file, of a token only its hash is here."""

from __future__ import annotations

from datetime import datetime

import apsw

from registry.errors import Conflict, NotFound
from registry.model.accounts import Account, Token
from registry.model.events import Event
from registry.storage.database import Database, Row
from registry.storage.moments import micros, micros_or_none, moment_of, moment_or_none
from registry.storage.provenance_log import append

_SELECT = "SELECT id, account, secret_sha256, note, scope, created, expires, revoked FROM token"


class Accounts:
    """The port's implementation over the `account` and `token` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self) -> tuple[Account, ...]:
        """All, by name."""
        rows = self._database.rows("SELECT name, admin, created FROM account ORDER BY name")
        return tuple(
            Account(name=name, admin=bool(admin), created=moment_of(created)) for name, admin, created in rows
        )

    async def put_account(self, account: Account, event: Event) -> None:
        """Insert or replace."""

        def job(connection: apsw.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO account (name, admin, created) VALUES (?, ?, ?)",
                (account.name, int(account.admin), micros(account.created)),
            )
            append(connection, event)

        await self._database.write(job)

    async def remove_account(self, name: str, event: Event) -> None:
        """Remove it and revoke its tokens. Raises NotFound."""

        def job(connection: apsw.Connection) -> None:
            if not connection.execute(
                "DELETE FROM account WHERE name = ? RETURNING name", (name,)
            ).fetchall():
                raise NotFound(f"There is no account '{name}'; see `registry user list`.")
            connection.execute(
                "UPDATE token SET revoked = ? WHERE account = ? AND revoked IS NULL", (micros(event.at), name)
            )
            append(connection, event)

        await self._database.write(job)

    async def tokens(self, account: str | None = None) -> tuple[Token, ...]:
        """All, revoked ones included, newest first."""
        condition = "" if account is None else " WHERE account = ?"
        values = () if account is None else (account,)
        return tuple(
            map(_token, self._database.rows(f"{_SELECT}{condition} ORDER BY created DESC, id", values))
        )

    async def token(self, token_id: str) -> Token | None:
        """One, by its public id."""
        row = self._database.row(f"{_SELECT} WHERE id = ?", (token_id,))
        return None if row is None else _token(row)

    async def put_token(self, token: Token, event: Event) -> None:
        """Insert. Raises Conflict when the id exists."""
        row = (
            token.id,
            token.account,
            token.secret_sha256,
            token.note,
            token.scope,
            micros(token.created),
            micros_or_none(token.expires),
            micros_or_none(token.revoked),
        )

        def job(connection: apsw.Connection) -> None:
            if connection.execute("SELECT 1 FROM token WHERE id = ?", (token.id,)).fetchall():
                raise Conflict(f"There is a token {token.id} already; create another one.")
            connection.execute(
                "INSERT INTO token (id, account, secret_sha256, note, scope, created, expires, revoked)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            append(connection, event)

        await self._database.write(job)

    async def revoke_token(self, token_id: str, at: datetime, event: Event) -> None:
        """Revoke. Raises NotFound, also for one that is revoked already."""

        def job(connection: apsw.Connection) -> None:
            if not connection.execute(
                "UPDATE token SET revoked = ? WHERE id = ? AND revoked IS NULL RETURNING id",
                (micros(at), token_id),
            ).fetchall():
                raise NotFound(f"There is no token {token_id} in force; see `registry token list`.")
            append(connection, event)

        await self._database.write(job)


def _token(row: Row) -> Token:
    number, account, secret_sha256, note, scope, created, expires, revoked = row
    return Token(
        id=number,
        account=account,
        secret_sha256=secret_sha256,
        note=note,
        scope=scope,
        created=moment_of(created),
        expires=moment_or_none(expires),
        revoked=moment_or_none(revoked),
    )
