"""Errors as responses: the status, the reason in every place that some client prints, and nothing else.

pip, uv and twine print the HTTP reason phrase, uv and npm the body, npm the `npm-notice` header. None of them
gets a traceback, a path or a version of ours.
"""

from __future__ import annotations

import logging
import secrets

import msgspec
from aiohttp import hdrs, web

from registry.errors import NotAllowed, Refused, RegistryError, TooMany, Unauthenticated, Unavailable
from registry.model.ecosystem import Ecosystem, RefusalBody

PHRASE = 200
"""Characters of a reason phrase at most."""

journal = logging.getLogger("registry.web")


def phrase(text: str, link: str = "") -> str:
    """A text as a reason phrase: printable ASCII without line breaks, cut so that its link stays whole."""
    text = text.replace(f" (why: {link})", "") if link else text
    tail = f" why={link}" if link else ""
    plain = "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split()))
    room = max(PHRASE - len(tail), 40)
    if len(plain) > room:
        plain = plain[: room - 3].rstrip() + "..."
    return plain + tail


def error_response(error: RegistryError, ecosystem: Ecosystem | None) -> web.Response:
    """An error as this ecosystem's clients print it; problem+json where there is no ecosystem."""
    link = ""
    if isinstance(error, Refused):
        link = error.refusal.why
        body = ecosystem.render_refusal(error.refusal) if ecosystem else problem(error)
    elif ecosystem is not None:
        body = ecosystem.render_error(error.status, error.title, str(error))
    else:
        body = problem(error)
    headers = {hdrs.CONTENT_TYPE: body.content_type, hdrs.CACHE_CONTROL: "no-store", **dict(body.headers)}
    if link:
        headers["X-Registry-Why"] = link
    if isinstance(error, Unauthenticated):
        headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="registry", charset="UTF-8"'
    if isinstance(error, Unavailable | TooMany):
        headers[hdrs.RETRY_AFTER] = str(error.retry_after)
    if isinstance(error, NotAllowed):
        headers[hdrs.ALLOW] = ", ".join(error.methods)
    return web.Response(
        status=error.status, reason=phrase(str(error) or error.title, link), body=body.body, headers=headers
    )


def unexpected(error: Exception) -> RegistryError:
    """What a client is told of a defect of ours: an id to find it in the process log by."""
    incident = secrets.token_hex(8)
    journal.error("unexpected error", exc_info=error, extra={"incident": incident})
    return RegistryError(f"Something went wrong in the appliance; its log has it as {incident}.")


def problem(error: RegistryError) -> RefusalBody:
    """RFC 9457 problem details."""
    document = {"type": "about:blank", "title": error.title, "status": error.status, "detail": str(error)}
    if isinstance(error, Refused):
        document["why"] = error.refusal.why
    return RefusalBody("application/problem+json", msgspec.json.encode(document))
