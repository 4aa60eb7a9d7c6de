"""A file on its way in: what of it can be read already, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from registry.model.events import Event
from registry.model.ports import Place


class Landed(msgspec.Struct, frozen=True):
    """A verified file."""

    path: Path
    sha256: str
    size: int
    mismatched: bool = False
    """Whether what is inside contradicts its name: decide again before anyone gets the last of it."""


class Passenger:
    """A client that waits for a whole file: its delivery is logged together with the file's coming in."""

    def __init__(self, takes: Callable[[str, int], bool], delivery: Callable[[str], Event]) -> None:
        """`takes(sha256, size)` says whether it will get bytes, `delivery(sha256)` what to log then."""
        self.takes = takes
        self.delivery = delivery
        self.recorded = False
        """Whether the delivery is in the log."""


class Flight:
    """A file on its way: how much of it can be read already, and how it ended."""

    def __init__(self, place: Place) -> None:
        self.place = place
        """Where `path` leads."""
        self.path: Path | None = None
        self.available = 0
        self.announced: int | None = None
        self.done: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        self.aboard: set[Passenger] = set()
        self._news = asyncio.Event()

    @contextmanager
    def carrying(self, passenger: Passenger) -> Iterator[None]:
        """Have a client aboard, for as long as it waits."""
        self.aboard.add(passenger)
        try:
            yield
        finally:
            self.aboard.discard(passenger)

    def advance(self, path: Path, size: int) -> None:
        """More bytes can be read from the staged file."""
        self.path, self.available = path, size
        self._wake()

    def restart(self) -> None:
        """The bytes so far were somebody's who didn't finish."""
        self.path, self.available = None, 0

    def land(self, landed: Landed) -> None:
        """It is verified and kept."""
        self.done.set_result(landed)
        self._wake()

    def crash(self, error: BaseException) -> None:
        """It failed; every follower gets the same error."""
        self.done.set_exception(error)
        self.done.exception()  # marks it as seen, also when nobody follows
        self._wake()

    async def news(self) -> None:
        """Wait until more can be read or it has ended."""
        if not self.done.done():
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
