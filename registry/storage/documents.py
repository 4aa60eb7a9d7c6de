"""The sources' documents: gzipped bodies as files on their origin's volume, what is known about them as rows.

Those of private packages lie with the private packages, so that these don't depend on the LAN volume.

A changed body is a new file, and the row is switched to it afterwards: a crash in between leaves the old
document readable and one file too many, never a row without its body.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import apsw
import msgspec

from registry.errors import Unavailable
from registry.model.indexes import Document
from registry.model.names import Project
from registry.storage.database import Database
from registry.storage.document_files import body_of, found_on, packed, pieces_of, write
from registry.storage.moments import micros, moment_of
from registry.storage.near import NearCopies
from registry.storage.neighbours import Neighbours
from registry.storage.volume import Volume

_LOG = logging.getLogger(__name__)
_PATIENCE = 1.0
"""Seconds that the volume is waited for where a copy is near."""
Pieces = Callable[[], Iterable[bytes]]


class Documents:
    """The port's implementation over a volume for each origin and the `document` table."""

    def __init__(
        self,
        volumes: Mapping[str, Volume],
        database: Database,
        near: NearCopies | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """`near` keeps copies of public documents, so that these don't depend on the LAN volume either.
        `neighbours` may use that volume too."""
        self._neighbours = neighbours
        self._volumes = volumes
        self._database = database
        self._near = near
        self._owed: set[Project] = set()
        """Whose file isn't on the volume yet."""
        self._writing: set[asyncio.Task[None]] = set()

    async def get(self, project: Project) -> Document | None:
        """The kept document, verified against its recorded sha256; None if there is none (or it rotted).

        One that is too large for memory comes as the path of its file, for whoever reads it to verify. Raises
        Unavailable when it lies on a volume only that is gone or hangs.
        """
        kept = self._row(project)
        while kept is not None:
            found = await self._from_near(project, kept) or await self._from_volume(project, kept)
            if found is not None:
                return found
            lost, kept = kept, self._row(project)
            if kept is not None and kept.sha256 == lost.sha256:
                _LOG.error("the document of %s is missing or damaged; it is fetched again", project)
                await self.drop(project)
                return None
        return None

    async def put(self, project: Project, document: Document) -> None:
        """Keep it; only what is known about it is rewritten when the body is unchanged.

        Where a copy is near, a volume that fails or takes long isn't waited for: it gets its file with a
        later word from the source. Raises Unavailable where there is none.
        """
        sha256 = document.sha256 or hashlib.sha256(document.body).hexdigest()
        document = msgspec.structs.replace(document, sha256=sha256)
        before = self._row(project)
        is_new = before is None or self._path(project, before) != self._path(project, document)
        if is_new or project in self._owed:
            await self._keep(project, document)
        row = (
            project.ecosystem,
            project.name,
            sha256,
            document.content_type,
            document.url,
            document.etag,
            document.last_modified,
            micros(document.checked),
            document.origin,
            int(document.path != ""),
        )

        def job(connection: apsw.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO document"
                " (ecosystem, project, sha256, content_type, url, etag, last_modified, checked, origin,"
                " large) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

        await self._database.write(job)
        if before is not None and is_new:
            await self._remove(project, before)

    async def drop(self, project: Project) -> None:
        """Forget it."""
        before = self._row(project)
        if before is None:
            return

        def job(connection: apsw.Connection) -> None:
            connection.execute(
                "DELETE FROM document WHERE ecosystem = ? AND project = ? AND sha256 = ?",
                (project.ecosystem, project.name, before.sha256),
            )

        await self._database.write(job)
        await self._remove(project, before)

    async def standing(self, project: Project) -> Document | None:
        """What is known about the kept document: its body isn't read, and left empty."""
        return self._row(project)

    async def names(self, ecosystem: str) -> tuple[str, ...]:
        """Names of all projects with a kept document, sorted."""
        rows = await self._database.scan(
            lambda connection: connection.execute(
                "SELECT project FROM document WHERE ecosystem = ? ORDER BY project", (ecosystem,)
            ).fetchall()
        )
        return tuple(str(row[0]) for row in rows)

    async def close(self) -> None:
        """Give up what is still being written."""
        for writing in self._writing:
            writing.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)

    def _row(self, project: Project) -> Document | None:
        """What is known about the kept document; its body is left empty."""
        row = self._database.row(
            "SELECT content_type, url, etag, last_modified, sha256, checked, origin, large FROM document"
            " WHERE ecosystem = ? AND project = ?",
            (project.ecosystem, project.name),
        )
        if row is None:
            return None
        content_type, url, etag, last_modified, sha256, checked, origin, large = row
        kept = Document(
            body=b"",
            content_type=content_type,
            url=url,
            etag=etag,
            last_modified=last_modified,
            sha256=sha256,
            checked=moment_of(checked),
            origin=origin,
        )
        return msgspec.structs.replace(kept, path=str(self._path(project, kept))) if large else kept

    def _path(self, project: Project, document: Document) -> Path:
        """Of one body of one project: two projects never share a file."""
        return self._volumes[document.origin].document(project.ecosystem, name_of(project, document.sha256))

    async def _from_near(self, project: Project, kept: Document) -> Document | None:
        if self._near is None or kept.origin != "public":
            return None
        near, name, sha256 = self._near, name_of(project, kept.sha256), kept.sha256
        path = near.find(name)
        if path is None:
            return None
        if kept.path:
            return msgspec.structs.replace(kept, path=str(path))
        body = await asyncio.to_thread(body_of, path, sha256)
        if body is None:
            near.drop(name)
            return None
        return msgspec.structs.replace(kept, body=body)

    async def _from_volume(self, project: Project, kept: Document) -> Document | None:
        volume, path, sha256 = self._volumes[kept.origin], self._path(project, kept), kept.sha256
        is_there = bool(kept.path) and await volume.run(path.is_file)
        if is_there:
            return kept
        await volume.identified()
        body: bytes | None = await volume.run(lambda: found_on(volume, path, sha256))
        return None if body is None else msgspec.structs.replace(kept, body=body)

    async def _keep(self, project: Project, document: Document) -> None:
        """Write its file: near, then on its volume; one on a disk of this machine first."""
        pieces, size = _file(document)
        near, name = self._near, name_of(project, document.sha256)
        if near is None or document.origin != "public":
            await self._write(project, document, pieces, size)
            return
        if self._volumes[document.origin].local:
            with contextlib.suppress(Unavailable):
                await self._write(project, document, pieces, size, lambda path: near.link(name, path, pieces))
                return
        copy = await asyncio.to_thread(near.put, name, pieces())
        if copy is None:
            await self._write(project, document, pieces, size)
            return
        self._owed.add(project)
        writing = asyncio.create_task(self._write(project, document, lambda: pieces_of(copy), size))
        self._writing.add(writing)
        writing.add_done_callback(self._written)
        with contextlib.suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(writing)

    async def _write(
        self,
        project: Project,
        document: Document,
        pieces: Pieces,
        size: int,
        written: Callable[[Path], object] = lambda _: None,
    ) -> None:
        """Write its file on its volume; `written` is called there with its path."""
        volume, path = self._volumes[document.origin], self._path(project, document)

        def work() -> None:
            write(volume, path, size, pieces())
            written(path)

        await volume.identified()
        await volume.run(work, work=size)
        self._owed.discard(project)

    def _written(self, writing: asyncio.Task[None]) -> None:
        self._writing.discard(writing)
        if not writing.cancelled() and (error := writing.exception()):
            _LOG.warning("a document lies on the local disk only, for now: %s", error)

    async def _remove(self, project: Project, document: Document) -> None:
        volume, path = self._volumes[document.origin], self._path(project, document)
        if self._near is not None and document.origin == "public":
            self._near.drop(name_of(project, document.sha256))
        if document.origin == "public" and self._neighbours is not None:
            with contextlib.suppress(Unavailable):
                if not await self._neighbours.alone():
                    return  # another appliance may read it; gc knows when nobody does
        if project in self._owed:  # the volume isn't well, and not waited for
            volume.later(lambda: path.unlink(missing_ok=True))
        else:
            await volume.run(lambda: path.unlink(missing_ok=True))


def name_of(project: Project, sha256: str) -> str:
    """The name of the file with one body of one project."""
    return hashlib.sha256(f"{project}\n{sha256}".encode()).hexdigest()


def _file(document: Document) -> tuple[Pieces, int]:
    """What its file holds, and about how many bytes that is."""
    if document.path:
        path = Path(document.path)
        return lambda: pieces_of(path), path.stat().st_size
    data = packed(document.body)
    return lambda: (data,), len(data)
