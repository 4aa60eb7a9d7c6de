"""Workers are killed while clients are served: what the clients have, the log, the rows and the files agree."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.checker import Evidence, Got, broken_promises
from tests.chaos.storm import WitnessedUpstream
from tests.fakes import FixedClock
from tests.guarantees.crew import Crew, open_crew
from tests.guarantees.house import JSON, path_of
from tests.upstream import Distribution, make_wheel

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="workers are found in /proc")
CLIENTS, FILES, KILLS = 6, 10, 4


class RealClock(FixedClock):
    """The upstream's: the workers have the real one too."""

    def monotonic(self) -> float:
        return time.monotonic()


class Clients:
    """Clients that install every file, each in an order of its own, and write down what they got."""

    def __init__(self, crew: Crew, files: list[Distribution], dice: random.Random) -> None:
        self.got: list[Got] = []
        self._crew = crew
        self._files = files
        self._dice = dice

    async def install(self) -> None:
        """One client; what breaks off it tries again, as pip does."""
        for file in self._dice.sample(self._files, k=len(self._files)):
            while not await self._tried(file):  # noqa: ASYNC110  a worker may be on its way
                await asyncio.sleep(0.02)

    async def _tried(self, file: Distribution) -> bool:
        index, path = f"/pypi/simple/{file.project}/", path_of(file)
        try:
            page = await self._crew.ask(index, headers=JSON)
            if page.status == 200 and page.whole:
                listed = json.loads(page.body)["files"]
                announced = {each["filename"]: each["hashes"]["sha256"] for each in listed}
                self.got.append(Got(time.monotonic(), index, 200, True, "", announced=announced))
            got = await self._crew.ask(path)
        except (OSError, aiohttp.ClientError):
            return False
        whole = got.status == 200 and got.whole
        recorded = len(self._crew.query(_DELIVERIES, file.filename)) if whole else 0
        digest = hashlib.sha256(got.body).hexdigest()
        self.got.append(Got(time.monotonic(), path, got.status, whole, digest, recorded=recorded))
        return whole


_DELIVERIES = "SELECT seq FROM log WHERE kind = 'delivery' AND event ->> '$.filename' = ?"


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)]
)
async def test_no_promise_is_broken_when_workers_are_killed(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    files = [make_wheel(f"project{n}", "1.0", padding=dice.randrange(400_000)) for n in range(FILES)]
    async with WitnessedUpstream(RealClock()) as upstream:
        upstream.add(*files)
        async with open_crew(tmp_path, upstream) as crew:
            clients = Clients(crew, files, dice)
            installing = asyncio.gather(*(clients.install() for _ in range(CLIENTS)))
            killed: set[int] = set()
            for number in range(KILLS):
                due = (number + 1) * CLIENTS * FILES // KILLS
                while len(clients.got) < due and not installing.done():  # noqa: ASYNC110  it grows by itself
                    await asyncio.sleep(0.005)
                victim = dice.choice(crew.pids)
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    killed.add(victim)
            await installing
            await crew.all_serve()
            assert len(killed) == KILLS
            assert not killed & set(crew.pids)
            assert sum(got.whole and got.announced is None for got in clients.got) == CLIENTS * FILES
            verified = await crew.ask("/api/v1/audit/verify", headers=crew.admin)
            assert verified.json["intact"]
        lost = Counter({file.filename: KILLS for file in files})  # who fetched it may have been killed
        evidence = Evidence(
            clients=tuple(clients.got),
            upstream=tuple(upstream.served),
            database=crew.data / "registry.db",
            blobs=crew.volume / "blobs" / "sha256",
            lost=lost,
        )
        assert broken_promises(evidence) == []
