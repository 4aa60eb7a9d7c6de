"""npm's lock files without our address.

npm writes down where each tarball came from as the packument tells it. Told the address of the registry that
npm takes for its own, it comes here all the same: instead of that host, npm asks whatever registry it is set
to (`replace-registry-host`). pnpm, yarn and bun would go there, so they are told where the tarballs are.
"""

from __future__ import annotations

import re

import msgspec
from aiohttp import hdrs

from registry.model.indexes import Representation
from registry.web.heads import Head

SINCE = 10
"""The oldest npm that is known to do so; older ones get our own addresses."""

_NPM = re.compile(r"npm/([0-9]{1,4})\.")


class PortableLocks:
    """Says to npm what makes its lock files portable."""

    def __init__(self, files: str) -> None:
        """`files` is the base URL of the registry that npm takes for its own."""
        self._files = files.rstrip("/")

    def told(self, request: Head, representation: Representation) -> Representation:
        """The form of a packument for the client that asks."""
        client = _NPM.match(request.headers.get(hdrs.USER_AGENT, ""))
        if client is None or int(client[1]) < SINCE:
            return representation
        return msgspec.structs.replace(representation, files=self._files)
