"""The door in front of the HTTP library: bounds that it doesn't have itself.

    head        line and headers of a request are here 15 seconds after the connection, or their first byte
    connections from one address at a time are bounded; the next one is told 503 and closed
    rate        who takes less of an answer, or sends less of a body, than a kilobyte a second for a minute is
                dropped

A connection that rests between two requests is the library's business (keep-alive).
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import sys
from asyncio import sslproto
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from registry.settings.kinds import Network
from registry.web.pieces import PIECE

HEAD_SECONDS = 15.0
PER_ADDRESS = 600
"""Connections from one address: hundreds of jobs behind one NAT are normal, thousands aren't."""
SLOW_SECONDS = 60.0
SLOWEST = 1024
"""Bytes a second that a client takes at least while bytes wait for it, and sends while a body of its own is
waited for, measured over SLOW_SECONDS."""

READ = 256 * 1024
"""Bytes that are read from a connection at a time, at most."""
TLS_READ = 32 * 1024
"""The same over TLS, where each connection keeps as much for as long as it lasts."""
BACKLOG = 1024
GONE = 499
"""The status in the metrics of a request whose client left before the answer."""

_TIOCOUTQ = 0x5411
_FULL = (
    b"HTTP/1.1 503 Too many connections from this address; close some\r\n"
    b"Content-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
)


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
        self._guards: dict[int, Guard] = {}
        self.buffer = memoryview(bytearray(READ))

    @property
    def connections(self) -> int:
        """Those that are open."""
        return len(self._guards)

    def guarded(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.BaseProtocol]:
        """A protocol factory whose connections go through this door."""
        return lambda: Guard(self, make())

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

    def enter(self, guard: Guard, transport: asyncio.BaseTransport) -> bool:
        """Let a connection in, unless its address has too many."""
        address = guard.address
        if address and not self._is_trusted(address) and self._open[address] >= self._per_address:
            return False
        self._open[address] += 1
        self._guards[id(transport)] = guard
        return True

    def leave(self, guard: Guard, transport: asyncio.BaseTransport) -> None:
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


class Guard(asyncio.BufferedProtocol):
    """One connection: passes everything on, and watches its clock."""

    def __init__(self, door: Door, inner: asyncio.Protocol) -> None:
        self._door = door
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._let_in = False
        self._answering = 0
        self._begun = 0
        """Requests whose head was complete; one may be answered while its bytes are passed on."""
        self._heard_meanwhile = False
        self._head: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._taken = 0
        self._received = 0
        """Bytes since the last look."""
        self.address = ""

    # what the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, and wait for the first head."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=PIECE)  # its own is up to half a megabyte
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        self._let_in = self._door.enter(self, transport)
        if not self._let_in:
            self._transport.write(_FULL)
            self._transport.close()
            return
        self._expect_head()
        self._inner.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - what the loop asks
        """Where the next bytes are put: one place for all connections, since they are passed on at once. (A
        buffer for each read would be mapped and unmapped by the kernel each time.)"""
        return self._door.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass them on; the first bytes between two requests begin a head."""
        if not self._let_in:
            return
        self._received += nbytes
        data = bytes(self._door.buffer[:nbytes])
        if self._answering:
            self._heard_meanwhile = True
            self._inner.data_received(data)
            return
        begun = self._begun
        self._inner.data_received(data)
        if self._begun == begun and self._head is None:
            self._expect_head()

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self._let_in else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        if not self._let_in or self._transport is None:
            return
        self._stop_head()
        self._stop_looking()
        self._door.leave(self, self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    # what the server says

    def request_began(self) -> None:
        """The head is here."""
        self._answering += 1
        self._begun += 1
        self._heard_meanwhile = False
        self._stop_head()
        if self._look is None:
            self._taken, self._received = self._delivered(), 0
            self._look = self._later(self._door.slow_seconds, self._judge)

    def request_ended(self) -> None:
        """An answer is made; what was heard meanwhile may be the beginning of the next head."""
        self._answering = max(0, self._answering - 1)
        if not self._answering and self._heard_meanwhile and self._head is None:
            self._expect_head()

    # the clocks

    def _expect_head(self) -> None:
        self._head = self._later(self._door.head_seconds, self._give_up)

    def _stop_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _give_up(self) -> None:
        self._head = None
        if self._transport is not None and not self._answering:
            self._transport.abort()

    def _judge(self) -> None:
        """Drop a client for whom bytes wait and who took too few of them since the last look, or who sent too
        few of a body that is waited for."""
        self._look = None
        if self._transport is None or self._transport.is_closing():
            return
        waiting, taken = self._waiting(), self._delivered()
        least = self._door.slowest * self._door.slow_seconds
        slow = (waiting and taken - self._taken < least) or (self._lacks_body() and self._received < least)
        self._taken, self._received = taken, 0
        if slow:
            self._transport.abort()
        elif waiting or self._answering:
            self._look = self._later(self._door.slow_seconds, self._judge)

    def _lacks_body(self) -> bool:
        """Whether a request is under way whose body isn't all here, and the client could send more of it."""
        request = getattr(self._inner, "_current_request", None)
        if not self._answering or request is None or self._transport is None:
            return False
        return not request.content.is_eof() and self._transport.is_reading()

    def _waiting(self) -> bool:
        """Whether bytes lie in our buffer or the kernel's that the client hasn't taken."""
        if self._transport is None:
            return False
        if self._transport.get_write_buffer_size():
            return True
        connection = self._socket()
        if connection is None:
            return False
        try:
            queued = fcntl.ioctl(connection.fileno(), _TIOCOUTQ, b"\0\0\0\0")
        except OSError:
            return False
        return bool(struct.unpack("i", queued)[0])

    def _delivered(self) -> int:
        """Bytes that the client's machine has acknowledged, as Linux counts them (tcpi_bytes_acked)."""
        connection = self._socket()
        if connection is None:
            return 0
        try:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        except OSError:
            return 0
        return int(struct.unpack_from("Q", info, 120)[0]) if len(info) >= 128 else 0

    def _socket(self) -> socket.socket | None:
        if sys.platform != "linux" or self._transport is None:
            return None
        found = self._transport.get_extra_info("socket")
        return cast("socket.socket", found) if found is not None and found.fileno() >= 0 else None

    def _later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, call)


class GuardedSite(web.SockSite):
    """A listening socket whose connections go through a door."""

    def __init__(
        self,
        runner: web.BaseRunner,
        sock: socket.socket,
        door: Door,
        make: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        *,
        shared: bool = False,
    ) -> None:
        """`make` makes what is behind the door for each connection; a `shared` socket has other processes
        that accept from it."""
        self._at_once = 1 if shared else BACKLOG
        super().__init__(runner, sock, backlog=BACKLOG, ssl_context=tls)
        if tls is not None:
            sslproto.SSLProtocol.max_size = TLS_READ
        self._guarded = (door, make, sock, tls)

    async def start(self) -> None:
        """Begin to accept."""
        await web.BaseSite.start(self)
        door, make, sock, tls = self._guarded
        self._server = await asyncio.get_running_loop().create_server(
            door.guarded(make),
            sock=sock,
            ssl=tls,
            # asyncio accepts so many in a row: all of a crowd would be the first worker's.
            backlog=self._at_once,
            ssl_handshake_timeout=door.head_seconds if tls is not None else None,
        )
        sock.listen(BACKLOG)
