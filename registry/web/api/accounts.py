"""Users and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from registry.model.accounts import Account, Token
from registry.model.events import Client
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import ById, ByName, Paged, page


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account to make."""

    name: str
    password: str
    admin: bool = False


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another password for an account."""

    name: str
    password: str


class TokensAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which tokens."""

    account: str | None = None


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A token to make."""

    account: str
    note: str = ""
    scope: Literal["read", "publish", "admin"] = "publish"
    days: int | None = None
    """For how long; for ever when left out."""


class TokenShown(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret."""

    id: str
    account: str
    note: str
    scope: Literal["read", "publish", "admin"]
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    @classmethod
    def of(cls, token: Token) -> TokenShown:
        """A token as anybody may see it."""
        return cls(
            id=token.id,
            account=token.account,
            note=token.note,
            scope=token.scope,
            created=token.created,
            expires=token.expires,
            revoked=token.revoked,
        )


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, with the one and only sight of its text."""

    token: TokenShown
    text: str


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts, by name."""

    items: tuple[Account, ...]
    next: int | None


class TokenPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, newest first."""

    items: tuple[TokenShown, ...]
    next: int | None


async def _users_list(desk: Desk, ask: Paged, _: Client) -> AccountPage:
    items, following = page(await desk.users.list(), ask)
    return AccountPage(items=items, next=following)


async def _users_add(desk: Desk, ask: NewUser, by: Client) -> Account:
    return await desk.users.add(ask.name, ask.password, admin=ask.admin, by=by)


async def _users_passwd(desk: Desk, ask: NewPassword, by: Client) -> Account:
    return await desk.users.passwd(ask.name, ask.password, by=by)


async def _users_remove(desk: Desk, ask: ByName, by: Client) -> Account:
    return await desk.users.remove(ask.name, by=by)


async def _tokens_list(desk: Desk, ask: TokensAsk, _: Client) -> TokenPage:
    items, following = page(await desk.tokens.list(ask.account), ask)
    return TokenPage(items=tuple(map(TokenShown.of, items)), next=following)


async def _tokens_create(desk: Desk, ask: NewToken, by: Client) -> TokenMade:
    token, text = await desk.tokens.create(ask.account, note=ask.note, scope=ask.scope, days=ask.days, by=by)
    return TokenMade(token=TokenShown.of(token), text=text)


async def _tokens_revoke(desk: Desk, ask: ById, by: Client) -> TokenShown:
    return TokenShown.of(await desk.tokens.revoke(ask.id, by=by))


ACCOUNTS_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint("GET", "/users", "All accounts", Paged, AccountPage, _users_list),
    Endpoint("POST", "/users", "Make an account", NewUser, Account, _users_add, status=201),
    Endpoint(
        "PUT",
        "/users/{name}/password",
        "Give an account another password",
        NewPassword,
        Account,
        _users_passwd,
    ),
    Endpoint(
        "DELETE",
        "/users/{name}",
        "Remove an account and revoke its tokens",
        ByName,
        Account,
        _users_remove,
    ),
    Endpoint(
        "GET",
        "/tokens",
        "All tokens, or those of one account",
        TokensAsk,
        TokenPage,
        _tokens_list,
    ),
    Endpoint(
        "POST",
        "/tokens",
        "Make a token; its text is in this answer only",
        NewToken,
        TokenMade,
        _tokens_create,
        status=201,
    ),
    Endpoint("DELETE", "/tokens/{id}", "Revoke a token", ById, TokenShown, _tokens_revoke),
)
