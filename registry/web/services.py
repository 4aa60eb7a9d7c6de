"""What npm's command line asks of a registry besides packages: itself, its users, audits, keys, search."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from aiohttp import hdrs, web
from isal import isal_zlib

from registry.errors import Forbidden, Malformed, NotAllowed, NotFound, TooLarge, Unauthenticated, Unavailable
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.model.accounts import Token
from registry.model.asks import ProvenanceAsk, SearchAsk, ServiceAsk
from registry.model.events import Client
from registry.pipeline.attesting import Attesting
from registry.pipeline.auditing import Auditing
from registry.pipeline.searching import Searching

LOGIN_DAYS = 90
"""How long the token of an `npm login` lasts."""
LOGIN_BYTES = 64 * 1024
AUDIT_BYTES = 8 * 2**20
"""Of an audit's question, unpacked; a tree of 20,000 packages fills one megabyte."""
_GZIP = 31


class _Login(msgspec.Struct):
    """The CouchDB user document of a legacy login."""

    name: str
    password: str


class _NewToken(msgspec.Struct):
    """What `npm token create` sends."""

    password: str
    readonly: bool = False
    name: str | None = None
    expires: int | None = None
    """Days."""
    packages_and_scopes_permission: str | None = None
    packages: list[str] | None = None
    scopes: list[str] | None = None
    orgs: list[str] | None = None
    cidr_whitelist: list[str] | None = None

    @property
    def only_reads(self) -> bool:
        """Whether it is to be good for nothing else."""
        return self.readonly or self.packages_and_scopes_permission == "read-only"


class Services:
    """Small answers about the client itself."""

    def __init__(
        self,
        users: Users,
        tokens: Tokens,
        *,
        auditing: Auditing,
        attesting: Attesting,
        searching: Searching,
    ) -> None:
        self._users = users
        self._tokens = tokens
        self._auditing = auditing
        self._attesting = attesting
        self._searching = searching

    async def answer(self, request: web.Request, ask: ServiceAsk, client: Client) -> web.Response:
        """Answer one of them. Raises Unauthenticated, Malformed, NotFound for what isn't offered."""
        match ask.service:
            case "ping":
                return web.json_response({})
            case "whoami":
                return web.json_response({"username": _named(client)})
            case "login":
                return await self._login(request, ask, client)
            case "logout":
                return await self._logout(ask, client)
            case "profile":
                return web.json_response({"name": _named(client), "tfa": False})
            case "tokens":
                return await self._list(client)
            case "make-token":
                return await self._make(request, client)
            case "end-token":
                return await self._end(ask, client)
            case "keys":
                return _json(await self._attesting.keys())
            case "audit":
                return await self._audit(request, ask)

    async def search(self, ask: SearchAsk, root: str) -> web.Response:
        """A page of search results."""
        return _json(await self._searching.search(ask, root))

    async def attestations(self, ask: ProvenanceAsk) -> web.Response:
        """What the upstream attests of a version that policy lets through. Raises NotFound."""
        return _json(await self._attesting.attestations(ask))

    async def _audit(self, request: web.Request, ask: ServiceAsk) -> web.Response:
        try:
            return _json(await self._auditing.audit(ask.subject, await _unpacked(request)))
        except Unavailable as error:
            if request.headers.get("npm-command") == "audit":
                raise
            # An install asks in passing: it goes on without, and isn't told so at every turn.
            return web.json_response({"error": str(error)}, status=error.status)

    async def _login(self, request: web.Request, ask: ServiceAsk, client: Client) -> web.Response:
        if request.method != hdrs.METH_PUT:
            raise NotAllowed("A login is a PUT.", ["PUT"])
        body = await _small(request)
        try:
            login = msgspec.json.decode(body, type=_Login)
        except msgspec.MsgspecError:
            raise Malformed("A login is a JSON document with name and password.") from None
        if login.name != ask.subject:
            raise Malformed("The login names two users: one in the path, another in the document.")
        account = await self._users.authenticate(login.name, login.password, address=client.address)
        if account is None:
            raise Unauthenticated(
                "The user name or the password is wrong; an admin makes accounts with `registry user add`."
            )
        actor = msgspec.structs.replace(client, user=account.name)
        _, secret = await self._tokens.create(
            account.name, note="npm login", scope="publish", days=LOGIN_DAYS, by=actor
        )
        return web.json_response(
            {"ok": True, "id": f"org.couchdb.user:{account.name}", "token": secret}, status=201
        )

    async def _logout(self, ask: ServiceAsk, client: Client) -> web.Response:
        _named(client)
        token = await self._tokens.authenticate(ask.subject)
        if token is None or token.account != client.user:
            raise NotFound("There is no such token of yours.")
        await self._tokens.revoke(token.id, by=client)
        return web.json_response({"ok": True})

    async def _list(self, client: Client) -> web.Response:
        user = _named(client)
        objects = [_told(token) for token in await self._tokens.list(user) if token.revoked is None]
        return web.json_response({"objects": objects, "urls": {}})

    async def _make(self, request: web.Request, client: Client) -> web.Response:
        """A token for whoever is logged in and knows the password, like a login's but for its scope."""
        user = _named(client)
        try:
            wanted = msgspec.json.decode(await _small(request), type=_NewToken)
        except msgspec.MsgspecError:
            raise Malformed(
                "A new token is asked for by a JSON document with the account's password."
            ) from None
        if await self._users.authenticate(user, wanted.password, address=client.address) is None:
            # No 401: npm would ask for a one-time password.
            raise Forbidden("The password is wrong, so no token was made.")
        if wanted.packages or wanted.scopes or wanted.orgs or wanted.cidr_whitelist:
            raise Malformed(
                "Tokens here can't be limited to packages, scopes, organisations or networks, so none was "
                "made; --read-only (npm 10) or --packages-and-scopes-permission=read-only (npm 11) makes one "
                "that only reads."
            )
        scope: Literal["read", "publish"] = "read" if wanted.only_reads else "publish"
        days = wanted.expires or LOGIN_DAYS
        token, secret = await self._tokens.create(
            user, note=wanted.name or "npm token create", scope=scope, days=days, by=client
        )
        return web.json_response({**_told(token), "token": secret}, status=201)

    async def _end(self, ask: ServiceAsk, client: Client) -> web.Response:
        user = _named(client)
        named = await self._tokens.authenticate(ask.subject)
        key = named.id if named is not None else ask.subject
        if not any(token.id == key and token.revoked is None for token in await self._tokens.list(user)):
            raise NotFound("There is no such token of yours.")
        await self._tokens.revoke(key, by=client)
        return web.json_response({"ok": True})


