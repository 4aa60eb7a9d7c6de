"""The database: one writer thread with group commit, reads beside it that never wait for it.

    database = Database.open(path)
    await database.write(job)      job(connection) runs in the writer thread, within a transaction
    database.rows(sql, values)     a point look-up on the loop's own connection: local disk, microseconds
    await database.scan(job)       anything longer, in a thread with a connection of its own

Jobs that wait while a commit is under way share the next one, so a hundred deliveries cost one fsync. Each
job has a savepoint: one that raises takes nothing with it. `write` returns when the commit is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import apsw

from registry.errors import Unavailable
from registry.storage.connections import connect, newest_row, prepare, unavailable, unusable
from registry.storage.lock_holders import lock_holder
from registry.storage.log_head import LogHead
from registry.storage.pool import Pool

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]
Row = tuple[Any, ...]

_LOG = logging.getLogger(__name__)
_BUSY_MS = 5_000
_LARGEST_BATCH = 512
_AGAIN = 1.0
"""Seconds after which a locked database is tried again for jobs that nobody waits for."""
_MOST_WAITING = 10_000
"""Jobs that nobody waits for, kept while the database is locked; the oldest give way."""
_SCAN_THREADS = 2
_STEPS = 50_000
"""Of SQLite's machine between two looks at the time: about a millisecond."""

LONGEST_SCAN = 60.0
"""Seconds that one reading job may keep its snapshot: as long as it is kept, the -wal file only grows."""


class Database:
    """The appliance's SQLite file; `open` it, `close` it. Used from one event loop."""

    def __init__(self, path: Path, writing: apsw.Connection, head: LogHead) -> None:
        self._path = path
        self._head = head
        self._writer = Writer(path, writing, head)
        self._reading = connect(path, readonly=True)
        self._cursor = self._reading.cursor()
        self._scans = Pool("the database", _SCAN_THREADS)
        self._scanning = threading.local()
        self._opened: list[apsw.Connection] = []

    @classmethod
    def open(cls, path: Path, *, busy_ms: int = _BUSY_MS) -> Database:
        """Check, migrate and open. Blocks; raises ConfigurationError (see `connections.prepare`)."""
        try:
            head = LogHead(path)
        except OSError as error:
            raise unusable(path, error) from error
        writing = prepare(path, busy_ms=busy_ms, row=head.row)
        head.reached(newest_row(writing))
        return cls(path, writing, head)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows of a point look-up, on the caller's (the loop's) thread. Raises Unavailable.

        All rows are read at once: a statement left open would hold its snapshot and stop checkpoints.
        """
        try:
            return self._cursor.execute(sql, values).fetchall()  # a new cursor each would double the time
        except apsw.Error as error:
            raise unavailable(error) from error

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of a point look-up, or None. Raises Unavailable."""
        found = self.rows(sql, values)
        return found[0] if found else None

    async def write(self, job: Job[T]) -> T:
        """Run a job and wait until what it did is durable. Raises what it raises, and Unavailable."""
        return await self.begin(job)

    def begin(self, job: Job[T]) -> asyncio.Future[T]:
        """The same for whoever does something else meanwhile."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.put(Ticket(job, loop, future))
        return future

    def post(self, job: Job[object]) -> None:
        """Run a job with the next commit, without waiting. For what may be lost in a crash; while another
        program locks the database it waits for a later commit."""
        self._writer.put(Ticket(job))

    async def scan(self, job: Job[T]) -> T:
        """Run a reading job in a thread. Keep it to pages: a long snapshot stops checkpoints, and a statement
        that takes longer than `LONGEST_SCAN` is broken off. Raises what it raises, and Unavailable."""

        def run() -> T:
            connection, end = self._connection_of_thread(), monotonic() + LONGEST_SCAN
            connection.set_progress_handler(lambda: monotonic() > end, _STEPS)
            try:
                return job(connection)
            except apsw.Error as error:
                raise unavailable(error) from error

        return await self._scans.run(run)

    def backlog(self) -> int:
        """Bytes of the -wal file: what is durable and not in the database proper yet. Blocks for a moment."""
        try:
            return self._path.with_name(f"{self._path.name}-wal").stat().st_size
        except OSError:
            return 0

    def check(self) -> None:
        """For /-/ready. Raises Unavailable when the database can't be read or its writer has ended."""
        self.row("SELECT 1 FROM fact LIMIT 1")
        if not self._writer.alive:
            raise Unavailable("The database's writer has stopped; restart the appliance.")

    def close(self) -> None:
        """Commit what waits, then close. Blocks; safe to call twice.

        The writer closes last: only it may move what is in the -wal file into the database.
        """
        self._scans.close()
        self._reading.close()
        for connection in self._opened:
            try:
                connection.close()
            except apsw.Error:  # still in use by a scan: it goes with the process
                _LOG.debug("a scan outlived the database")
        self._writer.close()
        self._head.close()

    def _connection_of_thread(self) -> apsw.Connection:
        if not hasattr(self._scanning, "connection"):
            self._scanning.connection = connect(self._path, readonly=True)
            self._opened.append(self._scanning.connection)
        connection: apsw.Connection = self._scanning.connection
        return connection


@dataclass(slots=True)
class Ticket:
    """A job in the queue, who waits for it, and how it ended."""

    job: Job[Any]
    loop: asyncio.AbstractEventLoop | None = None
    future: asyncio.Future[Any] | None = None
    result: Any = None
    failure: Exception | None = None


class Writer:
    """The one thread of this process that writes."""

    def __init__(self, path: Path, connection: apsw.Connection, head: LogHead) -> None:
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
        if self._closed:
            raise Unavailable("The appliance is shutting down; try again in a moment.")
        self._queue.put(ticket)

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
        if ticket.future is None or ticket.future.done():
            continue
        if ticket.failure is not None:
            ticket.future.set_exception(ticket.failure)
        else:
            ticket.future.set_result(ticket.result)
