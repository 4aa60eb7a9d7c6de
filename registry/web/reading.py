"""Files where a call may hang: opened, read and closed in the place's own threads.

A client that takes a byte a second holds no thread, since a thread only reads a piece and sending it is the
loop's; a volume that hangs holds a few threads, and nobody who doesn't want a file waits for it.
"""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from registry.errors import Unavailable
from registry.model.ports import Place
from registry.web.pieces import PIECE

READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Reader:
    """One file while it is open: `async with Reader(place, path) as reader`. Raises Unavailable."""

    def __init__(self, place: Place, path: Path) -> None:
        self._place = place
        self._path = path
        self._descriptor: int | None = None
        self._left = False
        self._lock = threading.Lock()

    async def __aenter__(self) -> Self:
        try:
            await self._place.run(self._open)
        except BaseException:  # it may still be opened by a call that nobody waits for any more
            self._place.later(self._close)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._place.later(self._close)

    async def read(self, start: int, length: int) -> bytes:
        """That part, PIECE bytes at most. Raises Unavailable where nothing is left, or reading fails."""
        length = min(length, PIECE)
        piece = await self._place.run(lambda: self._read(start, length), work=length)
        if not piece:
            raise Unavailable("The file is shorter than it was a moment ago; check the volume.")
        return piece

    async def is_at(self, path: Path) -> bool:
        """Whether this is the file that lies there now: another process may have fetched it anew."""
        return await self._place.run(lambda: self._is_at(path))

    def _is_at(self, path: Path) -> bool:
        if self._descriptor is None:
            return False
        return os.path.samestat(os.fstat(self._descriptor), path.stat())

    def _open(self) -> None:
        try:
            descriptor = os.open(self._path, READING)
        except OSError as error:
            raise unreadable(error) from error
        with self._lock:
            if not self._left:
                self._descriptor = descriptor
                return
        os.close(descriptor)

    def _read(self, start: int, length: int) -> bytes:
        # No lock: a read that hangs must not hold up `_close`, and one that begins after it reads for nobody.
        try:
            try:
                return self._part(start, length)
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
                self._close_it()  # the server forgot the handle: the path leads to the same bytes
                self._open()
                return self._part(start, length)
        except OSError as error:
            raise unreadable(error) from error

    def _part(self, start: int, length: int) -> bytes:
        if self._descriptor is None:
            raise Unavailable("The client has left.")
        return os.pread(self._descriptor, length, start)

    def _close(self) -> None:
        self._left = True
        self._close_it()

    def _close_it(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def unreadable(error: OSError) -> Unavailable:
    """A file that should be there and can't be read, as an answer."""
    if error.errno not in {errno.EACCES, errno.EPERM}:
        return Unavailable(f"A kept file can't be read ({error.strerror}); check the volume.")
    name = Path(str(error.filename or "it")).name
    return Unavailable(
        f"User id {os.geteuid()} can't read '{name}' on the volume ({error.strerror}); correct its owner or"
        " permissions."
    )
