"""What npm's command line asks of a registry besides packages: ping, whoami, login, logout, tokens."""

from __future__ import annotations

import msgspec
from aiohttp import hdrs, web

from registry.errors import Malformed, NotAllowed, NotFound, Unauthenticated
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.model.asks import ServiceAsk
from registry.model.events import Client

LOGIN_DAYS = 90
"""How long the token of an `npm login` lasts."""
LOGIN_BYTES = 64 * 1024


class _Login(msgspec.Struct):
    """The CouchDB user document of a legacy login."""

    name: str
    password: str


class Services:
    """Small answers about the client itself."""

    def __init__(self, users: Users, tokens: Tokens) -> None:
        self._users = users
        self._tokens = tokens

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
            case "tokens":
                return await self._list(client)
            case _:
                raise NotFound("This appliance doesn't offer that service.")

    async def _login(self, request: web.Request, ask: ServiceAsk, client: Client) -> web.Response:
        if request.method != hdrs.METH_PUT:
            raise NotAllowed("A login is a PUT.")
        body = await request.content.read(LOGIN_BYTES)
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
        objects = [
            {
                "key": token.id,
                "token": f"rgt_{token.id}",
                "readonly": token.scope == "read",
                "created": token.created.isoformat(),
            }
            for token in await self._tokens.list(user)
            if token.revoked is None
        ]
        return web.json_response({"objects": objects, "urls": {}})


def _named(client: Client) -> str:
    if client.user is None:
        raise Unauthenticated("You aren't logged in; use `npm login` or a token.")
    return client.user
