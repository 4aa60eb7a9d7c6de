"""One client's connection: what is at hand is answered as soon as its head is read.

There is one parser, the HTTP library's, and one order: while a file is being handed over, requests that come
meanwhile wait in the library's own queue. Whenever the short way doesn't lead to an answer, the request is
given to the application as if nobody had looked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, hdrs, web
from aiohttp.http_parser import RawRequestMessage

from registry.errors import RegistryError
from registry.web.at_hand import AtHand, Delivery, Filed, Given
from registry.web.door import Door
from registry.web.files import SMALL, open_file, read_span, send_span
from registry.web.heads import BareHead
from registry.web.opened import OpenFile
from registry.web.pieces import PIECE, push_body
from registry.web.ranges import Span
from registry.web.sendfile import Sending, Take, cork, from_file, from_memory, is_plain

TOGETHER = PIECE
"""Bytes of a body up to which it is copied behind its head, which is cheaper than a second system call."""

journal = logging.getLogger("registry.web")


class _Turn(NamedTuple):
    """A request that is being answered here, and what its end needs."""

    message: RawRequestMessage
    given: Given
    waiter: asyncio.Future[None]
    """The application's: done when there is something for it to do."""


class Connection(web.RequestHandler):
    """The library's own, which it is in all that isn't said here."""

    def __init__(
        self,
        server: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        door: Door,
        at_hand: AtHand,
        **limits: Any,
    ) -> None:
        super().__init__(server, loop=loop, **limits)
        self._server = server
        self._door = door
        self._look = at_hand.look
        self._count = at_hand.count
        self._secure = False
        self._remote: str | None = None
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note what is the same for all of its requests."""
        super().connection_made(transport)
        peer = self.peername
        self._secure = self.ssl_context is not None
        self._remote = str(peer[0]) if isinstance(peer, tuple) else peer

    def data_received(self, data: bytes) -> None:
        """Have it parsed; a request that came whole, while nothing else is under way, may be answered now."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages or not data.endswith(b"\r\n\r\n"):
            super().data_received(data)
            return
        self._waiter = None  # so that nobody is woken yet
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if not (self._messages and self._answered(waiter)):
            self._go_on(waiter)

    def close(self) -> None:
        """Begin nothing more. Where nothing is under way the connection ends now (the library would only stop
        to listen), so that whoever holds it asks elsewhere instead of waiting for the others' downloads."""
        super().close()
        if not self._request_in_progress and not self._messages and self.transport is not None:
            self.transport.close()

    def _answered(self, waiter: asyncio.Future[None]) -> bool:
        """Whether the first message of the queue is answered, or will be, without the application."""
        message, payload = self._messages[0]
        transport = self.transport
        if (
            len(self._messages) > 1
            or payload is not EMPTY_PAYLOAD
            or not isinstance(message, RawRequestMessage)
            or message.method != hdrs.METH_GET
            or message.version != HttpVersion11
            or message.upgrade
            or transport is None
            or transport.get_write_buffer_size()
        ):
            return False
        head = BareHead(message.method, message.path, message.headers, self._secure, self._remote)
        try:
            given = self._look(head)
            if given is None:
                return False
            turn = _Turn(message, given, waiter)
            delivery = given.what
            if isinstance(delivery, Delivery):
                delivery.record(lambda _, failure: self._recorded(turn, delivery, failure))
                self._begin()
                self._waiter = None
                return True
            head_bytes, body = given.reply.encoded(last=message.should_close)
        except RegistryError:  # the application comes to the same, and tells
            return False
        except Exception:  # noqa: BLE001  a defect; the application answers, if only with a 500
            journal.exception("what is at hand could not be given")
            return False
        self._begin()
        self._waiter = None
        if isinstance(given.what, Filed):
            self._send_file(turn, transport, head_bytes, given.what.file, given.what.span)
        elif len(body) > TOGETHER:
            self._send_body(turn, transport, head_bytes, memoryview(body))
        else:
            transport.write(head_bytes + body)
            self._end(turn)
        return True

    def _begin(self) -> None:
        self._messages.popleft()
        self._request_in_progress = True  # a stop waits for it
        self._door.began(self.transport)

    def _recorded(self, turn: _Turn, delivery: Delivery, failure: Exception | None) -> None:
        """The delivery is in the log, or could not be written there."""
        transport = self.transport
        if transport is None:
            self._end(turn)
            return
        if failure is not None:
            self._give_back(turn)
            return
        data, span = delivery.file.data, delivery.span
        head, _ = delivery.reply.encoded(last=turn.message.should_close)
        try:
            if data is None and span.length > SMALL:
                self._send_file(turn, transport, head, open_file(delivery.file.path), span)
                return
            body = read_span(delivery.file.path, span) if data is None else data[span.start : span.stop]
        except RegistryError:
            self._give_back(turn)
            return
        transport.write(head + body)
        self._end(turn)

    def _send_file(
        self, turn: _Turn, transport: asyncio.Transport, head: bytes, file: OpenFile, span: Span
    ) -> None:
        """Send a head and that part of a file."""
        if not self._sends(turn, transport, head, from_file(file, span.start), span.length):
            self._sending = self._loop.create_task(self._push_file(turn, transport, file, span))

    def _send_body(self, turn: _Turn, transport: asyncio.Transport, head: bytes, body: memoryview) -> None:
        """Send a head and a large body."""
        if not self._sends(turn, transport, head, from_memory(body), len(body)):
            self._sending = self._loop.create_task(self._push_body(turn, transport, body))

    def _sends(
        self,
        turn: _Turn,
        transport: asyncio.Transport,
        head: bytes,
        take: Take,
        length: int,
    ) -> bool:
        """Send a head, and what follows it where the socket takes that as it is; whether it does."""
        cork(transport, on=True)
        transport.write(head)
        if is_plain(transport):
            Sending(transport, take, length, partial(self._sent, turn, transport)).begin()
            return True
        cork(transport, on=False)
        return False

    def _sent(self, turn: _Turn, transport: asyncio.Transport, sending: Sending) -> None:
        if not sending.complete:  # it must not look so
            transport.abort()
        self._end(turn)

    async def _push_file(self, turn: _Turn, transport: asyncio.Transport, file: OpenFile, span: Span) -> None:
        with suppress(OSError):
            await send_span(transport, file, span, self._drain_helper)
        self._end(turn)

    async def _push_body(self, turn: _Turn, transport: asyncio.Transport, body: memoryview) -> None:
        try:
            await push_body(transport, body, self._drain_helper)
        except OSError:
            transport.abort()
        self._end(turn)

    def _end(self, turn: _Turn) -> None:
        """It is answered."""
        self._count(turn.given)
        if turn.message.should_close:
            self.close()
        self._leave(turn)
        if turn.message.should_close and self.transport is not None:
            self.transport.close()

    def _give_back(self, turn: _Turn) -> None:
        """Let the application answer it, and say what is wrong."""
        self._messages.appendleft((turn.message, EMPTY_PAYLOAD))
        self._leave(turn, answered=False)

    def _leave(self, turn: _Turn, *, answered: bool = True) -> None:
        self._sending = None
        self._request_in_progress = False
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)
        self._door.ended(self.transport)
        if answered:
            self._server.requests_count += 1
            if self._parser is not None:
                self._parser.message_consumed()
            self._rest()
        self._waiter = turn.waiter
        self._go_on(turn.waiter)

    def _rest(self) -> None:
        """The time for which a connection may do nothing begins anew."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None and not self._force_close:
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )

    def _go_on(self, waiter: asyncio.Future[None]) -> None:
        """Wake the application where it has something to do."""
        if waiter.done():
            return
        if self._close or self._force_close:
            waiter.cancel()
        elif self._messages:
            waiter.set_result(None)


def connections(
    server: web.Server, door: Door, at_hand: AtHand, limits: Mapping[str, Any]
) -> Callable[[], Connection]:
    """Makes the connections of a server, with its own limits."""
    loop = asyncio.get_running_loop()
    return lambda: Connection(server, loop=loop, door=door, at_hand=at_hand, **limits)
