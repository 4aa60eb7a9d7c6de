"""Processes that prepare large documents, so that the loop never waits for a parse."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import ParamSpec, TypeVar

from registry.errors import Unavailable

Params = ParamSpec("Params")
Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1
DOCUMENTS_A_LIFE = 200
"""After so many documents a process is replaced: parsing tens of megabytes leaves its heap in pieces."""

journal = logging.getLogger("registry.workers")


class Workers:
    """A small pool that starts with the first large document and heals when one of its processes dies."""

    def __init__(self, processes: int = 2) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    async def run(
        self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Do `work` in a process of the pool. Raises what it raises, and Unavailable when its process died
        (out of memory, most likely)."""
        pool = self._pool = self._pool or self._start()
        try:
            # In a thread, since it may start a process, which takes the caller tens of milliseconds.
            future = await asyncio.to_thread(pool.submit, partial(work, *args, **kwargs))
            return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            journal.error("a worker process died while preparing a document")
            if self._pool is pool:
                self._pool = None
            raise Unavailable("Preparing this index failed; the appliance may be short of memory.") from error

    def close(self) -> None:
        """End the processes; what they were at is given up."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, not forked: a fork of a process with threads and open databases is asking for trouble.
        return ProcessPoolExecutor(
            self._processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            max_tasks_per_child=DOCUMENTS_A_LIFE,
        )


def _begin() -> None:
    """In the new process: die with the gateway, leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
