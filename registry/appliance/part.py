"""One part of the appliance: a child process that is kept running, and stopped with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.appliance.part_log import PartLog, Say

_TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How a part is run."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    folder: Path
    """Where it runs."""
    sockets: tuple[int, ...] = ()
    """File descriptors that it inherits."""
    umask: int = -1
    """-1: ours."""
    patience: float = 3.0
    """Seconds that it may take to stop."""


@dataclass(slots=True)
class Backoff:
    """How long to wait before a part that ended is started again. Seconds."""

    first: float = 0.5
    longest: float = 30.0
    healthy: float = 60.0
    """A part that ran for so long starts over with the first pause."""
    _next: float = 0.0

    def pause(self, lifetime: float) -> float:
        """The pause after a part that ran for `lifetime`."""
        pause = self.first if lifetime >= self.healthy or not self._next else self._next
        self._next = min(pause * 2, self.longest)
        return pause


class Keeper:
    """Keeps one part running until it is told to stop."""

    def __init__(self, part: Part, log: PartLog, say: Say, backoff: Backoff) -> None:
        self.part = part
        self.ended = asyncio.Event()
        """Set when the part ended though nobody told it to."""
        self._log = log
        self._say = say
        self._backoff = backoff
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._hurried = asyncio.Event()

    async def keep(self) -> None:
        """Start the part, again and again, until `stop`."""
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                cause = await self._run_once()
                if self._stopping.is_set():
                    break
                self.ended.set()
                pause = self._backoff.pause(time.monotonic() - began)
                self._tell(f"{cause}; it is started again in {pause:g} s")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
        finally:
            self._log.close()

    def stop(self) -> None:
        """Ask the part to end; it is killed when it takes longer than its patience."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def hurry(self) -> None:
        """Kill it, without patience."""
        self._hurried.set()

    def reload(self) -> None:
        """Ask the part to read its configuration again."""
        self._signal(signal.SIGHUP)

    async def _run_once(self) -> str:
        """From start to end, and why it ended; what is left of its process group then ends too."""
        # A pipe of our own: with asyncio's, some versions see a part's end only after all that it started.
        reading, writing = os.pipe()
        draining = asyncio.create_task(self._drain(reading))
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *self.part.command),
                cwd=self.part.folder,
                env=dict(self.part.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=self.part.sockets,
                umask=self.part.umask,
                start_new_session=True,  # Ctrl-C is for us; we stop the parts in order
            )
        except OSError as error:
            return f"can't be started ({error})"
        finally:
            os.close(writing)
        self._log.note(f"started, process {process.pid}")
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)
        try:
            status = await self._end_of(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self._process = None
        # Nobody of its group is left to print; one who left the group must not hold us up.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(draining, 2.0)
        cause = _cause(status)
        self._log.note(cause)
        return cause

    async def _drain(self, reading: int) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", buffering=0)
        )
        try:
            await self._log.drain(stream)
        finally:
            transport.close()

    async def _end_of(self, process: asyncio.subprocess.Process) -> int:
        ending = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((ending, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                hurried = asyncio.create_task(self._hurried.wait())
                await asyncio.wait(
                    (ending, hurried), timeout=self.part.patience, return_when=asyncio.FIRST_COMPLETED
                )
                hurried.cancel()
            if not ending.done():
                self._signal(signal.SIGKILL)
            return await ending
        finally:
            stopping.cancel()
            ending.cancel()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _tell(self, text: str) -> None:
        words = "".join(f"\n    {line}" for line in self._log.last_words())
        self._say(f"{self.part.name} {text}. Its last words, more in {self._log.path}:{words}" if words else
                  f"{self.part.name} {text}.")  # fmt: skip


def _cause(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"
