"""An install's requests without its client: what uv and npm ask for, over a few kept connections."""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench import static, systems
from tests.bench.cost import cpu_seconds, peak_memory
from tests.bench.load import answered, request
from tests.bench.measure import Findings, loads
from tests.bench.static import PACKUMENT, SIMPLE
from tests.bench.systems import System

Wave = Sequence[tuple[str, Mapping[str, str]]]
CONNECTIONS = 15
"""npm's default; uv opens up to 50."""


def replayed(captured: Path, scratch: Path) -> None:
    """Cold, warm and after a restart, and the single requests; beside nginx."""
    waves = [_python(captured), *_npm(captured)]
    appliance = systems.appliance(scratch / "appliance")
    for title in ("cold", "after a restart"):
        with appliance.running(scratch):
            print(
                f"{title}: started in {appliance.start_seconds:.1f} s, {appliance.start_cpu:.2f} s CPU",
                flush=True,
            )
            _rounds(appliance, waves)
            if title == "cold":
                static.build(appliance, captured, scratch / "static")
            else:
                loads(Findings(appliance), 2)
    limit = systems.limit(scratch / "static", scratch)
    with limit.running(scratch):
        _rounds(limit, waves)
        loads(Findings(limit), 2)


def _rounds(system: System, waves: Sequence[Wave]) -> None:
    for number in range(3):
        for name, wave in zip(("python", "packuments", "tarballs"), waves, strict=True):
            before, began = cpu_seconds(system.pid), time.monotonic()
            wrong = asyncio.run(_replay(system.port, wave))
            seconds = time.monotonic() - began
            time.sleep(0.2)
            spent = cpu_seconds(system.pid) - before
            print(
                f"  {system.name} {number + 1}: {name}, {len(wave)} requests: {spent:.2f} s CPU, {seconds:.1f} s,"
                f" {wrong} wrong, {peak_memory(system.pid) / 1e6:.0f} MB",
                flush=True,
            )


async def _replay(port: int, wave: Wave) -> int:
    """Ask for everything; gives the number of wrong answers."""
    rest = iter(wave)
    wrong = 0

    async def connection() -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        for path, headers in rest:
            writer.write(request(port, path, headers))
            wrong += not await answered(reader)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(connection())
    return wrong


def _python(captured: Path) -> Wave:
    wave: list[tuple[str, Mapping[str, str]]] = [
        (f"/pypi/simple/{path.stem}/", SIMPLE) for path in sorted((captured / "simple").glob("*.json"))
    ]
    for path in sorted((captured / "files").iterdir()):
        project = path.name.partition("-")[0].lower().replace("_", "-").replace(".", "-")
        wave.append((f"/pypi/files/{project}/{urllib.parse.quote(path.name, safe='')}", {}))
    return wave


def _npm(captured: Path) -> tuple[Wave, Wave]:
    packuments = [
        (f"/npm/{str(path.relative_to(captured / 'packuments'))[:-5].replace('/', '%2f')}", PACKUMENT)
        for path in sorted((captured / "packuments").rglob("*.json"))
    ]
    tarballs: Wave = [
        (f"/npm/{path.relative_to(captured / 'tarballs')}", {})
        for path in sorted((captured / "tarballs").rglob("*.tgz"))
    ]
    return packuments, tarballs
