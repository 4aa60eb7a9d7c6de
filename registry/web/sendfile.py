"""Files and large bodies over a plain connection, as the socket has room: files by the kernel alone.

`loop.sendfile` registers and unregisters the socket each time it is full: a dozen calls of Python for every
few hundred kilobytes. Here a socket that has room again costs one. What must wait for bytes that were written
before is left to the loop. For TLS files are read and written in pieces; the loop's own way of that holds
most of a megabyte for each client.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, cast

from registry.web.pieces import Drain, HasFileno, push_file

Take = Callable[[int, int, int], int]
"""Has a socket take bytes: its descriptor, where they begin, how many there are → how many it took; 0 where
there are none. Raises BlockingIOError when it has no room."""

LOOK = 1.0
"""Seconds between two looks whether the connection was closed while it took nothing."""
TURN = 1 << 21
"""Bytes after which others have their turn: a client that reads as fast as it gets would have the loop for
all of its file, which is milliseconds for a large wheel."""


class Sending:
    """Bytes on their way over a plain connection, after what was written before."""

    __slots__ = (
        "_ended", "_length", "_look", "_loop", "_out", "_take", "_transport", "error", "sent",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, take: Take, length: int, ended: Callable[[Sending], None]
    ) -> None:
        """`ended` is called once: when all is sent, when there are no more bytes though there should be, or
        with an `error`."""
        self.sent = 0
        self.error: OSError | None = None
        """Why it ended early: the client has left, or reading failed."""
        self._transport = transport
        self._take = take
        self._length = length
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._out = -1
        self._look: asyncio.TimerHandle | None = None

    @property
    def complete(self) -> bool:
        """Whether all of it was sent."""
        return self.sent == self._length

    def begin(self) -> None:
        """Send what there is room for, and the rest later; it may end in this call."""
        own = self._transport.get_extra_info("socket").fileno()
        if self._pushed(own):
            self._end()
            return
        # A second descriptor, since the loop lets nobody else watch the transport's own.
        self._out = os.dup(own)
        self._loop.add_writer(self._out, self._on_room)
        self._watch()

    def stop(self) -> None:
        """Send no more of it."""
        cork(self._transport, on=False)
        if self._out >= 0:
            self._loop.remove_writer(self._out)
            os.close(self._out)
            self._out = -1
        if self._look is not None:
            self._look.cancel()

    def _pushed(self, out: int) -> bool:
        """Send what there is room for, a TURN at most; whether nothing is left to do."""
        try:
            count = self._take(out, self.sent, min(TURN, self._length - self.sent))
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self.error = error
            return True
        self.sent += count
        return not count or self.complete

    def _on_room(self) -> None:
        """The socket takes more, or the client has left."""
        if self._pushed(self._out):
            self._end()

    def _watch(self) -> None:
        if self._transport.is_closing():
            self.error = ConnectionResetError("The client has left.")
            self._end()
        else:
            self._look = self._loop.call_later(LOOK, self._watch)

    def _end(self) -> None:
        self.stop()
        self._ended(self)


def cork(transport: asyncio.Transport, *, on: bool) -> None:
    """Whether a plain socket keeps what doesn't fill a packet for what comes next. A head that goes out alone
    costs as much as a third of a megabyte behind it. (Linux, which sends it anyway after 0.2 seconds.)"""
    if sys.platform == "linux":
        with suppress(OSError):  # it is closed
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)


def from_file(file: HasFileno, start: int) -> Take:
    """Bytes of a file from there on, which the kernel sends. It stays open while someone has this."""
    return lambda out, at, count: os.sendfile(out, file.fileno(), start + at, count)


def from_memory(body: memoryview) -> Take:
    """Bytes of which no copy is made for a client that takes its time."""
    return lambda out, at, count: os.write(out, body[at : at + count])


def is_plain(transport: asyncio.Transport) -> bool:
    """Whether its socket takes our bytes as they are, and none of them wait before it."""
    return transport.get_extra_info("sslcontext") is None and not transport.get_write_buffer_size()


async def send_file(
    transport: asyncio.Transport, file: HasFileno, start: int, length: int, drain: Drain
) -> int:
    """Send that part of an open file after what was written before; gives how many bytes were sent, fewer
    where the file is too short. `drain` is the transport's own. Raises ConnectionError when the client
    leaves, OSError when reading fails."""
    if transport.get_extra_info("sslcontext") is not None:
        return await push_file(transport, file, start, length, drain)
    if transport.is_closing():
        raise ConnectionResetError("The client has left.")
    if transport.get_write_buffer_size():
        loop, named = asyncio.get_running_loop(), cast("BinaryIO", file)  # it asks for a descriptor only
        return await loop.sendfile(transport, named, start, length)
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    sending = Sending(
        transport, from_file(file, start), length, lambda _: None if ended.done() else ended.set_result(None)
    )
    try:
        sending.begin()
        await ended
    finally:
        sending.stop()
    if sending.error is not None:
        raise sending.error
    return sending.sent
