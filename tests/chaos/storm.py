"""A seeded run of everything at once: clients, an upstream that lies and fails, restarts, power cuts, lost files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import apsw

from tests.chaos.checker import Evidence, Got, Served
from tests.chaos.disk import ForgetfulDisk
from tests.fakes import FixedClock
from tests.guarantees.house import JSON, House
from tests.upstream import Distribution, LyingUpstream, faults, make_wheel
from tests.upstream.faults import Answer

PROJECTS = ("alpha", "beta", "gamma")
CLIENTS = 8
LIES = (
    faults.wrong_bytes,
    faults.truncated,
    faults.early_chunked_end,
    faults.longer_by(10),
    faults.reset_halfway,
    faults.status(500),
    faults.two_lengths,
)


class WitnessedUpstream(LyingUpstream):
    """Writes down each answer, when it was given, and whether it was honest. Files take a moment."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self.clock = clock
        self.served: list[Served] = []

    def _lied(self, path: str, answer: Answer) -> Answer:
        told = super()._lied(path, answer)
        self.served.append(Served(self.clock.monotonic(), path, told.status, told is answer))
        if "/files/" in path and told.wait is None:
            return faults.late(0.02)(told)
        return told


class Storm:
    """One run. The same seed does the same things, as far as an event loop allows."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = random.Random(seed)
        self._clock = FixedClock()
        self._upstream = WitnessedUpstream(self._clock)
        self._folder = folder
        self._house: House
        self._disk = ForgetfulDisk()
        self._clients: list[Got] = []
        self._lost: Counter[str] = Counter()
        self._files: list[Distribution] = []

    async def rage(self, rounds: int = 6) -> Evidence:
        """Go through it; what happened comes back as evidence."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._disk.watching())
            await stack.enter_async_context(self._upstream)
            self._house = House(self._folder, self._upstream, clock=self._clock)
            await stack.enter_async_context(self._house.pypiserver.serving())
            await stack.enter_async_context(self._house.verdaccio.serving())
            await self._house.start()
            try:
                for number in range(rounds):
                    await self._round(number)
            finally:
                await self._house.stop()
            self._disk.cut(self._house.volume / "blobs")
        return Evidence(
            clients=tuple(self._clients),
            upstream=tuple(self._upstream.served),
            database=self._house.data / "registry.db",
            blobs=self._house.volume / "blobs" / "sha256",
            lost=self._lost,
        )

    async def _round(self, number: int) -> None:
        fresh = [
            make_wheel(name, f"{number}.0", padding=self._random.randrange(200_000)) for name in PROJECTS
        ]
        for wheel in fresh:
            wheel.published = "2020-01-01T00:00:00Z"
        self._upstream.add(*fresh)
        self._files += fresh
        self._clock.advance(hours=1)
        await self._everybody_asks(self._random.sample(self._files, k=min(4, len(self._files))))
        for lie in (LIES[2 * number % len(LIES)], LIES[(2 * number + 1) % len(LIES)]):
            await self._lies(lie, f"0.{number}.{LIES.index(lie)}")
        await self._swap()
        await self._outage()
        await self._loss()
        if self._random.random() < 0.5:
            await self._house.restart()

    async def _everybody_asks(self, files: list[Distribution]) -> None:
        for file in files:
            await asyncio.gather(*(self._install(file) for _ in range(CLIENTS)))

    async def _lies(self, lie: faults.Fault, version: str) -> None:
        """A fault on the way of a file that nobody has yet, then honesty."""
        file = make_wheel(self._random.choice(PROJECTS), version, padding=self._random.randrange(200_000))
        file.published = "2020-01-01T00:00:00Z"
        self._upstream.add(file)
        self._files.append(file)
        self._clock.advance(hours=1)
        self._upstream.lie(lie, f"/files/{file.filename}")
        await self._everybody_asks([file])
        self._upstream.heal()
        self._clock.advance(minutes=5)
        await self._everybody_asks([file])

    async def _swap(self) -> None:
        """Other bytes under a name that was seen: in the index and in the file, for good."""
        file = self._random.choice(self._files)
        await self._look(file.project)
        evil = make_wheel(file.project, file.version, padding=50_000)
        evil.published = file.published
        self._upstream.add(evil)
        self._clock.advance(hours=1)
        await self._everybody_asks([file])
        self._upstream.add(file)

    async def _outage(self) -> None:
        """Nothing answers for hours."""
        self._upstream.lie(faults.status(500))
        self._clock.advance(hours=self._random.uniform(1, 9))
        for name in PROJECTS:
            await self._look(name)
        self._upstream.heal()
        self._clock.advance(minutes=10)

    async def _loss(self) -> None:
        """One blob is deleted, another one's bit is flipped."""
        blobs = self._house.blobs()
        kept = {hashlib.sha256(file.data).hexdigest(): file for file in self._files}
        here = sorted(sha256 for sha256 in blobs if sha256 in kept)
        for sha256 in self._random.sample(here, k=min(2, len(here))):
            data = bytearray(blobs[sha256].read_bytes())
            data[self._random.randrange(len(data))] ^= 1
            if self._random.random() < 0.5:
                blobs[sha256].unlink()
            else:
                blobs[sha256].write_bytes(bytes(data))
            self._lost[kept[sha256].filename] += 1
            await self._everybody_asks([kept[sha256]])

    # one client

    async def _install(self, file: Distribution) -> None:
        await self._look(file.project)
        path = f"/pypi/files/{file.project}/{file.filename}"
        try:
            got = await self._house.ask(path)
        except OSError:
            return
        whole = got.status == 200 and got.whole
        self._clients.append(
            Got(
                at=self._clock.monotonic(),
                path=path,
                status=got.status,
                whole=whole,
                sha256=hashlib.sha256(got.body).hexdigest(),
                recorded=self._deliveries(file.filename) if whole else 0,
            )
        )

    async def _look(self, project: str) -> None:
        path = f"/pypi/simple/{project}/"
        got = await self._house.ask(path, headers=JSON)
        if got.status != 200:
            return
        files = json.loads(got.body)["files"]
        self._clients.append(
            Got(
                at=self._clock.monotonic(),
                path=path,
                status=got.status,
                whole=got.whole,
                sha256="",
                cache=got.headers.get("X-Cache", ""),
                age=int(got.headers.get("Age", "0")),
                announced={f["filename"]: f["hashes"]["sha256"] for f in files if "sha256" in f["hashes"]},
            )
        )

    def _deliveries(self, filename: str) -> int:
        connection = apsw.Connection(str(self._house.data / "registry.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found = connection.execute(
                "SELECT count(*) FROM log WHERE kind = 'delivery' AND event ->> '$.filename' = ?", (filename,)
            ).fetchall()
            return int(str(found[0][0]))
        finally:
            connection.close()
