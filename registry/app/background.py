"""What goes on beside the requests, until the appliance stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from registry.model.ports import Leases

LOOK = 1.0
"""Seconds between two looks at a file that may change: policy.toml, the certificate."""


def in_background(work: Coroutine[Any, Any, None], stack: AsyncExitStack) -> None:
    """Do it until the appliance stops."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


async def in_one_process(leases: Leases, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do it in one process of the appliance; when that one ends, in another."""
    while not leases.take(name):  # noqa: ASYNC110  the kernel tells nobody when a lease is free
        await asyncio.sleep(LOOK)
    await work()


async def watch(paths: Sequence[Path], reload: Callable[[], Awaitable[None]]) -> None:
    """Reload what is in these files when one of them changes."""

    def stamps() -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in paths]

    last = await asyncio.to_thread(stamps)
    while True:
        await asyncio.sleep(LOOK)
        now = await asyncio.to_thread(stamps)
        if now != last:
            last = now
            await reload()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
