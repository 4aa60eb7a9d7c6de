"""The two forms of a packument, and which of them a client likes better."""

from __future__ import annotations

from registry.model.indexes import Representation

FULL = Representation("full", "application/json")
INSTALL = Representation("install", "application/vnd.npm.install-v1+json")


def negotiate(accept: str | None) -> Representation:
    """`install` for a client that prefers the abbreviated packument, else `full`; never a 406."""
    weights = dict(_weight(part) for part in (accept or "").lower().split(","))
    wanted = weights.get(INSTALL.content_type, 0.0)
    return INSTALL if wanted > 0 and wanted >= weights.get(FULL.content_type, 0.0) else FULL


def _weight(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return media, float(parameter[2:])
            except ValueError:
                return media, 0.0
    return media, 1.0
