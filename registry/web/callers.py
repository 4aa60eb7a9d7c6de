"""Who is behind a request: its credentials, and the address that it really came from."""

from __future__ import annotations

from aiohttp import hdrs

from registry.identity.identify import Identify
from registry.model.events import Client
from registry.web.heads import Head
from registry.web.site import Site


class Callers:
    """Names the client of a request, the same way at every door."""

    def __init__(self, identify: Identify, site: Site) -> None:
        self._identify = identify
        self._site = site

    async def __call__(self, request: Head) -> Client:
        """The client; anonymous without credentials. Raises Unauthenticated for wrong ones."""
        headers = request.headers
        return await self._identify(
            headers.get(hdrs.AUTHORIZATION), self._site.address(request), headers.get(hdrs.USER_AGENT, "")
        )

    def at_once(self, request: Head) -> Client | None:
        """The client, where that can be said without waiting: anonymous, or identified a moment ago."""
        headers = request.headers
        return self._identify.at_once(
            headers.get(hdrs.AUTHORIZATION), self._site.address(request), headers.get(hdrs.USER_AGENT, "")
        )
