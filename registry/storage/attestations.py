"""Who built which file: the port's implementation over the `attestation` table."""

from __future__ import annotations

from collections.abc import Mapping

from registry.model.attestations import Attested, Judgement
from registry.model.names import Project
from registry.storage.database import Database, Row
from registry.storage.moments import micros, moment_of

_COLUMNS = "filename, version, verdict, publisher, reason, checked, provenance, handover"


class Attestations:
    """What is known, by project and file name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attested(self, project: Project) -> Mapping[str, Attested]:
        """All that is known of a project's files, by file name."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM attestation WHERE ecosystem = ? AND project = ?",  # noqa: S608 - constants
            (project.ecosystem, project.name),
        )
        return {str(row[0]): _attested(row) for row in rows}

    async def of(self, project: Project, filename: str) -> Attested | None:
        """What is known of one file."""
        row = self._database.row(
            f"SELECT {_COLUMNS} FROM attestation WHERE ecosystem = ? AND project = ? AND filename = ?",  # noqa: S608 - constants
            (project.ecosystem, project.name, filename),
        )
        return None if row is None else _attested(row)

    async def attest(self, project: Project, attested: Attested) -> None:
        """Remember what is known of one file."""
        judgement = attested.judgement
        values = (
            project.ecosystem,
            project.name,
            attested.filename,
            attested.version,
            judgement.verdict,
            judgement.publisher,
            judgement.reason,
            micros(attested.checked),
            attested.provenance,
            attested.handover,
        )
        await self._database.write(
            lambda connection: connection.execute(
                f"INSERT OR REPLACE INTO attestation (ecosystem, project, {_COLUMNS})"  # noqa: S608 - constants
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        )


def _attested(row: Row) -> Attested:
    filename, version, verdict, publisher, reason, checked, provenance, handover = row
    return Attested(
        filename=filename,
        version=version,
        judgement=Judgement(verdict=verdict, publisher=publisher, reason=reason),
        checked=moment_of(checked),
        provenance=provenance,
        handover=handover,
    )
