"""F2: the power goes off under load. Whatever was delivered is on record, and each row has its bytes.

Database and volume lie on an ext4 file system in a file. While a process ingests, it is stopped for a moment and
the file is copied: the copy is what the disk would hold had the power gone off, and is mounted and judged.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.model.events import Kind
from tests.chaos.mounts import image, make_image, require_mounting
from tests.provenance.chains import first_break
from tests.specimens import FOO, event, opened

CUTS, CUTS_SAMPLED = 20, 5

INGESTING = """
import asyncio, os, random, sys
from pathlib import Path
from registry.model.events import Kind
from registry.storage import staging
from tests.specimens import FOO, NOW, artifact, event, opened, sha

if sys.argv[3] == "mutant":
    staging.seal = os.close

async def main():
    told = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    chance = random.Random(7)
    async with opened(Path(sys.argv[1])) as storage:
        await storage.volume.start()
        for number in range(2000):
            data, name = chance.randbytes(chance.randrange(2_000, 60_000)), f"foo-{number}.whl"
            await storage.catalogue.remember(FOO, [artifact(name, sha(data))], "public", NOW)
            coming = await storage.blobs.stage(len(data))
            await coming.write(data)
            sha256 = await coming.commit([sha(data)], len(data))
            await storage.catalogue.hold(
                FOO, name, sha256, len(data), event(Kind.INGEST, filename=name, sha256=sha256)
            )
            await storage.log.record(event(Kind.DELIVERY, filename=name, sha256=sha256))
            os.write(told, f"{name}\\n".encode())

asyncio.run(main())
"""


@contextmanager
def ingesting(root: Path, told: Path, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ingests and delivers, and writes the names of what it delivered to `told`."""
    environ = {
        "PYTHONPATH": ":".join([str(Path(__file__).parents[2]), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen([sys.executable, "-c", INGESTING, str(root), str(told), kind], env=environ)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def cuts(tmp_path: Path, number: int, kind: str) -> list[tuple[Path, frozenset[str]]]:
    """So many copies of the disk at random moments, each with what had been delivered by then."""
    disk, told, found = make_image(tmp_path / "disk.img", 192), tmp_path / "told", []
    moments = random.Random(11)
    with image(disk, tmp_path / "live") as root, ingesting(root, told, kind) as process:
        seen = 0
        for cut in range(number):
            until = seen + moments.randrange(3, 25)
            while seen < until:  # a moment is told by the work done, not by a clock
                assert process.poll() is None, "the ingesting process ended"
                seen = told.read_text().count("\n") if told.exists() else 0
            os.kill(process.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            delivered = frozenset(told.read_text().split())
            copy = tmp_path / f"cut-{cut}.img"
            shutil.copyfile(disk, copy)
            os.kill(process.pid, signal.SIGCONT)
            found.append((copy, delivered))
    return found


async def broken(root: Path, delivered: frozenset[str]) -> list[str]:
    """What isn't as it was promised after the power came back, as sentences."""
    found = []
    async with opened(root) as storage:
        await storage.volume.start()
        if first_break([row async for row in storage.log.replay()]) is not None:
            found.append("the log's chain is broken")
        recorded = {
            row.event.filename async for row in storage.log.replay() if row.event.kind is Kind.DELIVERY
        }
        found += [f"{name} was delivered and isn't on record" for name in delivered - recorded]
        for holding in await storage.catalogue.holdings(FOO):
            if holding.blob is None:
                continue
            path = storage.volume.blob(holding.blob)
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != holding.blob:
                found.append(f"{holding.artifact.filename} has a row and not its bytes")
        sha256 = await storage.blobs.put(b"what comes next")
        await storage.log.record(event(Kind.DELIVERY, sha256=sha256))
    return found


async def test_every_cut_leaves_what_was_promised(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    require_mounting()
    number = CUTS if pytestconfig.getoption("--long") else CUTS_SAMPLED
    for copy, delivered in cuts(tmp_path, number, "honest"):
        with image(copy, tmp_path / "cut") as root:
            assert await broken(root, delivered) == []
        copy.unlink()


async def test_a_file_that_was_not_synced_is_missed(tmp_path: Path) -> None:
    """What this judge is worth: without the fsync it finds files that have rows and not their bytes."""
    require_mounting()
    found = []
    for copy, delivered in cuts(tmp_path, 3, "mutant"):
        with image(copy, tmp_path / "cut") as root:
            found += await broken(root, delivered)
    assert [what for what in found if "not its bytes" in what]
