"""No page of another site may change anything here with a browser's help."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import hdrs, web

from registry.errors import Forbidden


def refuse_foreign_pages(request: web.Request) -> None:
    """A browser says which page a request comes from; a change may come from none but our own."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get(hdrs.ORIGIN)
    foreign = site not in {None, "same-origin", "none"} or (
        site is None and origin is not None and urlsplit(origin).netloc != request.host
    )
    if foreign:
        raise Forbidden(
            "This change was asked for by a page of another site; use the command or our own page."
        )
