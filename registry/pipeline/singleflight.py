"""One flight a key: whoever asks while it is under way shares it, and it outlives those who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


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
