"""Several gateways on one port: a parent that forks, watches, and answers nothing itself.

The parent holds the data directory's lock and the listening socket. It has loaded the code and the lists of
known names before it forks, so these are in memory once, and a worker that is started again is there at once.
It has no thread, no event loop and no database: a fork copies nothing that could be half done.

The first worker prepares what is shared (schema, keys, the first account); the others start once it serves.
When a worker dies another one takes its place. When the parent dies the kernel ends the workers, so nobody
writes once the lock is free.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from registry.appliance.part import Backoff

PR_SET_PDEATHSIG = 1
MISCONFIGURED = 2
"""Status of a worker that couldn't start and has said why; before all serve, that ends everything."""
CLOSES = 0.5
"""Seconds after workers were asked to end when the port is closed: they have let go of it by then, and who
came meanwhile is turned away, not left waiting."""
PATIENCE = 40.0
"""Seconds that workers may take to end; what is left then is killed."""
LOOK = 0.05
"""Seconds between two looks at whether the first worker serves."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

Serve = Callable[[Callable[[], None]], int]
"""What a worker does until SIGTERM: it calls what it is given once it serves, and gives its exit status."""

journal = logging.getLogger("registry.prefork")


@dataclass(slots=True)
class _Place:
    """Where one worker runs after the other."""

    backoff: Backoff = field(default_factory=Backoff)
    pid: int = 0
    """0 while there is none."""
    began: float = 0.0
    due: float = 0.0
    """Monotonic time before which none is started."""


class Prefork:
    """The parent of `workers` processes that `serve`."""

    def __init__(self, workers: int, serve: Serve, listener: socket.socket | None) -> None:
        """`listener` is what they accept from, unless somebody else goes on with it."""
        self._serve = serve
        self._listener = listener
        self._places = [_Place() for _ in range(workers)]
        self._serving, self._told = os.pipe()
        self._has_served = False
        self._closes: float | None = None
        """Monotonic time when the port is closed; None while nobody asked to stop, and once it was."""
        self._ends: float | None = None
        """Monotonic time when those that still run are killed; None while nobody asked to stop."""
        self._status = 0

    def run(self) -> int:
        """Until SIGTERM or SIGINT; gives the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        gc.collect()
        gc.freeze()  # a worker's collections would write into every page that it shares with the others
        while True:
            if self._ends is None:
                self._start_due()
            elif not any(place.pid for place in self._places):
                return self._status
            elif time.monotonic() > self._ends:
                self._signal_all(signal.SIGKILL)
            self._hear()
            self._reap()
            if self._listener is not None and self._closes is not None and time.monotonic() > self._closes:
                self._closes = None
                self._listener.shutdown(socket.SHUT_RDWR)  # in all processes that have it
            self._has_served = self._has_served or bool(select.select([self._serving], [], [], 0)[0])

    def _start_due(self) -> None:
        """Start the workers that are missing; the first one alone until it has served."""
        now = time.monotonic()
        for place in self._places if self._has_served else self._places[:1]:
            if not place.pid and now >= place.due:
                place.pid, place.began = self._fork(), now

    def _fork(self) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            _die_with(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            status = self._serve(self._tell)
        except BaseException:  # noqa: BLE001  nothing of the parent's may run in the child
            journal.exception("a worker failed")
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _tell(self) -> None:
        """In a worker: it serves."""
        os.write(self._told, b".")

    def _hear(self) -> None:
        """Wait for a signal, for a moment at most, and do what it says."""
        heard = signal.sigtimedwait(_SIGNALS, LOOK if not self._has_served or self._ends else 1.0)
        if heard is None or heard.si_signo == signal.SIGCHLD:
            return
        if heard.si_signo == signal.SIGHUP:
            # One reads the policy again, and the others follow it.
            for place in [place for place in self._places if place.pid][:1]:
                os.kill(place.pid, signal.SIGHUP)
            return
        if self._ends is None:
            self._stop(0)
        else:
            self._signal_all(signal.SIGKILL)

    def _stop(self, status: int) -> None:
        self._status, self._ends = status, time.monotonic() + PATIENCE
        self._closes = time.monotonic() + CLOSES
        self._signal_all(signal.SIGTERM)

    def _reap(self) -> None:
        for place in [place for place in self._places if place.pid]:
            pid, ending = os.waitpid(place.pid, os.WNOHANG)
            if not pid:
                continue
            place.pid = 0
            if self._ends is not None:
                continue
            status = os.waitstatus_to_exitcode(ending)
            if status == MISCONFIGURED or not self._has_served:
                self._stop(status if status > 0 else 1)
                continue
            now = time.monotonic()
            pause = place.backoff.pause(now - place.began)
            place.due = now + pause
            journal.error("a worker ended", extra={"pid": pid, "status": status, "again_in": pause})

    def _signal_all(self, number: signal.Signals) -> None:
        for place in self._places:
            if place.pid:
                os.kill(place.pid, number)  # it is ours until it was waited for


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
