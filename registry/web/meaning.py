"""What a packaging client's request means: its ask, the form it wants the answer in, whether it may ask."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from aiohttp import hdrs

from registry.errors import Unauthenticated
from registry.model.asks import Ask, IndexAsk, ProjectsAsk, ServiceAsk
from registry.model.ecosystem import Ecosystem
from registry.model.events import Client
from registry.model.indexes import Representation
from registry.model.targets import Target, parse_target
from registry.web.heads import Head
from registry.web.lock_files import PortableLocks

READING = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
REMEMBERED = 4_096
"""Paths and Accept headers that were taken apart and are kept so; a few megabytes at most."""

ANONYMOUS = frozenset({"ping", "login"})
"""Services that need no login, also where only users may read."""


class Meaning:
    """The same for all requests, and pure: what everyone who installs the same asks is taken apart once."""

    def __init__(
        self,
        ecosystems: Mapping[str, Ecosystem],
        read: Literal["anyone", "users"],
        locks: PortableLocks | None = None,
    ) -> None:
        """Without `locks`, npm's lock files name this appliance."""
        self.ecosystems = ecosystems
        self._read = read
        self._locks = locks
        self._parsed = lru_cache(REMEMBERED)(self._parse)
        self._negotiated = lru_cache(REMEMBERED)(self._negotiate)

    def ask(self, ecosystem: Ecosystem, method: str, below: str) -> tuple[Target, Ask]:
        """A path below the ecosystem's, with its query, taken apart. Raises Malformed, NotFound."""
        read = self._parsed if method in READING else self._parse
        return read(ecosystem.name, method, below)

    def representation(
        self, ecosystem: Ecosystem, ask: IndexAsk | ProjectsAsk, request: Head
    ) -> Representation:
        """The form that the client accepts best, by the address where that says it. Raises NotAcceptable."""
        form = self._negotiated(ecosystem.name, ask.accept or accepted(request))
        return form if self._locks is None or ecosystem.name != "npm" else self._locks.told(request, form)

    def vary(self, ecosystem: Ecosystem) -> str:
        """The headers that the form of an index depends on."""
        depends = "Accept, Accept-Encoding"
        return depends if self._locks is None or ecosystem.name != "npm" else f"{depends}, User-Agent"

    def require_reader(self, ask: Ask, client: Client) -> None:
        """Raises Unauthenticated where only users may read, and this is none."""
        if self._read == "anyone" or client.user is not None:
            return
        if isinstance(ask, ServiceAsk) and ask.service in ANONYMOUS:
            return
        raise Unauthenticated("This appliance is for its users only; log in, or ask an admin for an account.")

    def _parse(self, ecosystem: str, method: str, below: str) -> tuple[Target, Ask]:
        target = parse_target(method, below)
        return target, self.ecosystems[ecosystem].parse_ask(target)

    def _negotiate(self, ecosystem: str, accept: str | None) -> Representation:
        return self.ecosystems[ecosystem].negotiate(accept)


def accepted(request: Head) -> str | None:
    """All Accept headers as one, or None without any."""
    values = request.headers.getall(hdrs.ACCEPT, [])
    return ", ".join(values) if values else None


def cache_control(request: Head) -> str:
    """How long others may keep the answer: never unasked, and not for others where it was for somebody."""
    return "private, no-cache" if hdrs.AUTHORIZATION in request.headers else "no-cache"


def is_publishing(request: Head) -> bool:
    """Whether npm reads what is there because it is about to publish."""
    return request.headers.get("npm-command") == "publish"
