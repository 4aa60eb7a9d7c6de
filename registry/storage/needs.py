"""Which files of the volume rows need, read and given up within one transaction of a connection."""

from __future__ import annotations

import apsw

from registry.model.artifacts import Holding
from registry.model.names import Project
from registry.storage.database import Row
from registry.storage.documents import name_of
from registry.storage.holdings import COLUMNS, holding_of

_REFERENCED = (
    "SELECT blob FROM artifact WHERE blob IS NOT NULL AND origin = 'public'"
    " UNION SELECT metadata_blob FROM artifact WHERE metadata_blob IS NOT NULL AND origin = 'public'"
    " UNION SELECT side_blob FROM artifact WHERE side_blob IS NOT NULL AND origin = 'public'"
)
_DOCUMENTS = "SELECT ecosystem, project, sha256 FROM document WHERE origin = 'public'"
_HOLDERS = (
    f"SELECT ecosystem, project, {COLUMNS} FROM artifact"  # noqa: S608 - constants
    " WHERE (blob = ?1 OR metadata_blob = ?1) AND origin = 'public'"
)
_OLDEST = (
    "SELECT a.blob, max(a.blob_size), coalesce(max(u.used), max(a.first_seen)) AS used FROM artifact a"
    " LEFT JOIN blob_use u ON u.volume = ? AND u.sha256 = a.blob"
    " WHERE a.blob IS NOT NULL AND a.origin = 'public' GROUP BY a.blob ORDER BY used, a.blob"
)


def blobs_needed(connection: apsw.Connection) -> frozenset[str]:
    """Names of the verified files that public rows name."""
    return frozenset(str(row[0]) for row in connection.execute(_REFERENCED))


def documents_needed(connection: apsw.Connection) -> frozenset[str]:
    """Names of the files of public documents."""
    rows: list[Row] = connection.execute(_DOCUMENTS).fetchall()
    return frozenset(name_of(Project(row[0], row[1]), row[2]) for row in rows)


def holders(connection: apsw.Connection, sha256: str) -> tuple[Holding, ...]:
    """The public rows that need these bytes, as their file or as its core metadata."""
    rows: list[Row] = connection.execute(_HOLDERS, (sha256,)).fetchall()
    return tuple(holding_of(Project(row[0], row[1]), row[2:]) for row in rows)


def least_used(connection: apsw.Connection, volume: str) -> list[Row]:
    """Name, size in bytes and last use (microseconds since 1970) of all public files, least recently used
    first."""
    return connection.execute(_OLDEST, (volume,)).fetchall()


def give_up(connection: apsw.Connection, volume: str, sha256: str) -> None:
    """Need a public file no more: its rows lose it, what is known of its look and use goes."""
    connection.execute(
        "UPDATE artifact SET blob = NULL, blob_size = NULL WHERE blob = ? AND origin = 'public'", (sha256,)
    )
    connection.execute("DELETE FROM blob WHERE volume = ? AND sha256 = ?", (volume, sha256))
    connection.execute("DELETE FROM blob_use WHERE volume = ? AND sha256 = ?", (volume, sha256))
