"""The gateway as it is run: a parent and its workers as processes, each of which can be made to rest or killed."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from registry.appliance.premises import reserved_port
from registry.storage.leases import place_of
from tests.guarantees.house import House
from tests.upstream import LyingUpstream

NAMES = "\n".join(f"known-name-{number}" for number in range(50))

STANDING = {place_of(name) for name in ("checkpoints", "clock", "neighbours", "quota", "starvation")}
"""Leases that one of the workers holds all the time."""


@dataclass
class Crew(House):
    """A house whose appliance is a program of several processes, or of one."""

    workers: int = 2
    prefix: tuple[str, ...] = ()
    """What the program is run by."""
    umask: int = -1
    """The program's; -1 for ours."""

    async def start(self) -> None:
        """Run it until its workers serve."""
        lists = self.data / "names"
        lists.mkdir(parents=True, exist_ok=True)
        for ecosystem in ("pypi", "npm"):  # the shipped lists take seconds to load
            (lists / f"{ecosystem}.txt").write_text(NAMES)
        with reserved_port() as port:
            self.address = ("127.0.0.1", port)
        environ = {
            "PATH": os.environ["PATH"],
            "REGISTRY_PORT": str(self.address[1]),
            "REGISTRY_DATA": str(self.data),
            "REGISTRY_POLICY": str(self.policy_file),
            "REGISTRY_PYPI_UPSTREAM": self.upstream.url_pypi,
            "REGISTRY_NPM_UPSTREAM": self.upstream.url_npm,
            "REGISTRY_PYPISERVER_URL": self.pypiserver.url,
            "REGISTRY_VERDACCIO_URL": self.verdaccio.url,
            "REGISTRY_WORKERS": str(self.workers),
            **self.environ,
        }
        with (self.folder / "journal").open("ab") as journal:
            self.parent = subprocess.Popen(  # noqa: ASYNC220  it takes a moment, and nothing else is to do
                (*self.prefix, sys.executable, "-m", "registry", "serve"),
                env=environ,
                cwd=self.folder,
                stderr=journal,
                umask=self.umask,
            )
        connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=self.tls or True)
        self._session = await self._running.enter_async_context(aiohttp.ClientSession(connector=connector))
        await self.all_serve()

    async def all_serve(self) -> None:
        """Wait until every worker answers."""
        while len(self.pids) < self.workers:
            assert self.parent.poll() is None, self.journal
            await asyncio.sleep(0.02)
        for worker in range(self.workers):
            async with self.only(worker):
                while not await self._answers():
                    assert self.parent.poll() is None, self.journal
                    await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Ask it to end, and wait until nothing of it is left."""
        await self._running.aclose()
        if self.parent.poll() is None:
            self.parent.terminate()
        try:
            async with asyncio.timeout(30):
                while self.parent.poll() is None:  # noqa: ASYNC110  a process's end is no event
                    await asyncio.sleep(0.02)
        finally:
            self.parent.kill()
            self.parent.wait()

    @property
    def pids(self) -> list[int]:
        """The workers."""
        return children(self.parent.pid) if self.workers > 1 else [self.parent.pid]

    @property
    def journal(self) -> str:
        return (self.folder / "journal").read_text()

    @asynccontextmanager
    async def only(self, worker: int, *, in_the_middle: bool = False) -> AsyncIterator[None]:
        """Let this worker alone run: all requests are its own. The others finish first what they hold a lease
        for, unless they are to rest in the middle of it."""
        while not in_the_middle and self._leases() - STANDING:  # noqa: ASYNC110  the kernel tells nobody when a lease is free
            await asyncio.sleep(0.01)
        others = [pid for number, pid in enumerate(self.pids) if number != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _leases(self) -> set[int]:
        """Where the workers hold leases now (proc(5), /proc/locks)."""
        file = self.data / "processes" / "leases" / "lock"
        ours = f":{file.stat().st_ino} " if file.exists() else "nothing yet"
        return {
            int(line.split()[-1]) for line in Path("/proc/locks").read_text().splitlines() if ours in line
        }

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(1):
                return (await self.ask("/-/live")).status == 200
        except (OSError, aiohttp.ClientError, TimeoutError):
            return False


def children(pid: int) -> list[int]:
    """The processes that a process has started, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@asynccontextmanager
async def open_crew(
    folder: Path,
    upstream: LyingUpstream,
    environ: Mapping[str, str] | None = None,
    *,
    workers: int = 2,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Crew]:
    """A crew with everything around it, and the proof that nothing in it went wrong unnoticed."""
    crew = Crew(folder, upstream, dict(environ or {}), tls=tls, workers=workers)
    async with crew.pypiserver.serving(), crew.verdaccio.serving():
        try:
            await crew.start()
            yield crew
        finally:
            await crew.stop()
    assert crew.excused or '"trace"' not in crew.journal, crew.journal
