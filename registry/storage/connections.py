"""Opening the database file: refused where it can't be kept safe, checked, and brought to today's schema."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import apsw

from registry.errors import ConfigurationError, Unavailable
from registry.storage.filesystems import filesystem_of, is_remote
from registry.storage.schema import APPLICATION_ID, MIGRATIONS

SAFE_SQLITE = (3, 51, 3)
"""The first version without the WAL-reset bug, which can corrupt a database that two connections write."""

_STEP = 0.000_5
"""Seconds between two looks at whether another process has committed."""
_READER_BUSY_MS = 200
"""A reader never waits for writers in WAL mode; this covers the moment of recovery after a crash."""


def prepare(path: Path, *, busy_ms: int, row: int = 0) -> apsw.Connection:
    """The connection that writes: file system, SQLite version, integrity, schema, and that the log has the
    `row` that was its newest, are checked first.

    Raises ConfigurationError with what to do: start fails closed.
    """
    _refuse_affected_sqlite(apsw.sqlite_lib_version())
    kind = filesystem_of(path)
    if is_remote(kind):
        raise _refusal(
            f"The database {path} would lie on a network file system ({kind}), where SQLite's locks are not"
            " safe; set REGISTRY_DATA to a directory on a local disk (REGISTRY_VOLUME may stay there)."
        )
    restore = restore_words(path)
    try:
        if _was_emptied(path, row):
            raise _refusal(f"The database {path} is empty or gone, and it had rows. {restore}")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # the log names people
        connection = connect(path, busy_ms=busy_ms)
        try:
            _make_fit(connection, path, row)
        except BaseException:  # what is refused is left as it was found
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close()
            raise
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise _refusal(f"The database {path} is damaged ({error}). {restore}") from error
    except (apsw.Error, OSError) as error:
        raise unusable(path, error) from error
    return connection


def _make_fit(connection: apsw.Connection, path: Path, row: int) -> None:
    connection.pragma("journal_mode", "wal")
    connection.pragma("journal_size_limit", 64 << 20)
    problem = str(connection.pragma("quick_check", 1))
    if problem != "ok":
        raise _refusal(f"The database {path} is damaged ({problem}). {restore_words(path)}")
    migrate(connection, path, MIGRATIONS)
    if (found := newest_row(connection)) < row:
        raise _refusal(f"{rows_missing(path, found, row)} {restore_words(path)}")


def newest_row(connection: apsw.Connection) -> int:
    """Number of the log's newest row; 0 for none."""
    found: list[tuple[Any, ...]] = connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchall()
    return int(found[0][0])


def rows_missing(path: Path, found: int, row: int) -> str:
    """What is wrong where the log ends before a row that was durable."""
    return (
        f"The log in {path} ends at row {found}, but row {row} was written: commits are missing, as when"
        f" {path.name}-wal is deleted or an older copy takes the database's place. Put back what was taken"
        f" away. (Or go on without these rows by deleting {path.name}.head.)"
    )


def restore_words(path: Path) -> str:
    """How the data directory of a database comes back from a backup."""
    data = path.parent
    return (
        f"To restore the last backup, stop the appliance, then `mv {data} {data}.damaged && registry backup"
        " restore ARCHIVE` (docs/backup.md); packages that were cached are fetched again by themselves."
    )


def _was_emptied(path: Path, row: int) -> bool:
    """Whether SQLite would take what is here for a new database and drop its -wal file, wrongly."""
    if path.exists() and path.stat().st_size:
        return False
    wal = path.with_name(f"{path.name}-wal")
    return row > 0 or (wal.exists() and wal.stat().st_size > 0)


def unusable(path: Path, error: Exception) -> ConfigurationError:
    """The directory of the database, or the disk behind it, isn't fit for it."""
    return _refusal(
        f"The database {path} can't be opened ({error}). Check its directory's owner, permissions and free"
        " space."
    )


def connect(path: Path, *, busy_ms: int = _READER_BUSY_MS, readonly: bool = False) -> apsw.Connection:
    """One more connection to an existing database."""
    flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(
        os.fspath(path), flags=flags | apsw.SQLITE_OPEN_NOFOLLOW, statementcachesize=200
    )
    # Else SQLite prepares a join anew for each value that is bound, which takes ten times the look-up.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.set_busy_handler(_Patience(busy_ms / 1_000))
    connection.pragma("synchronous", "full")
    connection.pragma(
        "recursive_triggers", True
    )  # so that INSERT OR REPLACE can't go round the log's trigger
    connection.pragma("trusted_schema", False)
    return connection


class _Patience:
    """Waits for another process's transaction in short steps: SQLite's own grow to a tenth of a second, and
    who has waited long would wait longest."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = 0.0

    def __call__(self, attempts: int) -> bool:
        """Whether to try once more."""
        now = time.monotonic()
        if attempts == 0:
            self._ends = now + self._seconds
        if now >= self._ends:
            return False
        time.sleep(_STEP)
        return True


def migrate(connection: apsw.Connection, path: Path, steps: tuple[str, ...]) -> None:
    """Bring the schema forward, all steps in one transaction; a copy `<name>.before-<version>` is kept.

    Raises ConfigurationError for a file that isn't ours or that a newer release has written.
    """
    version = int(connection.pragma("user_version"))
    application = int(connection.pragma("application_id"))
    if version == 0 and application == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
        application = -1
    if application not in {0, APPLICATION_ID}:
        raise _refusal(f"{path} is the database of another program; set REGISTRY_DATA elsewhere.")
    if version > len(steps):
        raise _refusal(
            f"The database {path} is of a newer release (schema {version}, this one has {len(steps)}); start"
            " that release again, or restore a backup made by this one."
        )
    if version == len(steps):
        return
    if version:
        _copy(connection, path.with_name(f"{path.name}.before-{len(steps)}"))
    with connection:  # a savepoint; the first write makes it a transaction that no other process shares
        connection.pragma("application_id", APPLICATION_ID)
        # another process may have been first
        for number in range(int(connection.pragma("user_version")), len(steps)):
            for _ in connection.execute(steps[number]):
                pass
            connection.pragma("user_version", number + 1)


def unavailable(error: apsw.Error) -> Unavailable:
    """A failure of the database as a sentence for the client."""
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return Unavailable(
            "The database is locked by another program (a backup, a shell?); close it and try again."
        )
    if isinstance(error, apsw.FullError):
        return Unavailable("The disk of the data directory is full; free some space on it.", retry_after=60)
    if isinstance(error, apsw.ReadOnlyError):
        return Unavailable("The data directory is read-only; make it writable again.", retry_after=60)
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return Unavailable("The database is damaged; restart to see how to restore it.", retry_after=600)
    return Unavailable(
        "The database failed; look at the disk of the data directory and at the appliance's log."
    )


def _copy(source: apsw.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    copy = apsw.Connection(os.fspath(target))
    try:
        with copy.backup("main", source, "main") as backup:
            backup.step()
    finally:
        copy.close()
    target.chmod(0o600)


def _refuse_affected_sqlite(version: str) -> None:
    if tuple(int(part) for part in version.split(".")[:3]) < SAFE_SQLITE:
        wanted = ".".join(map(str, SAFE_SQLITE))
        raise _refusal(
            f"SQLite {version} can corrupt a WAL database that two connections write to; install an apsw that"
            f" brings SQLite {wanted} or newer."
        )


def _refusal(problem: str) -> ConfigurationError:
    return ConfigurationError([problem])