def _told(token: Token) -> dict[str, Any]:
    """A token as npm lists it, without its secret."""
    return {
        "key": token.id,
        "token": f"rgt_{token.id}",
        "readonly": token.scope == "read",
        "cidr_whitelist": None,
        "created": token.created.isoformat(),
    }


async def _small(request: web.Request) -> bytes:
    """The body of a document with a password in it."""
    body = b""
    async for chunk in request.content.iter_chunked(LOGIN_BYTES):  # one may come in several segments
        body += chunk
        if len(body) > LOGIN_BYTES:
            raise TooLarge("A document with a name and a password is smaller than this one.")
    return body


def _json(body: bytes) -> web.Response:
    return web.Response(
        body=body, content_type="application/json", headers={hdrs.CACHE_CONTROL: "private, no-cache"}
    )


async def _unpacked(request: web.Request) -> bytes:
    """A body, out of its gzip where it has one (npm codes its audits), within bounds."""
    body = await request.content.read(AUDIT_BYTES + 1)
    while len(body) <= AUDIT_BYTES and (more := await request.content.read(AUDIT_BYTES)):
        body += more
    if body[:2] == b"\x1f\x8b":
        inflate = isal_zlib.decompressobj(wbits=_GZIP)
        try:
            body = inflate.decompress(body, AUDIT_BYTES + 1)
        except isal_zlib.error:  # type: ignore[misc]  # its stub says instance
            raise Malformed("The audit isn't valid gzip.") from None
        if len(body) <= AUDIT_BYTES and not inflate.eof:
            raise Malformed("The audit's gzip ends too early.")
    if len(body) > AUDIT_BYTES:
        raise TooLarge(f"An audit has at most {AUDIT_BYTES >> 20} MiB.")
    return body


def _named(client: Client) -> str:
    if client.user is None:
        raise Unauthenticated("You aren't logged in; use `npm login` or a token.")
    return client.user
