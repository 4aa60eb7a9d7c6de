"""A no, and any other error, in the form that npm prints.

npm shows `error` of a JSON body after the address, and the `npm-notice` header of every 4xx; yarn and pnpm
show the reason phrase, which is the web's business.
"""

from __future__ import annotations

import msgspec

from registry.model.decisions import Refusal
from registry.model.ecosystem import RefusalBody

MAX_NOTICE = 400
"""Characters of the `npm-notice` header."""


def render_refusal(refusal: Refusal) -> RefusalBody:
    """A refusal with its rules and the address that explains it."""
    decision = refusal.decision
    leading = decision.leading
    return _body(
        refusal.message,
        {
            "error": refusal.message,
            "id": refusal.id,
            "why": refusal.why,
            "rule": leading.rule if leading else None,
            "rules": sorted({objection.rule for objection in decision.objections}),
            "until": leading.until.isoformat() if leading and leading.until else None,
            "remedy": leading.remedy if leading else "",
        },
    )


def render_error(status: int, title: str, message: str) -> RefusalBody:
    """Any other error; a 404 has no notice: `npm publish` and `npm login` meet one when all is well."""
    body = _body(message, {"error": message, "title": title, "status": status})
    return RefusalBody(body.content_type, body.body) if status == 404 else body


def _body(message: str, document: dict[str, object]) -> RefusalBody:
    # Whatever reached the message (a name, an upstream's words), a header stays one line of printable ASCII.
    notice = "".join(c if c.isascii() and c.isprintable() else "?" for c in " ".join(message.split()))
    return RefusalBody(
        "application/json", msgspec.json.encode(document), (("npm-notice", notice[:MAX_NOTICE]),)
    )
