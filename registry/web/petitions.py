"""Requests to let something pass, for people: the form's address, and a plain page for admins.

Whoever has the link of a refusal may ask. The admins' page asks the browser for a password, and its forms
count only when they come from this very site.
"""

from __future__ import annotations

import msgspec
from aiohttp import hdrs, web

from registry.errors import Forbidden, Malformed, Unauthenticated
from registry.model.events import Client
from registry.pipeline.petition_operations import PetitionOperations
from registry.web.callers import Callers
from registry.web.pages import Pages
from registry.web.same_site import refuse_foreign_pages


class PetitionPages:
    """Asking and answering in a browser."""

    def __init__(self, pages: Pages, petitions: PetitionOperations, callers: Callers) -> None:
        self._pages = pages
        self._petitions = petitions
        self._callers = callers

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.post("/why/{id}/request", self.ask),
            web.get("/requests", self.list),
            web.post("/requests/{number}", self.answer),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """One request; no login needed. JSON for a client that sends or wants it, else back to the page."""
        refuse_foreign_pages(request)
        fields = await _fields(request)
        refusal = request.match_info["id"]
        by = await self._callers(request)
        petition = await self._petitions.ask(refusal, fields.get("message", ""), fields.get("name", ""), by)
        if "application/json" in {request.content_type, request.headers.get(hdrs.ACCEPT)}:
            said = {"id": petition.id, "state": petition.state, "refusal": petition.refusal}
            return web.Response(status=202, body=msgspec.json.encode(said), content_type="application/json")
        return web.Response(status=303, headers={hdrs.LOCATION: f"../{refusal}"})

    async def list(self, request: web.Request) -> web.Response:
        """Those that wait, and the last ones that were answered."""
        _require_admin(await self._callers(request))
        petitions = await self._petitions.petitions()
        return self._pages.page(
            "requests.html",
            above="",
            waiting=[each for each in petitions if each.state == "open"],
            answered=[each for each in petitions if each.state != "open"][:50],
        )

    async def answer(self, request: web.Request) -> web.Response:
        """Grant or decline."""
        by = await self._callers(request)
        _require_admin(by)
        refuse_foreign_pages(request)
        fields = await _fields(request)
        try:
            number, days = int(request.match_info["number"]), int(fields.get("days") or 30)
        except ValueError:
            raise Malformed("Number and days are whole numbers.") from None
        reason = fields.get("reason", "")
        if fields.get("answer") == "grant":
            await self._petitions.grant(number, reason=reason, days=days, by=by)
        elif fields.get("answer") == "decline":
            await self._petitions.decline(number, reason=reason, by=by)
        else:
            raise Malformed("The answer is grant or decline.")
        return web.Response(status=303, headers={hdrs.LOCATION: "../requests"})


def _require_admin(client: Client) -> None:
    if client.admin:
        return
    if client.user is None:
        raise Unauthenticated("This page is for admins; log in as one.")
    raise Forbidden("This page is for admins.")


async def _fields(request: web.Request) -> dict[str, str]:
    """A form's or a JSON object's texts. Raises Malformed."""
    if request.content_length is None or request.content_length > 8_192:
        raise Malformed("A request has at most 8192 bytes, and says so.")
    if request.content_type == "application/json":
        try:
            return msgspec.json.decode(await request.read(), type=dict[str, str])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Malformed(f"The body isn't a JSON object of texts: {error}.") from None
    form = await request.post()
    return {key: value for key, value in form.items() if isinstance(value, str)}
