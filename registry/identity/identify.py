"""An Authorization header → who asks. What they may do is decided elsewhere."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from functools import lru_cache

import msgspec

from registry.errors import Unauthenticated
from registry.identity.recent import Recent
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.model.events import Client
from registry.model.ports import Clock

REMEMBERED = 1.0
"""Seconds for which a header that was right stays right though the htpasswd file was edited by hand."""


class Identify:
    """Names the client behind a request."""

    def __init__(self, users: Users, tokens: Tokens, admin_token: str, clock: Clock) -> None:
        """`admin_token` is the text in `keys/admin-token` (`identity.keys.ensure_admin_token`)."""
        self._users = users
        self._tokens = tokens
        self._admin_token = hashlib.sha256(admin_token.encode()).digest()
        self._key = secrets.token_bytes(32)
        self._recent: Recent[bytes, Client] = Recent(clock, REMEMBERED)

    async def __call__(self, authorization: str | None, address: str, agent: str = "") -> Client:
        """The client that a header names; an anonymous one when there is no header.

        `address` is the peer's, `agent` the User-Agent header. Raises Unauthenticated, with a reason, for a
        header that names nobody: wrong credentials never count as none.
        """
        client = self.at_once(authorization, address, agent)
        if client is not None:
            return client
        assert authorization is not None  # without a header everybody is anonymous, at once
        proof = self._proof(authorization)
        known = await self._read(authorization, address)
        self._recent.put(proof, known)
        return msgspec.structs.replace(known, address=address, agent=printable(agent))

    def at_once(self, authorization: str | None, address: str, agent: str = "") -> Client | None:
        """The same without waiting: None for a header that was not found right a moment ago."""
        if not authorization:
            return Client(address=address, agent=printable(agent))
        known = self._recent.get(self._proof(authorization))
        return known and msgspec.structs.replace(known, address=address, agent=printable(agent))

    def _proof(self, authorization: str) -> bytes:
        """Holds both editions, so a change made in any process takes effect with the next request."""
        facts = f"{self._users.changes}\0{self._tokens.changes}\0{authorization}"
        return hmac.digest(self._key, facts.encode("utf-8", "surrogateescape"), hashlib.sha256)

    async def _read(self, authorization: str, address: str) -> Client:
        scheme, _, value = authorization.strip().partition(" ")
        value = value.strip()
        if scheme.lower() == "bearer":
            return await self._bearer(value)
        if scheme.lower() != "basic":
            raise Unauthenticated(
                "Only Basic and Bearer credentials are understood; use a password or a token."
            )
        user, password = _basic(value)
        if user == "__token__":
            return await self._bearer(password)
        account = await self._users.authenticate(user, password, address=address)
        if account is None:
            raise Unauthenticated(
                "The user name or the password is wrong; a token goes with the user name __token__."
            )
        return Client(user=account.name, admin=account.admin, may_publish=True)

    async def _bearer(self, text: str) -> Client:
        if hmac.compare_digest(hashlib.sha256(text.encode("utf-8", "replace")).digest(), self._admin_token):
            return Client(user="admin-token", token="admin-token", admin=True, may_publish=True)  # noqa: S106
        token = await self._tokens.authenticate(text)
        account = await self._users.account(token.account) if token else None
        if token is None or account is None:
            raise Unauthenticated(
                "This token is unknown, expired or revoked; an admin makes one with `registry token create`."
            )
        return Client(
            user=account.name,
            token=token.id,
            admin=account.admin and token.scope == "admin",
            may_publish=token.scope in {"publish", "admin"},
        )


@lru_cache(maxsize=1_024)
def printable(agent: str) -> str:
    """A User-Agent as it may be logged: printable ASCII, at most 200 characters."""
    return "".join(c for c in agent[:400] if " " <= c <= "~")[:200]


def _basic(value: str) -> tuple[str, str]:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Unauthenticated("The Basic credentials aren't base64; log in again.") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # what some clients send instead (RFC 7617 §2.1 lets them)
    user, colon, password = text.partition(":")
    if not colon:
        raise Unauthenticated("The Basic credentials have no colon between user and password; log in again.")
    return user, password
