"""The door in front of the HTTP library: bounds that it doesn't have itself.

    head        line and headers of a request are here 15 seconds after the connection, or their first byte
    connections from one address at a time are bounded; the next one is told 503 and closed
    rate        who takes less of an answer, or sends less of a body, than a kilobyte a second for a minute is
                dropped

A connection that rests between two requests is the library's business (keep-alive).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import ip_address
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from registry.settings.kinds import Network

HEAD_SECONDS = 15.0
PER_ADDRESS = 600
"""Connections from one address: hundreds of jobs behind one NAT are normal, thousands aren't."""
SLOW_SECONDS = 60.0
SLOWEST = 1024
"""Bytes a second that a client takes at least while bytes wait for it, and sends while a body of its own is
waited for, measured over SLOW_SECONDS."""

READ = 256 * 1024
"""Bytes that are read from a plain connection at a time, at most."""
GONE = 499
"""The status in the metrics of a request whose client left before the answer."""


class Watched(Protocol):
    """A connection that the door watches."""

    @property
    def address(self) -> str:
        """Of its client; empty where nobody knows."""

    def request_began(self) -> None:
        """A request's head is complete."""

    def request_ended(self) -> None:
        """Its answer was made."""


class Door:
    """What all connections of a server share."""

    def __init__(
        self,
        *,
        trusted: tuple[Network, ...] = (),
        head_seconds: float = HEAD_SECONDS,
        per_address: int = PER_ADDRESS,
        slow_seconds: float = SLOW_SECONDS,
        slowest: int = SLOWEST,
    ) -> None:
        """`trusted` are proxies, which bring the connections of many."""
        self.head_seconds = head_seconds
        self.slow_seconds = slow_seconds
        self.slowest = slowest
        self._trusted = trusted
        self._per_address = per_address
        self._open: Counter[str] = Counter()
        self._guards: dict[int, Watched] = {}
        self.buffer = memoryview(bytearray(READ))

    @property
    def connections(self) -> int:
        """Those that are open."""
        return len(self._guards)

    @property
    def watch(self) -> Middleware:
        """The application's outermost middleware: tells when a head is complete and an answer made."""

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            transport = request.transport
            self.began(transport)
            try:
                return await handler(request)
            except ConnectionError:
                if transport is not None and not transport.is_closing():
                    raise
                return web.Response(status=GONE)  # for nobody: the client has left
            finally:
                self.ended(transport)

        return watch

    def began(self, transport: asyncio.BaseTransport | None) -> None:
        """A request's head is complete on this connection."""
        guard = self._guards.get(id(transport))
        if guard is not None:
            guard.request_began()

    def ended(self, transport: asyncio.BaseTransport | None) -> None:
        """Its answer was made."""
        guard = self._guards.get(id(transport))
        if guard is not None:
            guard.request_ended()

    def enter(self, guard: Watched, transport: asyncio.BaseTransport) -> bool:
        """Let a connection in, unless its address has too many."""
        address = guard.address
        if address and not self._is_trusted(address) and self._open[address] >= self._per_address:
            return False
        self._open[address] += 1
        self._guards[id(transport)] = guard
        return True

    def leave(self, guard: Watched, transport: asyncio.BaseTransport) -> None:
        """A connection that was let in has ended."""
        self._guards.pop(id(transport), None)
        self._open[guard.address] -= 1
        if self._open[guard.address] <= 0:
            del self._open[guard.address]

    def _is_trusted(self, address: str) -> bool:
        try:
            known = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(known in network for network in self._trusted)
