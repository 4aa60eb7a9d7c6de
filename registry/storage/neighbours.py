"""The appliances on one volume: what each needs, and whose turn it is to take files away.

    appliances/<id>   the names of the files that an appliance needs, one a line after its host's name
    appliances/turn   who takes files away now; its time says that whoever it is still lives

Each appliance has a database of its own, and knows nothing of the others' rows. So each tells what it needs,
once an hour and before it takes anything away, and leaves alone what another one needs. What came in since
another one last spoke may be its own, and stays too. Who was silent for a month has left.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from registry.errors import Unavailable
from registry.storage.database import Database
from registry.storage.durable import read_whole, seal, temp_file, write_all
from registry.storage.volume import Volume

SILENCE = 30 * 24 * 3_600
"""Seconds after which an appliance that says nothing has left."""
SLACK = 3_600
"""Seconds before an appliance's last word from which on it may have taken files in that it didn't tell of."""
BEAT = 30
"""Seconds after which whoever has the turn says that it still lives."""
LAPSE = 600
"""Seconds without a beat after which another one may have the turn."""
_ID = re.compile("[0-9a-f]{32}")
_NAME = re.compile("[0-9a-f]{64}")
_FACT = "appliance-id"


@dataclass(frozen=True, slots=True)
class Others:
    """What the other appliances on a volume need, as far as they told."""

    count: int
    names: frozenset[str]
    since: float
    """Modification time (seconds since 1970) from which on a file may be one that nobody told of yet."""

    def may_need(self, name: str, modified: float) -> bool:
        """Whether a file has to stay for one of them."""
        return name in self.names or modified >= self.since


class Turn:
    """The right to take files away from a volume, for as long as it is kept."""

    def __init__(self, path: Path, words: bytes, title: str, changing: threading.Lock) -> None:
        """`changing` is held while this process begins or ends a turn."""
        self._path = path
        self._words = words
        self._title = title
        self._changing = changing
        self._beat = time.monotonic()

    def keep(self) -> None:
        """Blocks. Call it before each file that is taken away. Raises Unavailable when another appliance has
        the turn, since this one was thought to be dead."""
        if _read(self._path) != self._words:
            raise Unavailable(
                f"Another appliance tidies up {self._title} by now, this one having taken too long; try again"
                " later."
            )
        if time.monotonic() - self._beat > BEAT:
            os.utime(self._path)
            self._beat = time.monotonic()

    def end(self) -> None:
        """Blocks. Let another one have it. The next turn of this appliance may have begun meanwhile."""
        with self._changing, suppress(OSError):
            if _read(self._path) == self._words:
                self._path.unlink()


class Neighbours:
    """The appliances on a volume, as one of them sees them."""

    def __init__(self, volume: Volume, database: Database) -> None:
        self._volume = volume
        self._database = database
        self._folder = volume.root / "appliances"
        self._changing = threading.Lock()
        self._id = ""

    async def tell(self, names: Iterable[str]) -> None:
        """Say which files this appliance needs. Raises Unavailable."""
        own = await self._own_id()
        text = "\n".join([f"# {socket.gethostname()}", *sorted(names), ""]).encode()

        def write() -> None:
            self._volume.require_identity()
            path = self._folder / own
            if _read(path) == text:
                os.utime(path)
                return
            descriptor, temp = temp_file(self._volume.temp)
            try:
                write_all(descriptor, text)
            finally:
                seal(descriptor)
            self._volume.make(self._folder)
            self._volume.settle(temp, path)

        await self._volume.run(write, work=len(text))

    async def others(self) -> Others:
        """What the other appliances need. Raises Unavailable."""
        own = await self._own_id()

        def read() -> Others:
            names: set[str] = set()
            count, spoke = 0, float("inf")
            for path in self._others(own):
                count, spoke = count + 1, min(spoke, path.lstat().st_mtime)
                lines = read_whole(path).decode("ascii", "replace").splitlines()
                names.update(line for line in lines if _NAME.fullmatch(line))
            return Others(count, frozenset(names), spoke - SLACK)

        return await self._volume.run(read)

    async def alone(self) -> bool:
        """Whether no other appliance uses the volume. Raises Unavailable."""
        own = await self._own_id()
        return await self._volume.run(lambda: not self._others(own))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """The turn to take files away. Raises Unavailable while another appliance has it."""
        own = await self._own_id()
        turn = await self._volume.run(lambda: self._begun(own))
        try:
            yield turn
        finally:
            self._volume.later(turn.end)

    def _others(self, own: str) -> list[Path]:
        oldest = time.time() - SILENCE
        try:
            found = [path for path in self._folder.iterdir() if _ID.fullmatch(path.name) and path.name != own]
        except FileNotFoundError:
            return []
        return [path for path in found if path.lstat().st_mtime >= oldest]

    def _begun(self, own: str) -> Turn:
        with self._changing:
            return self._take(own)

    def _take(self, own: str) -> Turn:
        self._volume.require_identity()
        self._volume.make(self._folder)
        path, words = self._folder / "turn", f"{own} {secrets.token_hex(8)} {socket.gethostname()}\n".encode()
        for _ in range(2):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                descriptor = os.open(path, flags, 0o644)
            except FileExistsError:
                self._depose(path, own)
                continue
            try:
                write_all(descriptor, words)
            finally:
                seal(descriptor)
            return Turn(path, words, self._volume.title, self._changing)
        raise self._busy(path)

    def _depose(self, path: Path, own: str) -> None:
        """Take the turn from one that died, or was an earlier self: an appliance takes one turn at a time.
        Raises Unavailable when its holder lives."""
        words = _read(path)
        if words is None:
            return
        if not words.startswith(own.encode()) and self._age(path) < LAPSE:
            raise self._busy(path)
        aside = self._volume.temp / secrets.token_hex(16)
        with suppress(FileNotFoundError):
            path.rename(aside)
            if _read(aside) != words:  # somebody was quicker, and has it rightly
                aside.rename(path)
                raise self._busy(path)
            aside.unlink()

    def _age(self, path: Path) -> float:
        """Seconds since its time, by the volume's own clock: a NAS may have another than this machine."""
        descriptor, now = temp_file(self._volume.temp)
        try:
            return os.fstat(descriptor).st_mtime - path.lstat().st_mtime
        finally:
            os.close(descriptor)
            now.unlink()

    def _busy(self, path: Path) -> Unavailable:
        host = (_read(path) or b"").decode("ascii", "replace").split()[2:]
        who = "".join(c for c in "".join(host) if c.isalnum() or c in "-._")
        return Unavailable(
            f"Another appliance ({who or 'unknown'}) tidies up {self._volume.title} now; try again later.",
            retry_after=LAPSE,
        )

    async def _own_id(self) -> str:
        if not self._id:
            fresh = secrets.token_hex(16)

            def job(connection: apsw.Connection) -> str:
                connection.execute("INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)", (_FACT, fresh))
                rows = connection.execute("SELECT value FROM fact WHERE name = ?", (_FACT,)).fetchall()
                return str(rows[0][0])

            self._id = await self._database.write(job)
        return self._id


def _read(path: Path) -> bytes | None:
    try:
        return read_whole(path)
    except FileNotFoundError:
        return None
