"""Rows of the `listing` table: files as they were first seen, a page of them in a row.

Most files that an index lists are never asked for. Only one that something happened to (it came in, its
source says something else of it, it was published here) has a row of its own in `artifact`, and that counts
from then on. A page never changes, and no file is in two.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache

import apsw

from registry.model.artifacts import Artifact, Holding, Known, trusted
from registry.model.listings import Listing, unpacked
from registry.model.names import Project
from registry.storage import pinning
from registry.storage.database import Row
from registry.storage.moments import micros, moment_of

PAGES = "SELECT origin, first_seen, entries FROM listing WHERE ecosystem = ? AND project = ?"
PAGE_OF = f"{PAGES} AND first <= ? AND last >= ?"
"""Those that may hold a file; its name is given twice."""
_UNDATED = "SELECT project, entries FROM listing WHERE ecosystem = ? AND undated > 0 AND origin = 'public'"
_ROWS_AMONG = (
    "SELECT count(*) FROM artifact WHERE ecosystem = ? AND project = ?"
    " AND filename IN (SELECT value FROM json_each(?))"
)
_WRITE = (
    "INSERT INTO listing (ecosystem, project, origin, first_seen, first, last, undated, entries)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def write(
    connection: apsw.Connection, project: Project, listing: Listing, origin: str, now: datetime
) -> None:
    """Keep files that were never seen before."""
    connection.executemany(
        _WRITE,
        (
            (
                project.ecosystem,
                project.name,
                origin,
                micros(now),
                page.first,
                page.last,
                page.undated,
                page.entries,
            )
            for page in listing.pages
        ),
    )


def holding_in(pages: Iterable[Row], filename: str) -> Holding | None:
    """A file out of rows of PAGES."""
    for origin, first_seen, entries in pages:
        artifact = _by_name(entries).get(filename)
        if artifact is not None:
            return pinning.first_seen(artifact, origin, moment_of(first_seen))
    return None


def holdings_in(pages: Iterable[Row], besides: Container[str]) -> Iterator[Holding]:
    """All files out of rows of PAGES, but those that have rows of their own."""
    for origin, first_seen, entries in pages:
        since = moment_of(first_seen)
        for artifact in unpacked(entries):
            if artifact.filename not in besides:
                yield pinning.first_seen(artifact, origin, since)


def known_in(pages: Iterable[Row], besides: Container[str]) -> Iterator[tuple[str, Known]]:
    """The same as far as an index needs it, by file name."""
    for _, first_seen, entries in pages:
        since = moment_of(first_seen)
        for artifact in unpacked(entries):
            if artifact.filename not in besides:
                yield artifact.filename, Known(since, trusted(artifact.digests))


def listed_in(pages: Iterable[Row], besides: Container[str]) -> Mapping[str, tuple[str, Artifact]]:
    """Origin and facts of the same, by file name."""
    return {
        artifact.filename: (origin, artifact)
        for origin, _, entries in pages
        for artifact in unpacked(entries)
        if artifact.filename not in besides
    }


def undated(connection: apsw.Connection, ecosystem: str) -> int:
    """How many public files nobody tells the age of, but those that have rows of their own."""
    count = 0
    for project, entries in connection.execute(_UNDATED, (ecosystem,)):
        names = [artifact.filename for artifact in unpacked(entries) if artifact.undated]
        rows = connection.execute(_ROWS_AMONG, (ecosystem, project, json.dumps(names))).fetchall()
        count += len(names) - int(str(rows[0][0]))
    return count


@lru_cache(maxsize=32)
def _by_name(entries: bytes) -> Mapping[str, Artifact]:
    return {artifact.filename: artifact for artifact in unpacked(entries)}
