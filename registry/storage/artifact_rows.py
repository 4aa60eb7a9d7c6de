"""Rows of the `artifact` and `project` tables, read and written within one transaction of a connection."""

from __future__ import annotations

import apsw

from registry.errors import NotFound
from registry.model.artifacts import Holding
from registry.model.names import Project
from registry.storage import listings
from registry.storage.database import Row
from registry.storage.holdings import COLUMNS, holding_of, row_of

HAS = (
    "SELECT EXISTS (SELECT 1 FROM artifact WHERE ecosystem = ?1 AND project = ?2)"
    " OR EXISTS (SELECT 1 FROM listing WHERE ecosystem = ?1 AND project = ?2)"
)
ORIGIN = "SELECT public, private FROM project WHERE ecosystem = ? AND name = ?"
_ONE = f"SELECT {COLUMNS} FROM artifact WHERE ecosystem = ? AND project = ? AND filename = ?"  # noqa: S608 - constants
_WRITE = (
    f"INSERT OR REPLACE INTO artifact (ecosystem, project, {COLUMNS})"  # noqa: S608 - constants
    f" VALUES (?, ?, {', '.join('?' * (COLUMNS.count(',') + 1))})"
)


def is_known(connection: apsw.Connection, project: Project) -> bool:
    """Whether anything is known of a project's files."""
    return bool(connection.execute(HAS, (project.ecosystem, project.name)).fetchall()[0][0])


def find(connection: apsw.Connection, project: Project, filename: str) -> Holding | None:
    """A file, by its row or by its listing."""
    key = (project.ecosystem, project.name, filename)
    rows = connection.execute(_ONE, key).fetchall()
    if rows:
        return holding_of(project, rows[0])
    return listings.holding_in(connection.execute(listings.PAGE_OF, (*key, filename)), filename)


def require(connection: apsw.Connection, project: Project, filename: str) -> Holding:
    """The same. Raises NotFound."""
    found = find(connection, project, filename)
    if found is None:
        raise NotFound(f"{filename} is not a known file of {project.name}.")
    return found


def write(connection: apsw.Connection, holding: Holding) -> None:
    """Give a file its row, or change it."""
    project = holding.artifact.project
    connection.execute(_WRITE, (project.ecosystem, project.name, *row_of(holding)))


def note_project(connection: apsw.Connection, project: Project, origin: str) -> None:
    """Note whose project it is."""
    private = origin == "private"
    connection.execute(
        "INSERT INTO project (ecosystem, name, public, private) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET public = max(public, excluded.public), private = max(private, excluded.private)",
        (project.ecosystem, project.name, int(not private), int(private)),
    )


def origin(connection: apsw.Connection, project: Project) -> str | None:
    """Whose a project is: `private` when anything was ever published here, else `public`, or None."""
    rows = connection.execute(ORIGIN, (project.ecosystem, project.name)).fetchall()
    return origin_of(rows[0] if rows else None)


def origin_of(row: Row | None) -> str | None:
    """The same out of a row of ORIGIN."""
    if row is None:
        return None
    return "private" if row[1] else "public"
