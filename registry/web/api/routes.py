"""The API: endpoints as routes. Who may, is the request sound, run, answer.

There are no cookies: a change needs an Authorization header, JSON, and no foreign page behind it. Errors are
raised; the edge of the server makes problem+json of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from aiohttp import hdrs, web

from registry import __version__
from registry.errors import Forbidden, Malformed, TooLarge, Unauthenticated
from registry.model.events import Client
from registry.web.api import ENDPOINTS
from registry.web.api.desk import Desk
from registry.web.api.openapi import PREFIX, Endpoint, Role, document
from registry.web.same_site import refuse_foreign_pages

Identified = Callable[[web.Request], Awaitable[Client]]
"""A request → who asks; raises Unauthenticated for wrong credentials."""


def api_routes(desk: Desk, identify: Identified, *, read: Literal["anyone", "users"]) -> list[web.RouteDef]:
    """All routes below /api/v1. `read` is who may read packages: what the role `reader` stands for."""
    described = msgspec.json.encode(document(ENDPOINTS, __version__))

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    routes = [_route(endpoint, desk, identify, anyone_reads=read == "anyone") for endpoint in ENDPOINTS]
    return [web.get(f"{PREFIX}/openapi.json", openapi), *routes]


def _route(
    endpoint: Endpoint[Any, Any], desk: Desk, identify: Identified, *, anyone_reads: bool
) -> web.RouteDef:
    async def respond(request: web.Request) -> web.Response:
        client = await identify(request)
        _admit(endpoint.role, client, anyone_reads=anyone_reads)
        if endpoint.method != hdrs.METH_GET:
            refuse_foreign_pages(request)
        answer = await endpoint.run(desk, await _read(endpoint, request), client)
        return web.Response(
            status=endpoint.status,
            body=msgspec.json.encode(answer),
            content_type="application/json",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )

    return web.route(endpoint.method, f"{PREFIX}{endpoint.path}", respond)


def _admit(role: Role, client: Client, *, anyone_reads: bool) -> None:
    if role == "public" or client.admin or (role == "reader" and (client.user or anyone_reads)):
        return
    if client.user is None:
        raise Unauthenticated("This needs credentials; send a token or a password of this appliance.")
    raise Forbidden("This needs an admin; use an admin's password, or a token of scope admin.")


async def _read(endpoint: Endpoint[Any, Any], request: web.Request) -> msgspec.Struct:
    """Path, query and body as the value that the endpoint asks for. Raises Malformed and TooLarge."""
    fields: dict[str, Any] = _of_path(endpoint, request)
    if len(set(request.query)) != len(request.query):
        raise Malformed("A query parameter is given twice; give each once.")
    given = dict(request.query)
    if endpoint.has_body:
        if given:
            raise Malformed("This request takes a JSON body and no query; move the parameters.")
        given = await _body(request, endpoint.largest)
    twice = fields.keys() & given.keys()
    if twice:
        raise Malformed(f"`{min(twice)}` is in the path already; leave it out elsewhere.")
    try:
        # What comes by path and query is text: "20" counts as a number there, and only there.
        ask: msgspec.Struct = msgspec.convert({**fields, **given}, endpoint.ask, strict=endpoint.has_body)
    except msgspec.ValidationError as error:
        raise Malformed(f"The request isn't as /api/v1/openapi.json describes it: {error}.") from None
    return ask


def _of_path(endpoint: Endpoint[Any, Any], request: web.Request) -> dict[str, Any]:
    """The parts of the path as what they stand for: `12` where a number is meant."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(endpoint.ask)}
    try:
        return {
            name: msgspec.convert(text, kinds[name], strict=False)
            for name, text in request.match_info.items()
        }
    except msgspec.ValidationError as error:
        raise Malformed(f"The path isn't as /api/v1/openapi.json describes it: {error}.") from None


async def _body(request: web.Request, largest: int) -> dict[str, Any]:
    # A form of a foreign page can't send this type without being asked for permission first.
    if request.content_type != "application/json":
        raise Malformed("The body has to be JSON, with Content-Type: application/json.")
    body = bytearray()
    async for chunk in request.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > largest:
            raise TooLarge(f"A request to the API has at most {largest} bytes.")
    try:
        found = msgspec.json.decode(bytes(body), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"The body isn't a JSON object: {error}.") from None
    return found
