"""One flight a key: whoever asks while it is under way shares it, and it outlives those who asked.

Among the processes of one appliance a lease sees to it. A lease spares work and keeps turns; whatever is kept
is right without it (digests, pins, transactions), so nobody waits for one for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Generic, TypeVar

from registry.errors import Unavailable
from registry.model.ports import Leases

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

SHORTEST, LONGEST = 0.005, 0.05
"""Seconds between two looks at whether another process has let go of a lease."""
PATIENCE = 120.0
"""Seconds after which another process that has a lease and gets nowhere is no longer waited for. A flight has
shorter time-outs, so such a process was stopped."""


class NoOthers:
    """The leases of an only process: all are its own, and nobody listens."""

    def take(self, _name: str, /) -> bool:
        """Yes."""
        return True

    def drop(self, _name: str, /) -> None:
        """Nothing to do."""

    def say(self, _name: str, _words: bytes, /) -> None:
        """Nothing to do."""

    def heard(self, _name: str, /) -> bytes | None:
        """Nothing."""
        return None

    def unsay(self, _name: str, /) -> None:
        """Nothing to do."""


@asynccontextmanager
async def leased(leases: Leases, name: str) -> AsyncIterator[bool]:
    """Hold a lease, waited for; gives whether it is ours. Without it the caller may go on all the same."""
    loop = asyncio.get_running_loop()
    ends, pause = loop.time() + PATIENCE, SHORTEST
    while not (taken := leases.take(name)) and loop.time() < ends:
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST)
    try:
        yield taken
    finally:
        if taken:
            leases.drop(name)


class Turn:
    """One at a time, here and in all processes: `async with turn`. Entering raises Unavailable when another
    process keeps it for too long."""

    def __init__(self, leases: Leases, name: str) -> None:
        self._leases = leases
        self._name = name
        self._here = asyncio.Lock()

    async def __aenter__(self) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._here)
            if not await stack.enter_async_context(leased(self._leases, self._name)):
                raise Unavailable("Another process of the registry is busy with this; try again.", 5)
            self._held = stack.pop_all()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._held.__aexit__(kind, error, trace)


class Flights(Generic[Key, Value]):
    """Tasks by key; a task leaves the table when it is done, so nothing is cached here."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[Value]] = {}

    def start(self, key: Key, fly: Callable[[], Awaitable[Value]]) -> asyncio.Task[Value]:
        """The flight under way for `key`, else a new one.

        Wait for it with `asyncio.shield`, so that a client who leaves doesn't take the flight along.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(_awaited(fly))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return task

    async def join(self, key: Key, fly: Callable[[], Awaitable[Value]]) -> Value:
        """Wait for the flight of `key`; all who joined get its value, or its error."""
        return await asyncio.shield(self.start(key, fly))

    def _landed(self, key: Key, task: asyncio.Task[Value]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            task.exception()  # seen here: a flight whose clients all left isn't a warning in the log

    async def close(self) -> None:
        """Cancel what is under way and wait until it is gone."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _awaited(fly: Callable[[], Awaitable[Value]]) -> Value:
    return await fly()
