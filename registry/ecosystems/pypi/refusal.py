"""How a no is told to Python's clients: problem documents, and the tombstone in an index.

uv prints `title` and `detail` of a problem document (RFC 9457), pip and twine print the reason phrase, which
`web/` sets. No client prints what an index door says with a 403; so a refused name gets an index with one
file, the tombstone, whose version says why, and which is refused with the reason when it is asked for.
"""

from __future__ import annotations

import re

import msgspec
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from registry.ecosystems.pypi.names import MAX_FILENAME
from registry.errors import Refused
from registry.model.decisions import Decision, Effect, Refusal
from registry.model.ecosystem import RefusalBody
from registry.model.names import Project

CONTENT_TYPE = "application/problem+json"

_TAGS = "-py3-none-any.whl"
_WORDS = {Effect.DENY: "blocked", Effect.HOLD: "held"}


def render_refusal(refusal: Refusal) -> RefusalBody:
    """A refusal as a problem document, with the address of its explanation as type and as `why`."""
    return _problem(refusal.why, Refused.status, Refused.title, refusal.message, why=refusal.why)


def render_error(status: int, title: str, message: str) -> RefusalBody:
    """Any other failure as a problem document."""
    return _problem("about:blank", status, title, message)


def tombstone_filename(project: Project, decision: Decision) -> str:
    """The name of the one file in a refused name's index: `reqeusts-0+blocked.lookalike.of.requests-…`.

    The local version is what pip shows as "from versions: …" where a pin doesn't match.
    """
    leading = decision.leading
    words = [_WORDS.get(leading.effect, "blocked") if leading else "blocked"]
    if leading:
        words.append(leading.rule)
    if leading and leading.resembles:
        words += ["of", leading.resembles]
    # A local version is runs of letters and digits between dots (PEP 440).
    local = re.sub(r"[^a-z0-9]+", ".", ".".join(words).lower()).strip(".")
    start = f"{project.name.replace('-', '_')}-0+"
    room = MAX_FILENAME - len(start) - len(_TAGS)
    return f"{start}{local[:room].rstrip('.')}{_TAGS}"


def is_tombstone(filename: str) -> bool:
    """Whether a file name is one of a tombstone; neither a source nor an upload may bring such a one."""
    if "0+" not in filename or not filename.endswith(_TAGS) or len(filename) > MAX_FILENAME:
        return False
    try:
        _, version, build, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    word = (version.local or "").partition(".")[0]
    return not build and version.public == "0" and word in _WORDS.values()


def _problem(kind: str, status: int, title: str, detail: str, **more: str) -> RefusalBody:
    document = {"type": kind, "title": title, "status": status, "detail": detail, **more}
    return RefusalBody(CONTENT_TYPE, msgspec.json.encode(document))
