"""What an admin can do about private Python releases: yank, give back, delete, and say what a project is.

npm's packages are changed by npm itself (deprecate, unpublish). Every act is in the log before it counts, and
counts at every door before it is answered. A deleted file's name is never used again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from registry.errors import Malformed, NotFound, RegistryError
from registry.model.artifacts import Holding
from registry.model.ecosystem import Ecosystem
from registry.model.events import Client, Event, Kind
from registry.model.indexes import Status
from registry.model.names import Project
from registry.model.ports import Blobs, Catalogue, Clock, Stock
from registry.model.publications import Stocked
from registry.pipeline.turns import Turns

Standings = Literal["active", "archived", "deprecated", "quarantined"]
"""What a project can be (PEP 792). Archived: no more uploads. Quarantined: none, and no file is given out."""

LONGEST_REASON = 200
"""Characters: it is shown in indexes and by clients."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A release that was changed."""

    name: str
    version: str
    files: tuple[str, ...]
    note: str = ""
    """What is left to do, if anything."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a private project is."""

    name: str
    status: Standings
    reason: str = ""


class PrivateOperations:
    """Private releases, for admins."""

    def __init__(
        self,
        *,
        ecosystem: Ecosystem,
        stock: Stock,
        catalogue: Catalogue,
        blobs: Blobs,
        clock: Clock,
        turns: Turns,
    ) -> None:
        """`blobs` keep the private side's files and documents."""
        self._ecosystem = ecosystem
        self._stock = stock
        self._catalogue = catalogue
        self._blobs = blobs
        self._clock = clock
        self._turns = turns

    async def yank(self, name: str, version: str, reason: str, *, by: Client) -> Changed:
        """Have resolvers pass a release over unless it is asked for by its version (PEP 592).

        Raises Malformed and NotFound.
        """
        words = _line(reason)
        if not words:
            raise Malformed("A yank needs a reason; it is shown to whoever asks for that version.")
        return await self._mark(name, version, words, {"change": "yank", "reason": words}, by)

    async def unyank(self, name: str, version: str, *, by: Client) -> Changed:
        """Take a yank back. Raises Malformed and NotFound."""
        return await self._mark(name, version, None, {"change": "unyank"}, by)

    async def standing(self, name: str) -> Standing:
        """What a project is. Raises Malformed, and NotFound for one that isn't published here."""
        return await self._standing(await self._ours(name))

    async def stand(self, name: str, status: Standings, reason: str, *, by: Client) -> Standing:
        """Say what a project is; every status but `active` needs a reason, which clients may show.

        Raises Malformed and NotFound.
        """
        words = _line(reason)
        if status != "active" and not words:
            raise Malformed(f"To call a project {status} takes a reason; its index tells it.")
        project = await self._ours(name)
        said = None if status == "active" else Status(status, words)
        event = self._event(by, (), {"change": "status", "status": status, "reason": words})
        async with self._turns.turn(project):
            event = msgspec.structs.replace(event, project=project)
            await self._catalogue.set_status(project, said, event)
            await self._turns.changed(project)
        return await self._standing(project)

    async def delete(self, name: str, version: str, reason: str, *, by: Client) -> Changed:
        """Take a release away for good: not listed, not served, gone from the back end, its names used up.

        Raises Malformed and NotFound.
        """
        words = _line(reason)
        if not words:
            raise Malformed("A deletion needs a reason; the log keeps it.")
        project = self._ecosystem.parse_name(name)
        async with self._turns.turn(project):
            rows = await self._release(project, version)
            filenames = _filenames(rows)
            await self._catalogue.retire(
                project, filenames, self._event(by, rows, {"change": "delete", "reason": words})
            )
            await self._turns.changed(project)
            for row in rows:
                await self._catalogue.release(project, row.artifact.filename)
            note = await self._cleared(project, rows)
        return Changed(name=project.name, version=rows[0].artifact.version, files=filenames, note=note)

    async def _ours(self, name: str) -> Project:
        project = self._ecosystem.parse_name(name)
        if await self._catalogue.origin(project) != "private":
            raise NotFound(f"'{project.name}' isn't published here.")
        return project

    async def _standing(self, project: Project) -> Standing:
        said = self._catalogue.status(project)
        if said is None:
            return Standing(name=project.name, status="active")
        return msgspec.convert({"name": project.name, "status": said.status, "reason": said.reason}, Standing)

    async def _mark(
        self, name: str, version: str, yanked: str | None, detail: Mapping[str, str], by: Client
    ) -> Changed:
        project = self._ecosystem.parse_name(name)
        async with self._turns.turn(project):
            rows = await self._release(project, version)
            filenames = _filenames(rows)
            await self._catalogue.yank(project, filenames, yanked, self._event(by, rows, detail))
            await self._turns.changed(project)
        return Changed(name=project.name, version=rows[0].artifact.version, files=filenames)

    async def _release(self, project: Project, version: str) -> Sequence[Holding]:
        """The rows of one published version. Raises NotFound."""
        rows = [
            row for row in await self._catalogue.holdings(project) if row.origin == "private" and not row.gone
        ]
        versions = {row.artifact.version for row in rows}
        if version not in versions:
            same = self._ecosystem.parse_range(f"=={version}")
            alike = {known for known in versions if same(known)}
            version = alike.pop() if len(alike) == 1 else version
        chosen = [row for row in rows if row.artifact.version == version]
        if not chosen:
            raise NotFound(f"'{project.name}' has no version {version!r} that was published here.")
        return chosen

    async def _cleared(self, project: Project, rows: Sequence[Holding]) -> str:
        """Drop the bytes of a deleted release, here and in the back end; gives what is left to do."""
        left = await self._catalogue.holdings(project)
        named = {blob for row in left if not row.gone for blob in _blobs(row)}
        try:
            for blob in {blob for row in rows for blob in _blobs(row)} - named:
                await self._blobs.drop(blob)
            for filename in _filenames(rows):
                await self._stock.remove(Stocked(filename=filename, sha256=""))
        except RegistryError as error:
            return f"The files still lie in the back end ({error}); `registry private rescan` removes them."
        return ""

    def _event(self, by: Client, rows: Sequence[Holding], detail: Mapping[str, str]) -> Event:
        artifact = rows[0].artifact if rows else None
        return Event(
            kind=Kind.PUBLISH,
            at=self._clock.now(),
            actor=by.actor,
            project=artifact.project if artifact else None,
            version=artifact.version if artifact else None,
            address=by.address,
            agent=by.agent,
            detail={**detail, **({"files": " ".join(_filenames(rows))} if rows else {})},
        )


def _filenames(rows: Sequence[Holding]) -> tuple[str, ...]:
    return tuple(row.artifact.filename for row in rows)


def _blobs(row: Holding) -> set[str]:
    """What is kept of a file: its bytes, however they are known, and its metadata."""
    digests = {digest.hex for digest in row.artifact.digests if digest.algorithm == "sha256"}
    return digests | {blob for blob in (row.blob, row.metadata_blob) if blob}


def _line(text: str) -> str:
    words = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(words.split())[:LONGEST_REASON]
