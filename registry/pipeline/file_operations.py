"""Kept Python files, for admins: who built them, and their core metadata."""

from __future__ import annotations

from registry.model.attestations import Attested
from registry.model.ecosystem import Ecosystem
from registry.model.ports import Attestations, Catalogue
from registry.pipeline.inspector import Inspector


class FileOperations:
    """Kept Python files, for admins."""

    def __init__(
        self, *, ecosystem: Ecosystem, catalogue: Catalogue, attestations: Attestations, inspector: Inspector
    ) -> None:
        self._ecosystem = ecosystem
        self._catalogue = catalogue
        self._attestations = attestations
        self._inspector = inspector

    async def builders(self, name: str) -> tuple[Attested, ...]:
        """Who built the files of a project, as far as that was checked. Raises Malformed."""
        found = await self._attestations.attested(self._ecosystem.parse_name(name))
        return tuple(found[filename] for filename in sorted(found))

    async def backfill(self) -> tuple[str, ...]:
        """Look again into wheels that were kept without core metadata (before it was offered, or because the
        volume was full) or seemed to be something else; gives the names of those that offer it now."""
        mended: list[str] = []
        for name in await self._catalogue.projects(self._ecosystem.name):
            for row in await self._catalogue.holdings(self._ecosystem.parse_name(name)):
                wanting = row.blob is not None and (row.metadata_blob is None or row.artifact.mismatch)
                if wanting and row.artifact.filename.endswith(".whl") and await self._inspector.examine(row):
                    mended.append(row.artifact.filename)
        return tuple(mended)
