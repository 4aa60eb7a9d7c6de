"""A look at a database that nobody has to have open: what the doctor does while the appliance is down."""

from __future__ import annotations

from pathlib import Path

import apsw

from registry.storage.connections import connect


def damage(path: Path) -> str | None:
    """What is wrong with the database file, None for nothing. Reads all of it and changes nothing."""
    try:
        connection = connect(path, readonly=True)
        try:
            found = str(connection.pragma("quick_check", 1))
        finally:
            connection.close()
    except apsw.Error as error:
        return f"{path} can't be read ({error})"
    return None if found == "ok" else f"{path} is damaged ({found})"


def volume_of(path: Path, key: str) -> str | None:
    """The volume-id that the database at `path` expects of the volume called `key`; None where it knows of
    none yet, or can't be read."""
    try:
        connection = connect(path, readonly=True)
        try:
            rows = connection.execute("SELECT value FROM fact WHERE name = ?", (f"volume-id/{key}",))
            row = rows.fetchone()
        finally:
            connection.close()
    except apsw.Error:
        return None
    return None if row is None else str(row[0])
