"""I12: an appliance that may open few files turns some away, and is well again when the crowd has left. Row F30."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.guarantees.crew import Crew
from tests.guarantees.house import path_of
from tests.upstream import LyingUpstream, make_wheel

PRLIMIT = shutil.which("prlimit")
pytestmark = pytest.mark.skipif(PRLIMIT is None, reason="prlimit (util-linux) isn't here")
WHEEL, OTHER = make_wheel("demo", "1.0", padding=50_000), make_wheel("other", "1.0")


async def test_a_crowd_beyond_the_limit_of_open_files_ends_nothing(
    tmp_path: Path, upstream: LyingUpstream
) -> None:
    upstream.add(WHEEL, OTHER)
    crew = Crew(tmp_path, upstream, workers=1, prefix=(str(PRLIMIT), "--nofile=128"))
    async with crew.pypiserver.serving(), crew.verdaccio.serving():
        try:
            await crew.start()
            assert (await crew.fetch(WHEEL)).is_whole(WHEEL.data)
            await crew.learn(OTHER)
            with ExitStack() as crowd:
                for _ in range(300):
                    idle = crowd.enter_context(socket.socket())
                    idle.setblocking(False)
                    await asyncio.get_running_loop().sock_connect(idle, crew.address)
                while len(list(Path(f"/proc/{crew.parent.pid}/fd").iterdir())) < 120:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            for package in (WHEEL, OTHER):
                while not await is_served(crew, path_of(package), package.data):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert crew.parent.poll() is None
            assert not [row for row in crew.rows("alarm") if row["detail"]["alarm"] == "damaged-blob"]
            crew.require_sound()
        finally:
            await crew.stop()
    assert crew.parent.returncode == 0


async def is_served(crew: Crew, path: str, data: bytes) -> bool:
    """Whether a client gets the file now; a broken one never is whole."""
    try:
        async with asyncio.timeout(5):
            got = await crew.ask(path)
    except (OSError, TimeoutError):
        return False
    assert got.status in {200, 503}
    return got.is_whole(data)
