"""The forms of an index, and which of them a client likes best (PEP 691, RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from registry.errors import NotAcceptable
from registry.model.indexes import Representation

JSON = Representation("json", "application/vnd.pypi.simple.v1+json")
HTML = Representation("html", "text/html; charset=utf-8")
VERSIONED_HTML = Representation("html-v1", "application/vnd.pypi.simple.v1+html; charset=utf-8")
REPRESENTATIONS = (JSON, HTML, VERSIONED_HTML)

_OFFERS = (
    ("application/vnd.pypi.simple.v1+json", JSON),
    ("application/vnd.pypi.simple.latest+json", JSON),
    ("application/vnd.pypi.simple.v1+html", VERSIONED_HTML),
    ("application/vnd.pypi.simple.latest+html", VERSIONED_HTML),
    ("text/html", HTML),
)
"""Media types and their representations, the one we like to send most first."""

_QVALUE = re.compile(r"0(\.[0-9]*)?|1(\.0*)?")


def negotiate(accept: str | None) -> Representation:
    """An Accept header → the representation (PEP 691, RFC 9110). Raises NotAcceptable.

    HTML where the client doesn't care. Between equals the type that it spelled out wins, then JSON.
    """
    if accept is None or not accept.strip():
        return HTML
    ranges = dict(_media_ranges(accept))

    def liking(offer: tuple[str, Representation]) -> tuple[float, int, bool]:
        quality, precision = _preference(ranges, offer[0])
        return quality, precision, precision == 0 and offer[1] is HTML

    chosen = max(_OFFERS, key=liking)
    if liking(chosen)[0] == 0:
        raise NotAcceptable(f"The index comes as {', '.join(offer[0] for offer in _OFFERS[::2])} only.")
    return chosen[1]


def _media_ranges(accept: str) -> Iterable[tuple[str, float]]:
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        named = dict(parameter.partition("=")[::2] for parameter in parameters)
        quality = named.get("q", "1").strip()
        if _QVALUE.fullmatch(quality):
            yield media_range, float(quality)


def _preference(ranges: Mapping[str, float], media_type: str) -> tuple[float, int]:
    """How much a client likes a media type, and how precisely it said so: 2 by name, 1 `text/*`, 0 `*/*`."""
    for precision, name in ((2, media_type), (1, f"{media_type.partition('/')[0]}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], precision
    return 0.0, 0
