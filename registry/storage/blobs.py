"""Verified bytes by their sha256, as files on a volume.

A blob's file is trusted without reading it while it looks as it did when its bytes were last known to be
right (`looks.py`). Anything else is hashed once before it is served; a file that fails is moved to `bad/`, an
alarm is raised, and the blob isn't here any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw

from registry.errors import RegistryError, Unavailable
from registry.model.blobs import Blob
from registry.model.events import Event, Kind
from registry.model.ports import Clock
from registry.storage.database import Database
from registry.storage.durable import digest_of, read_whole
from registry.storage.editions import SharedEditions
from registry.storage.looks import Look, Looks, first_look_at, look_at, look_of
from registry.storage.small_files import SMALL, SmallFiles
from registry.storage.staging import FileStaging
from registry.storage.volume import Volume

Alarm = Callable[[Event], Awaitable[object]]

_LOG = logging.getLogger(__name__)


class Blobs:
    """The port's implementation over one volume."""

    def __init__(
        self,
        volume: Volume,
        database: Database,
        clock: Clock,
        alarm: Alarm,
        shared_uses: SharedEditions | None = None,
    ) -> None:
        """`alarm` records an event; ProvenanceLog.record will do. In `shared_uses` the processes of an
        appliance note what they were asked for, so that none takes away what another one serves."""
        self._shared_uses = shared_uses
        self._volume = volume
        self._database = database
        self._clock = clock
        self._alarm = alarm
        self._looks = Looks(volume.key, database)
        self._small = SmallFiles()
        self._doubted: set[str] = set()
        """Blobs whose bytes were not the right ones when they were read last."""
        self._checks: dict[str, asyncio.Task[bool]] = {}
        self._is_failing = False
        """Whether the disk failed, and nothing was kept since."""
        self._uses: dict[str, int] = {}
        """When blobs were last asked for, in microseconds, as far as it isn't in the database yet."""
        self._flushed_uses: dict[str, int] = {}

    @property
    def place(self) -> Volume:
        """The volume."""
        return self._volume

    async def stage(self, size_hint: int | None = None) -> FileStaging:
        """Begin a blob. Raises Unavailable (another volume, or none); that it is full or read-only shows when
        the first bytes are written."""
        await self._volume.identified()
        return FileStaging(self._volume, self._came, self._failed, size_hint or 0)

    async def find(self, sha256: str) -> Path | None:
        """Where the blob lies, if it is here and is what it was when committed. Raises Unavailable when the
        volume is gone or hangs."""
        trusted = self._looks.get(sha256)
        path = trusted[0] if trusted else self._volume.blob(sha256)
        self.note_use(sha256)  # before the look: who collects garbage looks again after taking a file away
        look = await self._volume.quickly(lambda: look_at(path) if trusted else first_look_at(path))
        if look is None:
            await self._volume.identified()
            await self._volume.quickly(self._volume.require_identity)
            return None
        if sha256 in self._doubted:
            return path if await self._checked(sha256, path, look) else None
        if trusted is not None and trusted[1] == look:
            return path
        if self._looks.recorded(sha256) == look:
            self._looks.remember(sha256, path, look)
            return path
        return path if await self._checked(sha256, path, look) else None

    def at_once(self, sha256: str) -> Blob | None:
        """A blob that was found before and looks as it did then; None for what takes a closer look, or a
        volume that may hang."""
        trusted = self._looks.get(sha256)
        if trusted is None or not self._volume.local:
            return None
        self.note_use(sha256)
        path, look = trusted
        try:
            if look_at(path) != look:
                return None
            if look[0] > SMALL:
                return Blob(path)
            data = self._small.get(sha256) or self._read(sha256, path)
        except OSError:
            return None
        return None if data is None else Blob(path, data)

    def _read(self, sha256: str, path: Path) -> bytes | None:
        """The bytes of a small blob, to be kept in memory; None where they are others than they should be:
        then whoever looks next has them checked."""
        data = read_whole(path)
        if hashlib.sha256(data).hexdigest() != sha256:
            self._looks.forget(sha256)
            self._doubted.add(sha256)
            return None
        self._small.keep(sha256, data)
        return data

    async def put(self, data: bytes) -> str:
        """A small blob in one go; gives its sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not await self.renew(sha256):
            staging = await self.stage(len(data))
            await staging.write(data)
            await staging.commit(())
        return sha256

    async def renew(self, sha256: str) -> bool:
        """Whether the blob is here; if so it counts as one that came just now, so that another appliance on
        the volume leaves it alone, though it hasn't been told that it is needed."""
        path = await self.find(sha256)
        if path is None:
            return False

        def touch() -> tuple[Look | None, Look | None]:
            before = look_at(path)
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, follow_symlinks=False)
            return before, look_at(path)

        before, after = await self._volume.quickly(touch)
        if before is None or after is None:
            return False
        known = self._looks.get(sha256)
        if known is not None and known[1] == before and (before[0], before[2]) == (after[0], after[2]):
            self._trust(sha256, after)
        return True

    async def read(self, sha256: str) -> bytes | None:
        """A small blob's bytes, verified; None if it isn't here."""
        path = await self.find(sha256)
        if path is None:
            return None
        data = await self._volume.quickly(lambda: read_whole(path))
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
        await self._condemn(sha256, path)
        return None

    async def drop(self, sha256: str) -> None:
        """Remove a blob that no row names any more. Raises Unavailable."""
        await self._volume.identified()
        self._looks.forget(sha256)
        path = self._volume.blob(sha256)

        def remove() -> None:
            self._volume.require_identity()
            path.unlink(missing_ok=True)

        await self._volume.run(remove)
        self._looks.drop(sha256)

    def used_since(self, sha256: str, moment: float) -> bool:
        """Whether it was asked for since then (seconds since 1970): of this process, as far as it remembers,
        which is some minutes, or of any that shares `uses`. Safe in any thread."""
        if self._shared_uses is not None and self._shared_uses.used_since(sha256, moment):
            return True
        used = self._uses.get(sha256) or self._flushed_uses.get(sha256) or 0
        return used >= moment * 1_000_000

    def note_use(self, sha256: str) -> None:
        """It is asked for now."""
        self._uses[sha256] = time.time_ns() // 1_000
        if self._shared_uses is not None:
            self._shared_uses.note_use(sha256)

    async def flush_uses(self) -> None:
        """Write down when blobs were asked for; what a crash loses makes some look older than they are."""
        self._uses, self._flushed_uses = {}, self._uses
        uses, key = self._flushed_uses, self._volume.key

        def job(connection: apsw.Connection) -> None:
            connection.executemany(
                "INSERT INTO blob_use (volume, sha256, used) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET used = max(used, excluded.used)",
                [(key, sha256, used) for sha256, used in uses.items()],
            )

        if uses:
            await self._database.write(job)

    async def recheck(self, sha256: str) -> bool:
        """Hash the file now, whatever it looks like; False for one that was damaged, and is put aside."""
        path = self._volume.blob(sha256)
        look = await self._volume.run(lambda: look_at(path))
        return look is None or await self._checked(sha256, path, look)

    async def _checked(self, sha256: str, path: Path, look: Look) -> bool:
        """Whether the file's bytes are the blob's, hashed once for all who ask meanwhile."""
        task = self._checks.get(sha256)
        if task is None:
            task = asyncio.create_task(self._check(sha256, path, look))
            self._checks[sha256] = task
            task.add_done_callback(lambda _: self._checks.pop(sha256, None))
        return await asyncio.shield(task)

    async def _check(self, sha256: str, path: Path, look: Look) -> bool:
        actual = await self._volume.run(lambda: digest_of(path, "sha256"), work=look[0])
        self._doubted.discard(sha256)
        if actual != sha256:
            await self._condemn(sha256, path)
            return False
        self._trust(sha256, look)
        return True

    async def _condemn(self, sha256: str, path: Path) -> None:
        self._looks.forget(sha256)
        await self._volume.run(lambda: self._volume.quarantine(path))
        self._looks.drop(sha256)
        reason = (
            f"A file on {self._volume.title} no longer has the bytes it was stored with; it is in bad/ now."
        )
        await self._tell("damaged-blob", reason, sha256)

    async def _failed(self, error: Unavailable) -> None:
        """A disk that says it can't keep what it was given is an operator's business: told once, until it
        keeps something again."""
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EIO and not self._is_failing:
            self._is_failing = True
            await self._tell("write-failed", str(error))

    async def _tell(self, what: str, reason: str, sha256: str | None = None) -> None:
        _LOG.error("%s", reason, extra={"sha256": sha256})
        event = Event(
            kind=Kind.ALARM,
            at=self._clock.now(),
            actor="storage",
            sha256=sha256,
            detail={"alarm": what, "reason": reason, "volume": self._volume.key},
        )
        try:
            await self._alarm(event)
        except RegistryError:
            _LOG.exception("the alarm could not be recorded")

    def _came(self, sha256: str, status: os.stat_result) -> None:
        """A blob was committed."""
        self._trust(sha256, look_of(status))

    def _trust(self, sha256: str, look: Look) -> None:
        self._is_failing = False
        self._looks.trust(sha256, self._volume.blob(sha256), look)
