"""A process that dies between two calls of an ingest: no row without its blob, no repair step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.specimens import FOO, opened, sha

DATA = b"the bytes of a wheel" * 1_000

INGEST = """
import asyncio, os, signal, sys
from pathlib import Path
from registry.model.events import Kind
from registry.storage import durable
from tests.specimens import FOO, NOW, artifact, event, opened, sha
from tests.storage.test_crash import DATA

def dying(module, name, at, after):
    real, count = getattr(module, name), 0
    def call(*arguments, **options):
        nonlocal count
        count += 1
        if count == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*arguments, **options)
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(module, name, call)

async def main():
    root, call, at, after = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "after"
    async with opened(root) as storage:
        await storage.volume.start()
        wheel = artifact("foo.whl", sha(DATA))
        await storage.catalogue.remember(FOO, [wheel], "public", NOW)
        if call != "hold":
            dying(os, call, at, after)
        staging = await storage.blobs.stage()
        await staging.write(DATA)
        sha256 = await staging.commit([sha(DATA)])
        if call == "hold" and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        await storage.catalogue.hold(FOO, "foo.whl", sha256, len(DATA), event(Kind.INGEST))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("call", "at", "moment", "held"),
    [
        ("write", 1, "before", False),
        ("fsync", 1, "before", False),
        ("rename", 1, "before", False),
        ("rename", 1, "after", False),
        ("hold", 1, "before", False),
        ("hold", 1, "after", True),
    ],
)
async def test_a_killed_ingest_leaves_a_whole_state(
    tmp_path: Path, call: str, at: int, moment: str, held: bool
) -> None:
    repository = Path(__file__).parents[2]
    command = [sys.executable, "-c", INGEST, str(tmp_path), call, str(at), moment]
    died = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)  # noqa: ASYNC221
    assert died.returncode == -9, died.stderr
    async with opened(tmp_path) as storage:
        await storage.volume.start()
        holding = await storage.catalogue.holding(FOO, "foo.whl")
        assert holding is not None
        logged = await storage.log.events(kinds=["ingest"])
        if held:
            assert holding.blob is not None
            assert await storage.blobs.read(holding.blob) == DATA
            assert len(logged) == 1
        else:
            assert (holding.blob, logged) == (None, ())
        assert await storage.blobs.read(sha(DATA).hex) in {None, DATA}
        assert await storage.blobs.put(DATA) == sha(DATA).hex
        assert await storage.blobs.read(sha(DATA).hex) == DATA
