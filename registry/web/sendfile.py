"""Files and large bodies over a plain connection, as the socket has room: files by the kernel alone.

`loop.sendfile` registers and unregisters the socket each time it is full: a dozen calls of Python for every
few hundred kilobytes. Here a socket that has room again costs one. What must wait for bytes that were written
before is left to the loop. For TLS files are read and written in pieces; the loop's own way of that holds
most of a megabyte for each client.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import BinaryIO

from registry.web.pieces import Drain, push_file, push_rest

_Take = Callable[[int, int, int], int]
"""Has a socket take bytes: its descriptor, where they begin, how many there are → how many it took; 0 where
there are none. Raises BlockingIOError when it has no room."""

LOOK = 1.0
"""Seconds between two looks whether the connection was closed while it took nothing."""
TURN = 1 << 21
"""Bytes after which others have their turn: a client that reads as fast as it gets would have the loop for
all of its file, which is milliseconds for a large wheel."""


async def send_file(
    transport: asyncio.Transport, file: BinaryIO, start: int, length: int, drain: Drain
) -> int:
    """Send that part of an open file after what was written before; gives how many bytes were sent, fewer
    where the file is too short. `drain` is the transport's own. Raises ConnectionError when the client
    leaves, OSError when reading fails."""
    if transport.get_extra_info("sslcontext") is not None:
        return await push_file(transport, file, start, length, drain)
    if transport.get_write_buffer_size():
        return await asyncio.get_running_loop().sendfile(transport, file, start, length)
    source = file.fileno()
    return await _send(transport, length, lambda out, at, count: os.sendfile(out, source, start + at, count))


async def send_body(transport: asyncio.Transport, body: memoryview, drain: Drain) -> None:
    """Send a body after what was written before, of which no copy is made for a client that takes its time.
    Raises ConnectionError when the client leaves."""
    await drain()
    if transport.get_extra_info("sslcontext") is not None or transport.get_write_buffer_size():
        await push_rest(transport, body, drain)
    else:
        await _send(transport, len(body), lambda out, at, count: os.write(out, body[at : at + count]))


async def _send(transport: asyncio.Transport, length: int, take: _Take) -> int:
    _require_open(transport)
    loop = asyncio.get_running_loop()
    # A second descriptor, since the loop lets nobody else watch the transport's own.
    out = os.dup(transport.get_extra_info("socket").fileno())
    sending = _Sending(loop, out, take, length)
    try:
        if not sending.push():
            loop.add_writer(out, sending.on_room)
            while not sending.done.done():
                await asyncio.wait([sending.done], timeout=LOOK)
                _require_open(transport)
            sending.done.result()
        return sending.sent
    finally:
        loop.remove_writer(out)
        os.close(out)
        if sending.done.done():
            sending.done.exception()  # seen: a client that left isn't an error in the log


def _require_open(transport: asyncio.Transport) -> None:
    if transport.is_closing():
        raise ConnectionResetError("The client has left.")


class _Sending:
    def __init__(self, loop: asyncio.AbstractEventLoop, out: int, take: _Take, length: int) -> None:
        self.sent = 0
        self.done: asyncio.Future[None] = loop.create_future()
        self._out = out
        self._take = take
        self._length = length

    def push(self) -> bool:
        """Send what there is room for, a TURN at most; whether that was the last of it."""
        until = min(self._length, self.sent + TURN)
        try:
            while self.sent < until:
                count = self._take(self._out, self.sent, until - self.sent)
                if count == 0:  # the file is too short
                    return True
                self.sent += count
        except (BlockingIOError, InterruptedError):
            return False
        return self.sent == self._length

    def on_room(self) -> None:
        """The socket takes more, or the client has left."""
        if self.done.done():
            return
        try:
            if self.push():
                self.done.set_result(None)
        except OSError as error:
            self.done.set_exception(error)
