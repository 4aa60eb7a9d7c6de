"""Starts the parts, says when they are ready, restarts what dies, and stops all of it in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from registry.appliance.part import Backoff, Keeper, Part
from registry.appliance.part_log import PartLog, Say

LOOK = 0.2
"""Seconds between two looks at whether everything is ready."""
PATIENCE = 15.0
"""Seconds after which a start that takes long is explained."""

CLOSES = 0.5
"""Seconds after which a gateway that was asked to end accepts nobody any more."""

IsReady = Callable[[], Awaitable[str | None]]
"""None when everything is ready, else what isn't."""


class Supervisor:
    """The life of one run."""

    def __init__(
        self,
        gateway: Part,
        back_ends: Sequence[Part],
        *,
        logs: Path,
        is_ready: IsReady,
        say: Say,
        close_port: Callable[[], None] = lambda: None,
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        """`close_port` turns away whoever comes while the gateway finishes what runs."""
        self._gateway = Keeper(gateway, PartLog(logs, gateway.name, say), say, backoff())
        self._back_ends = [Keeper(part, PartLog(logs, part.name, say), say, backoff()) for part in back_ends]
        self._is_ready = is_ready
        self._say = say
        self._close_port = close_port
        self._asked_to_stop = asyncio.Event()
        self._has_terminal = sys.stdin is not None and sys.stdin.isatty()

    async def run(self, greet: Callable[[], None]) -> int:
        """Until SIGINT or SIGTERM; `greet` is called once everything is ready. Gives back the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        back_ends = [asyncio.create_task(keeper.keep()) for keeper in self._back_ends]
        gateway = asyncio.create_task(self._gateway.keep())
        started = await self._wait_until_ready(greet)
        if started:
            await self._asked_to_stop.wait()
        self._gateway.stop()
        await asyncio.wait([gateway], timeout=CLOSES)  # it has let go of the port by then
        self._close_port()
        await gateway
        for keeper in self._back_ends:
            keeper.stop()
        await asyncio.gather(*back_ends)
        return 0 if started else 1

    async def _wait_until_ready(self, greet: Callable[[], None]) -> bool:
        """Whether the start went well, or was broken off by the operator.

        A back end that dies is restarted and waited for. A gateway that ends before it was ever ready won't
        do better a second time: it has said why.
        """
        loop = asyncio.get_running_loop()
        explained = loop.time()
        while not self._asked_to_stop.is_set():
            if self._gateway.ended.is_set():
                self._say("the start is broken off: the gateway says above what is wrong.")
                return False
            missing = await self._is_ready()
            if missing is None:
                greet()
                return True
            if loop.time() - explained > PATIENCE:
                explained = loop.time()
                self._say(f"not ready yet: {missing}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked_to_stop.wait(), LOOK)
        return True

    def _stop(self) -> None:
        if self._asked_to_stop.is_set():
            for keeper in (self._gateway, *self._back_ends):
                keeper.hurry()
            return
        self._asked_to_stop.set()
        self._say("stopping; once more to stop at once")

    def _hang_up(self) -> None:
        """A closed terminal stops us; `kill -HUP` has the gateway read its policy again."""
        if self._has_terminal and not _terminal_is_there():
            self._stop()
        else:
            self._gateway.reload()


def _terminal_is_there() -> bool:
    try:
        os.tcgetpgrp(sys.stdin.fileno())
    except OSError:
        return False
    return True
