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
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import apsw

from registry.errors import Unavailable
from registry.model.editions import OwnEdition
from registry.model.ports import Edition
from registry.storage.connections import connect, newest_row, prepare, unavailable, unusable
from registry.storage.log_head import LogHead
from registry.storage.pool import Pool
from registry.storage.writer import Job, Ticket, Told, Writer

T = TypeVar("T")
Row = tuple[Any, ...]

_LOG = logging.getLogger(__name__)
_BUSY_MS = 5_000
_SCAN_THREADS = 2
_STEPS = 50_000
"""Of SQLite's machine between two looks at the time: about a millisecond."""

_LINGER = 0.05
"""Seconds for which a job that nobody waits for waits for others, whose commit it can share."""

LONGEST_SCAN = 60.0
"""Seconds that one reading job may keep its snapshot: as long as it is kept, the -wal file only grows."""


class Database:
    """The appliance's SQLite file; `open` it, `close` it. Used from one event loop."""

    def __init__(self, path: Path, writing: apsw.Connection, head: LogHead, changes: Edition) -> None:
        self._path = path
        self._head = head
        self.changes = changes
        """Raised by each commit, of whichever process, that changed more than the log."""
        self._writer = Writer(path, writing, head, changes)
        self._reading = connect(path, readonly=True)
        self._cursor = self._reading.cursor()
        self._scans = Pool("the database", _SCAN_THREADS)
        self._scanning = threading.local()
        self._posted: list[Ticket] = []
        self._timer: asyncio.TimerHandle | None = None
        self._opened: list[apsw.Connection] = []

    @classmethod
    def open(cls, path: Path, changes: Edition | None = None, *, busy_ms: int = _BUSY_MS) -> Database:
        """Check, migrate and open. Blocks; raises ConfigurationError (see `connections.prepare`).

        `changes` is shared by all processes that write to the file.
        """
        try:
            head = LogHead(path)
        except OSError as error:
            raise unusable(path, error) from error
        writing = prepare(path, busy_ms=busy_ms, row=head.row)
        head.reached(newest_row(writing))
        return cls(path, writing, head, changes or OwnEdition())

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
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.tell(job, ending(future))
        return future

    def tell(self, job: Job[Any], told: Told, *, appends: bool = False) -> None:
        """The same for whoever is to be called at its end, in that very turn of the loop: `told` must not
        raise. A job that `appends` does nothing else than that, to the log. Raises Unavailable when nothing
        can be written any more."""
        self._hand_over()
        self._writer.put(Ticket(job, asyncio.get_running_loop(), told, appends))

    def post(self, job: Job[object]) -> None:
        """Run a job with the next commit, or one of its own if there is none soon, without waiting.

        For what may be lost in a crash; while another program locks the database it waits for a later commit.
        Raises Unavailable once closed.
        """
        self._writer.require_open()
        self._posted.append(Ticket(job))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LINGER, self._linger_no_more)

    def _linger_no_more(self) -> None:
        self._timer = None
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the writer what was posted, if that didn't go with another commit."""
        posted, self._posted = self._posted, []
        for ticket in posted:
            self._writer.put(ticket)

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
        if self._timer is not None:
            self._timer.cancel()
        self._hand_over()
        self._writer.close()
        self._head.close()

    def _connection_of_thread(self) -> apsw.Connection:
        if not hasattr(self._scanning, "connection"):
            self._scanning.connection = connect(self._path, readonly=True)
            self._opened.append(self._scanning.connection)
        connection: apsw.Connection = self._scanning.connection
        return connection


def ending(future: asyncio.Future[T]) -> Callable[[T, Exception | None], None]:
    """Ends a future with a result or a failure, unless nobody waits for it any more."""

    def told(result: T, failure: Exception | None) -> None:
        if future.done():
            return
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(result)

    return told
