"""Processes that do what would hold the loop up: large documents, attestations."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from registry.errors import Unavailable
from registry.pipeline.worker import Answer, receive, send

Params = ParamSpec("Params")
Result = TypeVar("Result")

PROCESSES = max(1, min(2, (os.cpu_count() or 1) - 1))
"""One processor is the loop's."""
IDLE = 20.0
"""Seconds after which a process that has nothing to do ends: each has 30 MB and more."""

journal = logging.getLogger("registry.workers")


class Workers:
    """A few processes, each started when it is needed and ended when it isn't. Used from one event loop."""

    def __init__(self, processes: int = PROCESSES, idle: float = IDLE) -> None:
        self._turns = asyncio.Semaphore(processes)
        self._idle = idle
        self._resting: list[_Process] = []
        self._working: set[_Process] = set()
        self._rest: asyncio.TimerHandle | None = None

    async def run(
        self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Do `work`, a function that a module defines, in another process. Raises what it raises, and
        Unavailable when its process died (out of memory, most likely)."""
        async with self._turns:
            process = self._resting.pop() if self._resting else _Process()
            self._working.add(process)
            try:
                answer = await asyncio.to_thread(process.do, partial(work, *args, **kwargs))
            except BaseException as error:
                process.end()
                if not isinstance(error, (OSError, EOFError)):
                    raise
                journal.error("a worker process died at its work", extra={"error": repr(error)})
                message = "Preparing this answer failed; the appliance may be short of memory."
                raise Unavailable(message) from error
            finally:
                self._working.discard(process)
        if answer.last:
            process.end()
        else:
            self._resting.append(process)
        self._rest_soon()
        if answer.error is not None:
            raise answer.error
        result: Result = answer.value
        return result

    @property
    def processes(self) -> int:
        """How many there are now."""
        return len(self._resting) + len(self._working)

    def close(self) -> None:
        """End the processes; what they were at is given up."""
        if self._rest is not None:
            self._rest.cancel()
        for process in (*self._resting, *self._working):
            process.end()
        self._resting.clear()

    def _rest_soon(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(self._idle, self._retire)

    def _retire(self) -> None:
        while self._resting:
            self._resting.pop().end()


class _Process:
    """One worker, started with its first errand."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def do(self, errand: Callable[[], object]) -> Answer:
        """Have it done. Blocks; raises OSError and EOFError when the process is gone."""
        line = self._line or self._start()
        send(line, pickle.dumps(errand, pickle.HIGHEST_PROTOCOL))
        message = receive(line)
        if message is None:
            raise EOFError
        answer: Answer = pickle.loads(message)  # noqa: S301 - from our own child
        return answer

    def end(self) -> None:
        """Stop it at once. Safe to call twice, and while it works."""
        self._ended = True
        if self._line is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                self._line.shutdown(socket.SHUT_RDWR)
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> socket.socket:
        # A new interpreter, not a fork: a fork of a process with threads and open databases asks for trouble.
        ours, theirs = socket.socketpair()
        program = f"import sys; sys.path[:] = {sys.path!r}; from registry.pipeline.worker import work"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"{program}; work({theirs.fileno()})"],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._line = ours
        if self._ended:  # while it was started
            self.end()
        return ours
