"""The database of an appliance that runs, as it is at one moment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from registry.errors import Unavailable
from registry.storage.connections import connect
from registry.storage.database import Row


@contextmanager
def snapshot_of(database: Path, folder: Path) -> Iterator[Path]:
    """A copy of the database as it is at one moment, without stopping anybody."""
    path = folder / f".registry-snapshot-{secrets.token_hex(4)}"
    try:
        source = connect(database, readonly=True, busy_ms=10_000)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            copy = apsw.Connection(os.fspath(path))
            try:
                with copy.backup("main", source, "main") as backup:
                    backup.step()  # in one go: a step that others write in between begins anew
                copy.pragma("journal_mode", "delete")
            finally:
                copy.close()
        finally:
            source.close()
        yield path
    except apsw.Error as error:
        raise Unavailable(f"The database could not be copied: {error}.") from error
    finally:
        for leftover in (path, path.with_name(f"{path.name}-journal"), path.with_name(f"{path.name}-wal")):
            leftover.unlink(missing_ok=True)


def describe(snapshot: Path) -> tuple[int, int, str]:
    """Schema, newest row of the log and its hash."""
    connection = connect(snapshot, readonly=True)
    try:
        newest: list[Row] = connection.execute(
            "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1"
        ).fetchall()
        seq, digest = newest[0] if newest else (0, b"")
        return int(connection.pragma("user_version")), seq, digest.hex()
    finally:
        connection.close()
