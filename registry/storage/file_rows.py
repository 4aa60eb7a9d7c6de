"""What is known of one file: its own row or its entry in a page of a listing, with what a look at it said."""

from __future__ import annotations

from functools import lru_cache

from registry.model.artifacts import Holding
from registry.model.names import Project
from registry.storage import listings
from registry.storage.database import Database
from registry.storage.holdings import COLUMNS, LOOKED, looked, looked_holding_of

_NAMED = ", ".join(f"artifact.{column}" for column in COLUMNS.split(", "))
ALL_LOOKED = (
    f"SELECT {_NAMED}, {LOOKED} FROM artifact LEFT JOIN attestation AS a"  # noqa: S608 - constants
    " ON a.ecosystem = artifact.ecosystem AND a.project = artifact.project AND a.filename = artifact.filename"
    " WHERE artifact.ecosystem = ? AND artifact.project = ?"
)
"""The rows of a project's files."""
ONE_LOOKED = f"{ALL_LOOKED} AND artifact.filename = ?"
_PAGE_LOOKED = (
    f"SELECT origin, first_seen, entries, {LOOKED} FROM listing LEFT JOIN attestation AS a"  # noqa: S608 - constants
    " ON a.ecosystem = ?1 AND a.project = ?2 AND a.filename = ?3"
    " WHERE listing.ecosystem = ?1 AND listing.project = ?2 AND first <= ?3 AND last >= ?3"
)
"""The page that may hold a file, and what looking at the file came to."""
_REMEMBERED = 4_096

_decoded = lru_cache(_REMEMBERED)(looked_holding_of)
"""The value of a row that says the same as before: a row is read again after every change of any table."""


class FileRows:
    """Point look-ups on the local disk, and what they found."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: dict[tuple[Project, str], Holding] = {}
        """Rows as of edition `_read_at` of the tables."""
        self._read_at = database.changes.now()

    def own(self, project: Project, filename: str) -> Holding | None:
        """A file's own row; not even read again while no process changes any table."""
        edition = self._database.changes.now()
        if edition != self._read_at or len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
            self._read_at = edition
        found = self._remembered.get((project, filename))
        if found is None:
            row = self._database.row(ONE_LOOKED, (project.ecosystem, project.name, filename))
            if row is None:
                return None
            found = self._remembered[project, filename] = _decoded(project, row)
        return found

    def listed(self, project: Project, filename: str) -> Holding | None:
        """The entry of a file that has no row."""
        pages = self._database.rows(_PAGE_LOOKED, (project.ecosystem, project.name, filename))
        found = listings.holding_in((page[:3] for page in pages), filename)
        return None if found is None else looked(found, pages[0][3:])
