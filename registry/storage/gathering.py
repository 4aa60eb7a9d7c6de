"""Events that come at the same time share a commit: when a batch is closed, and who waits for whom.

A commit costs the same for one event as for many. While one is under way, what comes waits for the next; and
where several came together a moment ago, the next waits for as many again, a few milliseconds at most
(PostgreSQL's `commit_delay` and `commit_siblings`). Each commit that is smaller hopes for one less: who asks
alone waits only while a crowd has just left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from registry.errors import Unavailable

PATIENCE = 0.005
"""Seconds that a batch waits for as many events as came together before."""

Told = Callable[[int, Exception | None], None]
"""Called with an event's number once it is durable, or with why it isn't."""
Commit = Callable[[list[bytes], Told], None]
"""Begins to append events by their canonical bytes; the number told is that of the first, once all are
durable. Raises Unavailable when nothing can be appended any more."""

_LOG = logging.getLogger(__name__)


class _Batch:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.waiting: list[Told] = []


class Gathering:
    """Makes batches. Used from one event loop."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._open: _Batch | None = None
        """What the next commit will append."""
        self._is_writing = False
        self._hoped = 1
        """How many are worth waiting for: as many as came together lately."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, body: bytes, told: Told) -> None:
        """Have an event appended. Its end is told on the loop, never before this returns."""
        batch = self._open
        if batch is None:
            batch = self._open = _Batch()
        batch.bodies.append(body)
        batch.waiting.append(told)
        if not self._is_writing:
            self._consider(batch)

    def _consider(self, batch: _Batch) -> None:
        """Close a batch that is as large as could be hoped for; else give it time."""
        if len(batch.bodies) >= self._hoped:
            self._close()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._close)

    def _close(self) -> None:
        """Commit what there is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._open = self._open, None
        assert batch is not None
        self._hoped = max(len(batch.bodies), self._hoped - 1)
        try:
            self._commit(batch.bodies, lambda first, failure: self._committed(batch, first, failure))
        except Unavailable as failure:
            asyncio.get_running_loop().call_soon(_tell, batch, 0, failure)
            return
        self._is_writing = True

    def _committed(self, batch: _Batch, first: int, failure: Exception | None) -> None:
        """The batch is durable, or it failed. What came meanwhile goes first: its commit begins while those
        of this one are answered."""
        self._is_writing = False
        if self._open is not None:
            self._consider(self._open)
        _tell(batch, first if failure is None else 0, failure)


def _tell(batch: _Batch, first: int, failure: Exception | None) -> None:
    """So it is for everyone in it; what one of them makes of it is nothing to the others."""
    for number, told in enumerate(batch.waiting, first):
        try:
            told(number, failure)
        except Exception:  # noqa: BLE001  whose defect it is has its own way to tell
            _LOG.exception("an event's end could not be told")
