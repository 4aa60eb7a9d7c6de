"""One connection through the door: everything is passed on, and its clocks are watched."""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio import sslproto
from collections.abc import Callable
from typing import cast

from aiohttp import web

from registry.web import tcp
from registry.web.door import Door
from registry.web.pieces import PIECE

TLS_READ = 32 * 1024
"""Bytes that are read at a time over TLS, where each connection keeps as much for as long as it lasts."""
BACKLOG = 1024
_FULL = (
    b"HTTP/1.1 503 Too many connections from this address; close some\r\n"
    b"Content-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
)


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
        if self._look is None and self._transport is not None:
            self._taken, self._received = tcp.acknowledged(self._transport), 0
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
        waiting, taken = tcp.waits(self._transport), tcp.acknowledged(self._transport)
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
            lambda: Guard(door, make()),
            sock=sock,
            ssl=tls,
            # asyncio accepts so many in a row: all of a crowd would be the first worker's.
            backlog=self._at_once,
            ssl_handshake_timeout=door.head_seconds if tls is not None else None,
        )
        sock.listen(BACKLOG)
