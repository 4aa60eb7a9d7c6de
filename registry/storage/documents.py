"""The sources' documents: gzipped bodies as files on their origin's volume, what is known about them as rows.

Those of private packages lie with the private packages, so that these don't depend on the LAN volume.

A changed body is a new file, and the row is switched to it afterwards: a crash in between leaves the old
document readable and one file too many, never a row without its body.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import apsw
import msgspec
from isal import igzip

from registry.model.indexes import Document
from registry.model.names import Project
from registry.storage.database import Database
from registry.storage.durable import move_into, read_whole, seal, temp_file, write_all
from registry.storage.moments import micros, moment_of
from registry.storage.volume import Volume

_LOG = logging.getLogger(__name__)
_PIECE = 1024 * 1024
_COPIED = 64 * _PIECE
"""What a copy counts for when its patience is measured."""
_LEVEL = 2
"""igzip's default: a tenth of zlib's time for nearly zlib's size."""


class Documents:
    """The port's implementation over a volume for each origin and the `document` table."""

    def __init__(self, volumes: Mapping[str, Volume], database: Database) -> None:
        self._volumes = volumes
        self._database = database

    async def get(self, project: Project) -> Document | None:
        """The kept document, verified against its recorded sha256; None if there is none (or it rotted).

        One that is too large for memory comes as the path of its file, for whoever reads it to verify. Raises
        Unavailable when the volume is gone or hangs.
        """
        kept = self._row(project)
        while kept is not None:
            volume, path, sha256 = self._volumes[kept.origin], self._path(project, kept), kept.sha256
            is_there = bool(kept.path) and await volume.run(path.is_file)
            if is_there:
                return kept
            body = await volume.run(lambda path=path, sha256=sha256: _body(path, sha256))  # type: ignore[misc]
            if body is not None:
                return msgspec.structs.replace(kept, body=body)
            await volume.identified()
            await volume.run(volume.require_identity)
            kept = self._row(project)
            if kept is not None and kept.sha256 == sha256:
                _LOG.error("the document of %s is missing or damaged; it is fetched again", project)
                await self.drop(project)
                return None
        return None

    async def put(self, project: Project, document: Document) -> None:
        """Keep it; only what is known about it is rewritten when the body is unchanged."""
        sha256 = document.sha256 or hashlib.sha256(document.body).hexdigest()
        document = msgspec.structs.replace(document, sha256=sha256)
        before = self._row(project)
        volume, path = self._volumes[document.origin], self._path(project, document)
        is_new = before is None or self._path(project, before) != path
        if is_new:
            await volume.identified()
            if document.path:
                await volume.run(lambda: _copy(volume, path, Path(document.path)), work=_COPIED)
            else:
                await volume.run(lambda: _store(volume, path, document.body), work=len(document.body))
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
        """Of one body of one project: two projects never share a file, so each can remove its own."""
        return self._volumes[document.origin].document(project.ecosystem, name_of(project, document.sha256))

    async def _remove(self, project: Project, document: Document) -> None:
        path = self._path(project, document)
        await self._volumes[document.origin].run(lambda: path.unlink(missing_ok=True))


def name_of(project: Project, sha256: str) -> str:
    """The name of the file with one body of one project."""
    return hashlib.sha256(f"{project}\n{sha256}".encode()).hexdigest()


def _store(volume: Volume, path: Path, body: bytes) -> None:
    packed = igzip.compress(body, _LEVEL, mtime=0)
    _write(volume, path, len(packed), (packed,))


def _copy(volume: Volume, path: Path, source: Path) -> None:
    """Take over a file that is a gzip already."""
    with source.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        _write(volume, path, size, iter(lambda: file.read(_PIECE), b""))


def _write(volume: Volume, path: Path, size: int, pieces: Iterable[bytes]) -> None:
    volume.require_identity()
    volume.require_space(size)
    path.parent.parent.mkdir(mode=0o755, exist_ok=True)
    descriptor, temp = temp_file(volume.temp)
    try:
        try:
            for piece in pieces:
                write_all(descriptor, piece)
        except BaseException:
            os.close(descriptor)
            raise
        seal(descriptor)
        move_into(temp, path.parent, path.name)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise


def _body(path: Path, sha256: str) -> bytes | None:
    """Blocks. The body with this sha256, or None for a file that is missing or damaged."""
    try:
        body: bytes = igzip.decompress(read_whole(path))  # type: ignore[no-untyped-call]
    except (FileNotFoundError, EOFError, zlib.error, igzip.BadGzipFile):
        return None
    return body if hashlib.sha256(body).hexdigest() == sha256 else None
