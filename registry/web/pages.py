"""What people see: the start page with the lines to copy, and why something was refused.

Plain pages without scripts. All text is escaped by the template engine; nothing is cached by proxies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import hdrs, web
from jinja2 import Environment, PackageLoader, StrictUndefined

from registry import __version__
from registry.errors import NotFound
from registry.model.decisions import Decision
from registry.model.ports import Refusals
from registry.pipeline.petition_operations import PetitionOperations
from registry.web.client_lines import CLIENTS, client_lines, commands
from registry.web.site import Site

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: "no-store",
}
ID_LENGTH = 32

Standing = Callable[[Decision], Awaitable[Decision]]
"""A decision of then → what policy says now about the same subject."""


class Pages:
    """The pages for people."""

    def __init__(
        self,
        site: Site,
        refusals: Refusals,
        petitions: PetitionOperations | None = None,
        standing: Standing | None = None,
    ) -> None:
        """`petitions` takes requests to let something pass; `standing` says how a refusal would end now."""
        self._site = site
        self._refusals = refusals
        self._petitions = petitions
        self._standing = standing
        self._templates = Environment(
            loader=PackageLoader("registry.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._style = self._templates.get_template("style.css").render()

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/", self.start),
            web.get("/why/{id}", self.why),
            web.get("/static/style.css", self.style),
        ]

    async def start(self, request: web.Request) -> web.Response:
        """How to point each client here."""
        root = self._site.root(request)
        clients = {client: client_lines(client, root) for client in CLIENTS}
        return self.page("start.html", above="", commands=commands(root), clients=clients)

    async def why(self, request: web.Request) -> web.Response:
        """Which rules refused, what they say, and what to do; never who asked."""
        refusal_id = request.match_info["id"]
        found = await self._refusals.explain(refusal_id) if _is_id(refusal_id) else None
        if found is None:
            raise NotFound("There is no refusal with this id here; the link may be from another appliance.")
        decision, first = found
        if "application/json" in request.headers.get(hdrs.ACCEPT, ""):
            document = {"id": refusal_id, "first": first, "decision": decision}
            return web.Response(
                body=msgspec.json.encode(document), content_type="application/json", headers=SECURITY_HEADERS
            )
        return self.page(
            "why.html",
            above="../",
            decision=decision,
            first=first,
            id=refusal_id,
            now=await self._standing(decision) if self._standing else None,
            petition=await self._petitions.about(refusal_id) if self._petitions else None,
            asks=self._petitions is not None,
        )

    async def style(self, _: web.Request) -> web.Response:
        """The one style sheet."""
        return web.Response(
            text=self._style, content_type="text/css", headers={hdrs.CACHE_CONTROL: "max-age=3600"}
        )

    def page(self, name: str, **values: object) -> web.Response:
        """One of the templates, rendered."""
        text = self._templates.get_template(name).render(version=__version__, **values)
        return web.Response(text=text, content_type="text/html", headers=SECURITY_HEADERS)


def _is_id(text: str) -> bool:
    return len(text) == ID_LENGTH and all(c in "0123456789abcdef" for c in text)
