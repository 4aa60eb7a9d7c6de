"""Tokens: bearer secrets of an account, for programs. Only a hash of the secret is kept.

`rgt_<id>_<secret>`: the prefix lets scanners of leaked secrets find it, the id is public (the log and
`registry token list` name it), the secret has 256 random bits, so a fast hash is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Literal

from registry.errors import Forbidden, Malformed, NotFound
from registry.model.accounts import Token
from registry.model.editions import OwnEdition
from registry.model.events import Client, Event
from registry.model.ports import Accounts, Clock, Edition

FORM = re.compile(r"rgt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")

Scope = Literal["read", "publish", "admin"]


class Tokens:
    """The tokens of all accounts."""

    def __init__(self, accounts: Accounts, clock: Clock, edition: Edition | None = None) -> None:
        """`edition` is raised with every revocation."""
        self._edition = edition or OwnEdition()
        self._accounts = accounts
        self._clock = clock

    @property
    def changes(self) -> int:
        """Another number after a revocation: what others remember about tokens is then out of date."""
        return self._edition.now()

    async def list(self, account: str | None = None) -> tuple[Token, ...]:
        """All tokens, or those of one account, newest first; revoked ones included."""
        return await self._accounts.tokens(account)

    async def create(
        self, account: str, *, note: str = "", scope: Scope = "publish", days: int | None = None, by: Client
    ) -> tuple[Token, str]:
        """A new token and its text, which nobody can show again.

        `days` is how long it lives, None for ever. Raises NotFound (no such account), Forbidden (scope
        `admin` for an account that isn't one) and Malformed.
        """
        owner = next((a for a in await self._accounts.accounts() if a.name == account), None)
        if owner is None:
            raise NotFound(f"There is no user `{account}`; `registry user add {account}` makes one.")
        if scope == "admin" and not owner.admin:
            raise Forbidden(f"`{account}` is no admin, so its tokens can't be; choose scope read or publish.")
        if days is not None and not 1 <= days <= 3_650:
            raise Malformed("A token lives 1 to 3650 days, or for ever when no days are given.")
        if len(note) > 200 or not note.isprintable():
            raise Malformed("A token's note is at most 200 printable characters.")
        now = self._clock.now()
        text = f"rgt_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
        token = Token(
            id=_token_id(text),
            account=account,
            secret_sha256=_sha256(text),
            note=note,
            scope=scope,
            created=now,
            expires=None if days is None else now + timedelta(days=days),
        )
        await self._accounts.put_token(token, self._event("token.create", token, by))
        return token, text

    async def authenticate(self, text: str) -> Token | None:
        """The token that this is the text of; None for an unknown, expired or revoked one."""
        token_id = _token_id(text)
        token = await self._accounts.token(token_id) if token_id else None
        if token is None or not hmac.compare_digest(token.secret_sha256, _sha256(text)):
            return None
        if token.revoked is not None:
            return None
        return None if token.expires and token.expires <= self._clock.now() else token

    async def revoke(self, token_id: str, *, by: Client) -> Token:
        """End a token at once; gives it back as it was. Raises NotFound."""
        token = await self._accounts.token(token_id)
        if token is None:
            raise NotFound(f"There is no token `{token_id}`; `registry token list` shows all.")
        if token.revoked is None:
            event = self._event("token.revoke", token, by)
            await self._accounts.revoke_token(token_id, self._clock.now(), event)
        self._edition.bump()
        return token

    def _event(self, action: str, token: Token, by: Client) -> Event:
        return Event.decreed(
            by,
            self._clock.now(),
            detail={
                "action": action,
                "subject": token.id,
                "account": token.account,
                "scope": token.scope,
                "note": token.note,
                "expires": token.expires.isoformat() if token.expires else None,
            },
        )


def _token_id(text: str) -> str:
    """The public part of a token's text; empty when it isn't one."""
    match = FORM.fullmatch(text)
    return match[1] if match else ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
