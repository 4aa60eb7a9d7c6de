"""An ingest under strace: killed at its system calls, or told that one of them failed. Rows F1, F3, F4, F10.

A sample, all of them with --long. (No --seccomp-bpf: with it, strace doesn't count.) strace counts calls for each thread, and files and database are written by
threads of their own, so a sweep over each kind of call comes by every one of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from registry.model.events import Kind
from tests.provenance.chains import first_break
from tests.specimens import FOO, NOW, artifact, event, opened, sha

DATA = b"the bytes of a wheel" * 20_000
STRACE = shutil.which("strace")
CALLS = ("write", "fsync", "renameat", "mkdir", "pwrite64", "fdatasync", "unlink")
"""Every call that changes a disk; the first four write files, the others the database."""

CHILD = """
import asyncio, json, os, sys
from pathlib import Path
from registry.errors import RegistryError
from registry.model.events import Kind
from tests.specimens import FOO, NOW, artifact, event, opened, sha
from tests.chaos.test_system_calls import DATA

async def ingest(storage):
    staging = await storage.blobs.stage(len(DATA))
    try:
        for start in range(0, len(DATA), 100_000):
            await staging.write(DATA[start:start + 100_000])
        sha256 = await staging.commit([sha(DATA)], len(DATA))
    finally:
        await staging.discard()
    done = event(Kind.INGEST, filename="foo.whl", sha256=sha256)
    await storage.catalogue.hold(FOO, "foo.whl", sha256, len(DATA), done)
    assert await storage.blobs.read(sha256) == DATA
    return sha256

async def main():
    outcomes = []
    async with opened(Path(sys.argv[1])) as storage:
        await storage.volume.start()
        for _ in range(int(sys.argv[3])):
            try:
                outcomes.append(await ingest(storage))
            except RegistryError as error:
                outcomes.append(f"{type(error).__name__}: {error}")
        told = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
        os.pwrite(told, json.dumps(outcomes).encode(), 0)

asyncio.run(main())
"""


def strace(folder: Path, *options: str, times: int = 1) -> tuple[int, list[str], str]:
    """Exit status, what each ingest came to, and the trace."""
    assert STRACE is not None
    told, trace = folder / "told", folder / "trace"
    told.unlink(missing_ok=True)
    command = [STRACE, "-f", "-o", str(trace), *options]
    command += [str(Path(sys.executable).resolve()), "-c", CHILD, str(folder / "root"), str(told), str(times)]
    environ = {
        "PYTHONPATH": ":".join([str(Path(__file__).parents[2]), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=60)
    outcomes = json.loads(told.read_text()) if told.exists() else []
    return done.returncode, outcomes, trace.read_text() if trace.exists() else done.stderr


@pytest.fixture
async def prepared(tmp_path: Path) -> Path:
    """A volume and a database that know of the file, and don't have it yet."""
    if STRACE is None:
        assert "TOOLS_REQUIRED" not in os.environ, "Debian's strace isn't installed"
        pytest.skip("strace isn't installed here")
    probe = subprocess.run([STRACE, "-f", "true"], capture_output=True, text=True, check=False)  # noqa: ASYNC221
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.strip()[-100:]}")
    (tmp_path / "root").mkdir()
    async with opened(tmp_path / "root") as storage:
        await storage.volume.start()
        await storage.catalogue.remember(FOO, [artifact("foo.whl", sha(DATA))], "public", NOW)
    return tmp_path


async def require_whole(folder: Path) -> bool:
    """I4 holds, and an ingest now succeeds. Gives whether the killed one had got through."""
    async with opened(folder / "root") as storage:
        await storage.volume.start()
        holding = await storage.catalogue.holding(FOO, "foo.whl")
        assert holding is not None
        logged = await storage.log.events(kinds=["ingest"])
        assert (holding.blob is not None) == (len(logged) > 0), "row and log are one transaction"
        if holding.blob is not None:
            assert await storage.blobs.read(holding.blob) == DATA
        for path in (folder / "root" / "volume" / "blobs").rglob("*"):
            if path.is_file():
                assert sha(path.read_bytes()).hex == path.name, "what has its name has its bytes"
        assert first_break([row async for row in storage.log.replay()]) is None
        sha256 = await storage.blobs.put(DATA)
        await storage.catalogue.hold(FOO, "foo.whl", sha256, len(DATA), event(Kind.INGEST))
        assert await storage.blobs.read(sha256) == DATA
        return holding.blob is not None


async def test_an_ingest_survives_being_killed_at_any_of_its_system_calls(
    prepared: Path, pytestconfig: pytest.Config
) -> None:
    pristine = prepared / "pristine"
    shutil.copytree(prepared / "root", pristine)
    status, outcomes, trace = strace(prepared, "-e", f"trace={','.join(CALLS)}")
    assert (status, outcomes) == (0, [sha(DATA).hex]), trace
    found = Counter(re.findall(r"^(\d+) +(\w+)\(", trace, re.MULTILINE))
    most = {call: max((n for (_, name), n in found.items() if name == call), default=0) for call in CALLS}
    points = [(call, number) for call in CALLS for number in range(1, most[call] + 1)]
    assert len(points) > 10, trace
    if not pytestconfig.getoption("--long"):
        points = points[:: max(1, len(points) // 8)]
    survived, killed = Counter[bool](), 0
    for call, number in points:
        shutil.rmtree(prepared / "root")
        shutil.copytree(pristine, prepared / "root")
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        status, outcomes, _ = strace(prepared, "-e", f"trace={call}", "-e", inject)
        assert status in {0, -9, 137}, (call, number, status)
        killed += status != 0  # which thread makes a call is chance, so some numbers aren't reached
        survived[await require_whole(prepared)] += 1
    assert survived.total() == len(points)
    assert killed > len(points) * 3 // 4
    assert survived[False], "some were killed before the commit"
    print(f"{killed} kills at {len(points)} points; {survived[True]} came after the commit")


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("fsync", "EIO", "reported an I/O error"),
        ("write", "ENOSPC", "is full"),
        ("write", "EDQUOT", "has used up its quota"),
        ("renameat", "ENOSPC", "is full"),
        ("renameat", "ESTALE", "no longer knows a file"),
    ],
)
async def test_a_call_that_fails_once_costs_one_ingest_and_is_explained(
    prepared: Path, call: str, error: str, said: str
) -> None:
    inject = f"inject={call}:error={error}:when=1"
    status, outcomes, trace = strace(prepared, "-e", f"trace={call}", "-e", inject, times=2)
    assert status == 0, trace
    assert outcomes[0].startswith("Unavailable: "), outcomes
    assert said in outcomes[0]
    assert outcomes[1] == sha(DATA).hex
    assert list((prepared / "root" / "volume" / "tmp").iterdir()) == []
    assert await require_whole(prepared)


async def test_a_database_that_can_not_be_synced_keeps_nothing_back_half(prepared: Path) -> None:
    inject = "inject=fdatasync:error=EIO:when=1+"
    status, outcomes, trace = strace(prepared, "-e", "trace=fdatasync", "-e", inject)
    assert status == 0, trace
    assert outcomes[0].startswith("Unavailable: ")
    assert await require_whole(prepared) is False
