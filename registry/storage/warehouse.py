"""What lies on a volume, looked at as a whole: measured, tidied up, made smaller, checked for rot.

Safe while serving: a file that came or was asked for within the last hour (a day, where no row names it)
stays. A row goes before its file, so no row ever lacks its bytes; pins stay always. Safe beside other
appliances on the same volume: files are taken away in turn, and none that another one needs. What is private
lies on a volume of its own, which is never made smaller.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from registry.errors import Unavailable
from registry.model.artifacts import Holding
from registry.model.warehouse import Kept, Taken
from registry.storage import needs
from registry.storage.adoptions import Adoptions
from registry.storage.blobs import Blobs
from registry.storage.database import Database
from registry.storage.needs import blobs_needed, documents_needed
from registry.storage.neighbours import Neighbours, Others, Turn
from registry.storage.trees import blob_files, documents, files_below
from registry.storage.volume import Volume

TELL = 3_600.0
"""Seconds between two words to the other appliances on the volume."""
TELL_AGAIN = 60.0
"""Seconds until the next try where the volume was not well."""

Files = Sequence[tuple[Path, os.stat_result]]

_LOG = logging.getLogger(__name__)
_ORPHAN_GRACE = 24 * 3_600
"""Seconds for which a file without a row stays: it may be on its way in, here or at another appliance."""
_USE_GRACE = 3_600
_MICRO = 1_000_000
_POSITION = "scrub-position"


class Warehouse:
    """The port's implementation over the volume of public files."""

    def __init__(
        self,
        volume: Volume,
        database: Database,
        blobs: Blobs,
        adoptions: Adoptions,
        neighbours: Neighbours,
    ) -> None:
        self._volume = volume
        self._database = database
        self._blobs = blobs
        self._adoptions = adoptions
        self._neighbours = neighbours

    async def measure(self) -> Kept:
        """What lies there, counted from the files. Raises Unavailable."""
        await self._volume.identified()
        referenced = await self._database.scan(blobs_needed)
        described = await self._database.scan(documents_needed)
        adopted = await self._adoptions.waiting() - referenced
        others = await self._neighbours.others()

        def look() -> Kept:
            blobs, orphans, bad, index = [0, 0], [0, 0], [0, 0], [0, 0]
            for sha256, status in blob_files(self._volume.root):
                _count(blobs if sha256 in referenced else orphans, status)
            for path, status in documents(self._volume.root):
                _count(index if path.name in described else orphans, status)
            for _, status in files_below(self._volume.root / "bad"):
                _count(bad, status)
            figures = os.statvfs(self._volume.root)
            return Kept(
                files=blobs[0],
                bytes=blobs[1],
                documents=index[0],
                documents_bytes=index[1],
                orphans=orphans[0],
                orphans_bytes=orphans[1],
                adopted=len(adopted),
                neighbours=others.count,
                damaged=bad[0],
                damaged_bytes=bad[1],
                free=figures.f_bavail * figures.f_frsize,
            )

        return await self._volume.run(look, work=_PATIENCE)

    async def collect(self, *, dry_run: bool) -> Taken:
        """Remove files that nobody needs, once they are a day old. Raises Unavailable, also while another
        appliance on the volume does that."""
        await self._volume.identified()
        needed, oldest = await self._needed(), time.time() - _ORPHAN_GRACE

        def look() -> list[tuple[Path, os.stat_result]]:
            self._volume.require_identity()
            blobs = (
                (self._volume.blob(sha256), status)
                for sha256, status in blob_files(self._volume.root)
                if not self._blobs.used_since(sha256, oldest)
            )
            return [
                (path, status)
                for path, status in (*blobs, *documents(self._volume.root))
                if path.name not in needed and status.st_mtime < oldest
            ]

        found = await self._volume.run(look, work=_PATIENCE)
        if dry_run:
            return _taken(*_divided(found, await self._neighbours.others()))
        async with self._neighbours.turn() as turn:
            await self._neighbours.tell(needed)
            others = await self._neighbours.others()

            def tidy() -> Taken:
                free, left = _divided(found, others)
                gone = [one for one in free if self._remove_if_old(one[0], oldest, others, turn)]
                return _taken(gone, left)

            return await self._volume.run(tidy, work=_PATIENCE)

    async def shrink(self, quota: int, *, dry_run: bool) -> Taken:
        """Give up public files, the least recently used first, until the rest takes `quota` bytes or less.

        The quota is this appliance's own: a file that another one needs is given up, and stays. Raises
        Unavailable, also while another appliance takes files away.
        """
        await self._blobs.flush_uses()
        rows = await self._database.scan(lambda connection: needs.least_used(connection, self._volume.key))
        surplus = sum(row[1] or 0 for row in rows) - quota
        youngest = int((time.time() - _USE_GRACE) * _MICRO)
        chosen, taken = [], 0
        for sha256, size, used in rows:
            if taken >= surplus:
                break
            if used <= youngest and not self._blobs.used_since(sha256, time.time() - _USE_GRACE):
                chosen.append(sha256)
                taken += size or 0
        if chosen and not dry_run:
            async with self._neighbours.turn() as turn:
                others = await self._neighbours.others()
                for sha256 in chosen:
                    await self._give_up(sha256, others, turn)
        return Taken(files=len(chosen), bytes=taken)

    async def tell(self) -> None:
        """Tell the other appliances on the volume what is needed, now and every hour, until cancelled."""
        while True:
            pause = TELL
            try:
                await self._volume.identified()
                await self._neighbours.tell(await self._needed())
            except Unavailable as error:
                _LOG.warning("other appliances on the volume can't be told what is needed: %s", error)
                pause = TELL_AGAIN
            await asyncio.sleep(pause)

    async def note_uses(self) -> None:
        """Write down when files were asked for; with a disk that is full, some look older than they are."""
        with contextlib.suppress(Unavailable):
            await self._blobs.flush_uses()

    async def blobs(self, after: str, limit: int) -> tuple[tuple[str, int], ...]:
        """Names and sizes of files after that name, in order, so many at most."""
        await self._volume.identified()

        def look() -> tuple[tuple[str, int], ...]:
            found: list[tuple[str, int]] = []
            for sha256, status in blob_files(self._volume.root, after):
                found.append((sha256, status.st_size))
                if len(found) == limit:
                    break
            return tuple(found)

        return await self._volume.run(look, work=_PATIENCE)

    async def unnamed(self) -> tuple[tuple[str, int], ...]:
        """Names and sizes of all files that no row names, in order. Raises Unavailable."""
        await self._volume.identified()
        referenced = await self._database.scan(blobs_needed)

        def look() -> tuple[tuple[str, int], ...]:
            self._volume.require_identity()
            return tuple(
                (sha256, status.st_size)
                for sha256, status in blob_files(self._volume.root)
                if sha256 not in referenced
            )

        return await self._volume.run(look, work=_PATIENCE)

    async def sound(self, sha256: str) -> bool:
        """Whether a file has its bytes, hashed now; one that doesn't is moved to bad/ with an alarm, one that
        is gone counts as sound."""
        return await self._blobs.recheck(sha256)

    async def holders(self, sha256: str) -> tuple[Holding, ...]:
        """The public rows that need these bytes, as their file or as its core metadata."""
        return await self._database.scan(lambda connection: needs.holders(connection, sha256))

    async def position(self) -> str:
        """The name after which checking goes on; empty to begin anew."""
        row = self._database.row("SELECT value FROM fact WHERE name = ?", (_POSITION,))
        return str(row[0]) if row else ""

    async def set_position(self, sha256: str) -> None:
        """Note how far checking has come."""
        self._database.post(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (_POSITION, sha256)
            )
        )

    async def _give_up(self, sha256: str, others: Others, turn: Turn) -> None:
        """Rows first: what is asked for in between is fetched again, and a file too many does no harm."""
        await self._database.write(lambda connection: needs.give_up(connection, self._volume.key, sha256))
        path = self._volume.blob(sha256)

        def remove() -> None:
            self._volume.require_identity()
            self._remove_if_old(path, time.time() - _USE_GRACE, others, turn)

        await self._volume.run(remove)

    def _remove_if_old(self, path: Path, oldest: float, others: Others, turn: Turn) -> bool:
        """Blocks. Take the file out of sight, look again, and put it back if somebody needs it after all."""
        turn.keep()
        aside = self._volume.temp / secrets.token_hex(16)
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        modified = aside.lstat().st_mtime
        is_needed = others.may_need(path.name, modified) or self._blobs.used_since(path.name, oldest)
        if modified >= oldest or is_needed:
            aside.rename(path)
            return False
        aside.unlink()
        return True

    async def _needed(self) -> frozenset[str]:
        """Names of all files that a row names, and of adopted ones that wait."""
        documents = await self._database.scan(documents_needed)
        return await self._database.scan(blobs_needed) | documents | await self._adoptions.waiting()


_PATIENCE = 1 << 32
"""What a walk over the whole volume counts as, in bytes: it may take its time."""


def _divided(found: Files, others: Others) -> tuple[Files, Files]:
    """Those that may go, and those that another appliance may need."""
    left = {path for path, status in found if others.may_need(path.name, status.st_mtime)}
    return [one for one in found if one[0] not in left], [one for one in found if one[0] in left]


def _taken(gone: Files, left: Files) -> Taken:
    return Taken(files=len(gone), bytes=sum(status.st_size for _, status in gone), left=len(left))


def _count(figures: list[int], status: os.stat_result) -> None:
    figures[0] += 1
    figures[1] += status.st_size
