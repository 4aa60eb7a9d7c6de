"""Events that come at the same time share a commit: when a batch is closed, and who waits for whom.

A commit costs the same for one event as for many. While one is under way, what comes waits for the next; and
where several came together a moment ago, the next waits for as many again, a few milliseconds at most
(PostgreSQL's `commit_delay` and `commit_siblings`). Each commit that is smaller hopes for one less: who asks
alone waits only while a crowd has just left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from registry.errors import Unavailable

PATIENCE = 0.005
"""Seconds that a batch waits for as many events as came together before."""

Commit = Callable[[list[bytes]], asyncio.Future[int]]
"""Begins to append events by their canonical bytes: a future of the number of the first, done once all are
durable. Raises Unavailable when nothing can be appended any more."""


class _Batch:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.waiting: list[asyncio.Future[int]] = []


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

    def add(self, body: bytes) -> asyncio.Future[int]:
        """Have an event appended: a future of its number, done once it is durable."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        batch = self._open
        if batch is None:
            batch = self._open = _Batch()
        batch.bodies.append(body)
        batch.waiting.append(future)
        if not self._is_writing:
            self._consider(batch)
        return future

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
            done = self._commit(batch.bodies)
        except Unavailable as failure:
            _fail(batch, failure)
            return
        self._is_writing = True
        done.add_done_callback(lambda done: self._committed(batch, done))

    def _committed(self, batch: _Batch, done: asyncio.Future[int]) -> None:
        """The batch is durable, or it failed: so it is for everyone in it."""
        self._is_writing = False
        failure = done.exception()
        if failure is not None:
            _fail(batch, failure)
        else:
            for number, future in enumerate(batch.waiting, done.result()):
                if not future.done():
                    future.set_result(number)
        if self._open is not None:
            self._consider(self._open)


def _fail(batch: _Batch, failure: BaseException) -> None:
    for future in batch.waiting:
        if not future.done():
            future.set_exception(failure)
