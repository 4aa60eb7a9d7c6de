"""The database's writer: one thread, which commits all jobs that wait together in one transaction.

Each job has a savepoint: one that raises takes nothing with it. While another program locks the database,
what somebody waits for fails, and what nobody waits for is kept for a later commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import apsw

from registry.errors import Unavailable
from registry.model.ports import Edition
from registry.storage.connections import newest_row, unavailable
from registry.storage.lock_holders import lock_holder
from registry.storage.log_head import LogHead

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]

_LARGEST_BATCH = 512
_AGAIN = 1.0
"""Seconds after which a locked database is tried again for jobs that nobody waits for."""
_MOST_WAITING = 10_000
"""Jobs that nobody waits for, kept while the database is locked; the oldest give way."""

_LOG = logging.getLogger(__name__)


Told = Callable[[Any, Exception | None], None]
"""Called with a job's result once it is durable, or with why it isn't."""


@dataclass(slots=True)
class Ticket:
    """A job in the queue, who is to be told of its end and on which loop, and how it ended."""

    job: Job[Any]
    loop: asyncio.AbstractEventLoop | None = None
    told: Told | None = None
    appends: bool = False
    """Whether it does nothing but append to the log: then what others remember of the tables still counts."""
    result: Any = None
    failure: Exception | None = None


class Writer:
    """The one thread of this process that writes."""

    def __init__(self, path: Path, connection: apsw.Connection, head: LogHead, changes: Edition) -> None:
        """`changes` is raised by each commit that changed a table."""
        changes.bump()  # whoever wrote before may have died before it could
        self._changes = changes
        self._path = path
        self._head = head
        self._connection = connection
        self._waiting: deque[Ticket] = deque(maxlen=_MOST_WAITING)
        """Nobody's tickets that came while another program locked the database."""
        self._queue: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="registry database writer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still takes jobs."""
        return self._thread.is_alive() and not self._closed

    def put(self, ticket: Ticket) -> None:
        """Queue a job. Raises Unavailable once closed."""
        self.require_open()
        self._queue.put(ticket)

    def require_open(self) -> None:
        """Raises Unavailable once closed."""
        if self._closed:
            raise Unavailable("The appliance is shutting down; try again in a moment.")

    def close(self) -> None:
        """Finish the queue, then end the thread and close the connection."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._connection.close()

    def _run(self) -> None:
        has_ended = False
        while not has_ended:
            batch: list[Ticket] = []
            with contextlib.suppress(queue.Empty):
                ticket = self._queue.get(timeout=_AGAIN if self._waiting else None)
                has_ended = ticket is None
                batch += [ticket] if ticket is not None else []
            if batch or self._waiting:
                has_ended = self._commit(batch) or has_ended
                _settle_all(batch)
        if self._waiting:
            _LOG.error("%d writes that nobody waited for were never made", len(self._waiting))

    def _commit(self, batch: list[Ticket]) -> bool:
        """One transaction for the batch and what joins it: afterwards every ticket has a durable result or a
        failure. Gives whether the queue has ended."""
        connection = self._connection
        is_last: bool | None = None
        try:
            connection.execute("BEGIN IMMEDIATE")
            is_last = self._gather(batch)  # what came while another process was writing shares this commit
            for ticket in batch:
                self._attempt(ticket)
            row = newest_row(connection)
            connection.execute("COMMIT")
            if not all(ticket.appends for ticket in batch):
                self._changes.bump()
            self._head.reached(row)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            failure = unavailable(error) if isinstance(error, apsw.Error) else error
            if is_last is None:
                is_last = self._gather(batch)
            hint = self._hint(error)
            _LOG.error("a commit of %d jobs failed: %s%s", len(batch), error, hint)
            if isinstance(error, apsw.BusyError):
                self._put_off(batch)
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except apsw.Error:
                _LOG.exception("a rollback failed")
            for ticket in batch:
                ticket.failure = ticket.failure or failure
        return is_last

    def _hint(self, error: Exception) -> str:
        holder = lock_holder(self._path) if isinstance(error, apsw.BusyError) else None
        return f"; {holder} holds the lock" if holder else ""

    def _put_off(self, batch: list[Ticket]) -> None:
        """Keep what nobody waits for until a commit succeeds."""
        self._waiting.extend(ticket for ticket in batch if ticket.loop is None)
        batch[:] = [ticket for ticket in batch if ticket.loop is not None]

    def _gather(self, batch: list[Ticket]) -> bool:
        """Add what waits in the queue; gives whether it has ended."""
        batch += self._waiting
        self._waiting.clear()
        while len(batch) < _LARGEST_BATCH and not self._queue.empty():
            following = self._queue.get()
            if following is None:
                return True
            batch.append(following)
        return False

    def _attempt(self, ticket: Ticket) -> None:
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            ticket.result = ticket.job(connection)
        except Exception as error:
            if not connection.in_transaction:  # SQLite gave up the whole transaction: disk full, I/O error
                raise
            connection.execute("ROLLBACK TO job")
            ticket.failure = unavailable(error) if isinstance(error, apsw.Error) else error
            if isinstance(error, apsw.Error):
                _LOG.exception("a job of the database failed")
        connection.execute("RELEASE job")


def _settle_all(batch: list[Ticket]) -> None:
    """Wake the waiting loop once for the whole batch."""
    waiting: dict[asyncio.AbstractEventLoop, list[Ticket]] = {}
    for ticket in batch:
        if ticket.loop is not None:
            waiting.setdefault(ticket.loop, []).append(ticket)
        elif ticket.failure is not None:
            _LOG.warning("a write that nobody waits for failed: %s", ticket.failure)
    for loop, tickets in waiting.items():
        try:
            loop.call_soon_threadsafe(_settle, tickets)
        except RuntimeError:
            _LOG.debug("%d writes are durable, their loop is closed", len(tickets))


def _settle(tickets: list[Ticket]) -> None:
    for ticket in tickets:
        if ticket.told is not None:
            ticket.told(ticket.result, ticket.failure)
