"""A volume: a directory tree of content files that is known by its id, and the threads that touch it.

    volume-id              128 random bits, written once; the database remembers them
    blobs/sha256/ab/<hex>  verified bytes
    index/<ecosystem>/ab/<hex>  documents of the sources
    tmp/<hex>              what is being written
    bad/<hex>...           what was found to be damaged, kept for whoever investigates
    appliances/<hex>       what each appliance on the volume needs

Names are lower-case hex (and these fixed words), so any file system will do. Without the right volume-id
nothing is written: an empty mount point stays empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from registry.errors import Unavailable
from registry.storage.database import Database
from registry.storage.durable import explain, move_into, sync_directory
from registry.storage.filesystems import filesystem_of, is_remote
from registry.storage.pool import Pool
from registry.storage.volume_id import VolumeId

T = TypeVar("T")

_DIRECTORIES = ("tmp", "bad", "index", "blobs", "blobs/sha256", "appliances")
_TEMP_GRACE = 3_600
"""Seconds after which a temp file is an orphan: another gateway may be writing to the same volume."""
_RESERVE = 1 << 30
"""Bytes that stay free (or a twentieth of the volume, if that is less), so that other things go on."""
_SLOWEST = 1 << 20
"""Bytes a second: what a volume must manage not to count as hanging."""


class Volume:
    """One volume. Nothing is touched before `start`."""

    def __init__(
        self,
        root: Path,
        database: Database,
        *,
        key: str = "lan",
        title: str = "the LAN volume",
        threads: int = 8,
        patience: float = 10.0,
    ) -> None:
        """`key` is what the database remembers its id under, `title` what messages call it, `patience` the
        seconds after which it counts as hanging."""
        self.root = root
        self.temp = root / "tmp"
        """Where files lie until they get their final name."""
        self._blobs = root / "blobs" / "sha256"
        self.key = key
        self.title = title
        self.local = False
        """Whether it lies on a disk of this machine; known once it was identified."""
        self._database = database
        self._patience = patience
        self._pool = Pool(title, threads)
        self._id: str | None = None
        self._file = VolumeId(root, title)
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Identify the volume (making a new one where the directory is empty and none is remembered) and
        remove orphaned temp files. Raises Unavailable; every later use tries again."""
        await self.check()
        await self.run(self._sweep)

    async def check(self) -> None:
        """For /-/ready. Raises Unavailable saying what is wrong: missing, another one, read-only, full.

        Whoever asks meanwhile gets the same answer: impatient probes of a hung volume don't pile up.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._check())
            self._looking.add_done_callback(_seen)
        await asyncio.shield(self._looking)

    async def _check(self) -> None:
        self._id = await self._identified()
        await self.run(self.require_space)

    async def run(self, function: Callable[[], T], work: int = 0) -> T:
        """Run blocking calls in the volume's threads, system errors explained. `work` is about how many
        bytes they move, which gives them more time. Raises Unavailable."""

        def guarded() -> T:
            try:
                return function()
            except OSError as error:
                raise explain(error, self.title, self.root) from error

        return await self._pool.run(guarded, self._patience + work / _SLOWEST)

    def later(self, function: Callable[[], object]) -> None:
        """Run blocking calls in a thread some time, without waiting and without hearing how they ended."""
        self._pool.post(function)

    async def quickly(self, function: Callable[[], T]) -> T:
        """Run calls that take microseconds on a local disk: there at once, elsewhere in a thread."""
        if not self.local:
            return await self.run(function)
        try:
            return function()
        except OSError as error:
            raise explain(error, self.title, self.root) from error

    async def identified(self) -> None:
        """Make sure that the volume was identified once. Raises Unavailable."""
        if self._id is None:
            self._id = await self._identified()

    def require_identity(self) -> None:
        """Blocks. Raises Unavailable unless the volume that was identified is still mounted; call it before
        the first write, and before believing that a file is missing."""
        if self.local and self._file.is_confirmed():
            return
        look, found = self._file.look(), self._file.read()
        if found is None:
            raise Unavailable(
                f"{self._subject} has no volume-id, so it isn't mounted or was emptied; mount it again"
                " (nothing is written to it before that)."
            )
        if found != self._id:
            raise self._another(found, self._id)
        self._file.confirm(look)

    def require_space(self, size: int = 0) -> None:
        """Blocks. Raises Unavailable when the volume is read-only, or `size` bytes more would use what is
        kept free."""
        figures = os.statvfs(self.root)
        if figures.f_flag & os.ST_RDONLY or not self._can_stage():
            raise Unavailable(
                f"{self._subject} is read-only for user id {os.geteuid()}; mount it writable or correct the"
                " owner of 'tmp' on it (what it holds is still served).",
                retry_after=60,
            )
        free = figures.f_bavail * figures.f_frsize
        reserve = min(_RESERVE, figures.f_blocks * figures.f_frsize // 20)
        if free - size < reserve:
            raise Unavailable(
                f"{self._subject} is full ({free >> 20} MiB left, {reserve >> 20} MiB stay free); free some"
                " space on it or give it a larger disk.",
                retry_after=60,
            )

    def _can_stage(self) -> bool:
        """Whether files can be made in `temp`, which is made anew where it was lost."""
        if os.access(self.temp, os.W_OK | os.X_OK):
            return True
        if self.temp.exists():
            return False
        self.require_identity()
        self.make(self.temp)
        return os.access(self.temp, os.W_OK | os.X_OK)

    def blob(self, sha256: str) -> Path:
        """Where verified bytes lie."""
        return self._blobs.joinpath(sha256[:2], sha256)

    def document(self, ecosystem: str, name: str) -> Path:
        """Where a document lies; `name` is hex."""
        return self.root / "index" / ecosystem / name[:2] / name

    def make(self, directory: Path) -> None:
        """Blocks. Make a directory of the right volume and those above it that are missing, durably."""
        above = self.root.resolve()  # which an operator may have made a link
        for part in directory.relative_to(self.root).parts:
            try:
                (above / part).mkdir(mode=0o755)
            except FileExistsError:
                pass
            else:
                sync_directory(above)
            above /= part

    def settle(self, temp: Path, target: Path) -> os.stat_result:
        """Blocks. Give a sealed temp file its final name, durably, and its stat back; where whole trees were
        lost they are made anew. Raises Unavailable, OSError."""
        try:
            return move_into(temp, target.parent, target.name)
        except FileNotFoundError:
            self.require_identity()
            self.make(target.parent)
            return move_into(temp, target.parent, target.name)

    def quarantine(self, path: Path) -> None:
        """Blocks. Take a damaged file out of the way; it may be gone already. Raises Unavailable, OSError."""
        bad = self.root / "bad"
        if not bad.is_dir():
            self.require_identity()
            self.make(bad)
        with contextlib.suppress(FileNotFoundError):
            path.rename(bad / f"{path.name}-{secrets.token_hex(4)}")

    def close(self) -> None:
        """Let the threads end."""
        if self._looking is not None:
            self._looking.cancel()
        self._pool.close()

    async def _identified(self) -> str:
        remembered = self._remembered()
        found = await self.run(lambda: self._identify(remembered))
        if remembered is None:
            await self._database.write(
                lambda connection: connection.execute(
                    "INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)", (f"volume-id/{self.key}", found)
                )
            )
            remembered = self._remembered()
            if remembered != found:
                raise self._another(found, remembered)
        return found

    def _remembered(self) -> str | None:
        row = self._database.row("SELECT value FROM fact WHERE name = ?", (f"volume-id/{self.key}",))
        return None if row is None else str(row[0])

    def _identify(self, remembered: str | None) -> str:
        found = self._file.read()
        kind = filesystem_of(self.root)
        self.local = kind != "" and not is_remote(kind)  # where nobody knows, a thread is never wrong
        if remembered is not None and found != remembered:
            if found is None:
                raise Unavailable(
                    f"{self._subject} has no volume-id; the volume with id {remembered[:8]} is expected:"
                    " mount it (nothing is written before that)."
                )
            raise self._another(found, remembered)
        if found is None:
            found = self._file.create()
        for name in _DIRECTORIES:
            self.make(self.root / name)
        return found

    def _another(self, found: str | None, expected: str | None) -> Unavailable:
        return Unavailable(
            f"{self._subject} is another one (id {(found or 'none')[:8]}, expected"
            f" {(expected or 'none')[:8]}); mount the right one (nothing is written before that)."
        )

    @property
    def _subject(self) -> str:
        return self.title[:1].upper() + self.title[1:]

    def _sweep(self) -> None:
        oldest = time.time() - _TEMP_GRACE
        with os.scandir(self.temp) as entries:
            for entry in entries:
                if (
                    entry.is_file(follow_symlinks=False)
                    and entry.stat(follow_symlinks=False).st_mtime < oldest
                ):
                    with contextlib.suppress(OSError):  # a file server's own, that is still open somewhere
                        Path(entry.path).unlink()


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # nobody may be left to be told
