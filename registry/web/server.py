"""The listening side: one application, its limits, and where errors outside the traffic are caught."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, Protocol

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from registry.errors import Malformed, NotAllowed, NotFound, RegistryError
from registry.web.at_hand import AtHand
from registry.web.connection import connections
from registry.web.door import Door
from registry.web.guard import GuardedSite
from registry.web.health import Health, Metrics
from registry.web.pages import Pages
from registry.web.problems import error_response, unexpected
from registry.web.replies import SERVER
from registry.web.site import Site
from registry.web.traffic import Traffic

Application = web.Application
"""What `application` makes, for those who may not name the HTTP library."""

DOOR = web.AppKey("door", Door)
AT_HAND = web.AppKey("at_hand", AtHand)

HEADER_BYTES = 16 * 1024
"""Of a request line and of each header field; tokens and cookies of clients stay far below."""
DRAIN_SECONDS = 30.0
"""How long running downloads may go on after a stop was asked for."""


class Abreast(Protocol):
    """What has to be as all processes of the appliance have it, before a request is answered."""

    @property
    def is_behind(self) -> bool:
        """Whether another process has changed something; asked at every request."""

    async def catch_up(self) -> None:
        """Put it in force here. Raises RegistryError."""


def application(
    *,
    traffic: Traffic,
    at_hand: AtHand,
    ecosystems: Iterable[str],
    pages: Pages,
    health: Health,
    metrics: Metrics,
    site: Site,
    api: Sequence[web.RouteDef],
    abreast: Abreast | None = None,
) -> web.Application:
    """All routes, a second time below the public URL's path where it has one, for a proxy that leaves it on.

    The API brings its own; whatever nobody offers is a 404 of ours. No request is looked at before `abreast`.
    """
    door = Door(trusted=site.trusted)
    app = web.Application(middlewares=[door.watch, _edge(site, abreast)], client_max_size=2**20)
    app[DOOR], app[AT_HAND] = door, at_hand
    app.on_response_prepare.append(_without_versions)
    routes: list[web.RouteDef] = [*pages.routes(), *health.routes(), *api]
    app.router.add_get("/-/npm/v1/attestations/{subject:.*}", traffic.handle_bare)
    # Of a tarball that npm is told to be at its own registry, `npm pack` keeps the path alone (lock_files).
    app.router.add_get("/{name:(@[^/]+/)?[^/]+}/-/{filename:[^/]+\\.tgz}", traffic.handle_bare)
    for name in ecosystems:
        routes.append(web.route("*", f"/{name}/{{below:.*}}", _measured(name, traffic, metrics)))
        routes.append(web.get(f"/{name}", _to_folder(site, f"/{name}/")))
    app.add_routes(routes)
    if site.prefix:
        for each in routes:
            app.router.add_route(each.method, f"{site.prefix}{each.path}", each.handler)
        app.add_routes([web.get(site.prefix, _to_folder(site, "/"))])
    return app


async def listen(
    app: web.Application, sock: socket.socket, tls: ssl.SSLContext | None = None, *, shared: bool = False
) -> web.AppRunner:
    """Serve `app` on a bound socket until the runner's `cleanup()`, which lets downloads finish.

    From a `shared` socket, other processes accept connections too.
    """
    limits: dict[str, Any] = {
        "access_log": None,
        "keepalive_timeout": 75,
        "max_line_size": HEADER_BYTES,
        "max_field_size": HEADER_BYTES,
        "logger": _ServerLog(logging.getLogger("aiohttp.server"), {}),
    }
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=DRAIN_SECONDS, **limits)
    await runner.setup()
    assert runner.server is not None
    make: Callable[[], asyncio.Protocol] = runner.server
    if AT_HAND in app:
        make = connections(runner.server, app[DOOR], app[AT_HAND], limits)
    await GuardedSite(runner, sock, app[DOOR], make, tls, shared=shared).start()
    return runner


def _measured(name: str, traffic: Traffic, metrics: Metrics) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        began = perf_counter()
        response = await traffic.handle(request)
        cache = response.headers.get("X-Cache", "")
        metrics.count(name, request.method, response.status, cache, began)
        return response

    return handle


class _ServerLog(logging.LoggerAdapter[logging.Logger]):
    """What the HTTP library says: a request that can't be parsed is its client's mistake, and fills no log
    with tracebacks."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        """A failure outside all handlers."""
        if isinstance(exc_info, HttpProcessingError):
            self.info(msg, *args)
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)


async def _without_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = SERVER


def _own_path(request: web.Request) -> None:
    """Refuse absolute-form targets and `//host/…`: their host is never ours to use."""
    if not request.raw_path.startswith("/") or request.raw_path.startswith("//"):
        raise Malformed("The request target isn't a path of this appliance.")


def _to_folder(site: Site, path: str) -> Handler:
    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=308, headers={"Location": f"{site.root(request)}{path}"})

    return redirect


def _edge(site: Site, abreast: Abreast | None) -> Middleware:
    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _own_path(request)
            site.root(request)
            if abreast is not None and abreast.is_behind:
                await abreast.catch_up()
            return await handler(request)
        except RegistryError as error:
            return error_response(error, None)
        except web.HTTPMethodNotAllowed:
            return error_response(NotAllowed("That method isn't offered here."), None)
        except web.HTTPNotFound:
            return error_response(NotFound("There is nothing at this address; the start page is at /."), None)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:  # noqa: BLE001  the edge: a defect becomes a 500 with an id
            return error_response(unexpected(error), None)

    return edge
