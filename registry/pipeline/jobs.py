"""Work that takes longer than a request: started, watched, called off. It ends with the process."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec

from registry.errors import Conflict, NotFound, RegistryError

Figure = str | int
REMEMBERED = 50
"""Jobs that were finished and can still be asked about."""

journal = logging.getLogger("registry.jobs")


class Progress:
    """How far a job has come; the job writes, everybody reads."""

    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None
        self.found: dict[str, Figure] = {}
        self.complaints: list[str] = []

    def complain(self, text: str) -> None:
        """One thing that went wrong while the rest goes on; only some are kept."""
        if len(self.complaints) < 100:
            self.complaints.append(text)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it is now."""

    id: str
    kind: str
    state: Literal["running", "done", "failed", "cancelled"]
    done: int
    total: int | None
    """None while it isn't known."""
    found: Mapping[str, Figure]
    """What it has found or done so far."""
    complaints: tuple[str, ...]
    error: str = ""


class Jobs:
    """One of each kind at a time."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[str, Progress, asyncio.Task[None]]] = OrderedDict()

    def start(self, kind: str, work: Callable[[Progress], Awaitable[None]]) -> Job:
        """Begin. Raises Conflict while another one of its kind runs."""
        for other, (known, _, task) in self._jobs.items():
            if known == kind and not task.done():
                raise Conflict(f"A {kind} is under way (job {other}); wait for it, or call it off.")
        id_, progress = secrets.token_hex(8), Progress()
        self._jobs[id_] = (kind, progress, asyncio.create_task(_awaited(work, progress)))
        while len(self._jobs) > REMEMBERED:
            self._jobs.popitem(last=False)
        return self.look(id_)

    def look(self, job_id: str) -> Job:
        """How it stands. Raises NotFound."""
        if job_id not in self._jobs:
            raise NotFound("There is no such job; it was forgotten, or the appliance was started again.")
        kind, progress, task = self._jobs[job_id]
        error = None if not task.done() or task.cancelled() else task.exception()
        state: Literal["running", "done", "failed", "cancelled"] = "running"
        if task.done():
            state = "cancelled" if task.cancelled() else "failed" if error else "done"
        return Job(
            id=job_id,
            kind=kind,
            state=state,
            done=progress.done,
            total=progress.total,
            found=dict(progress.found),
            complaints=tuple(progress.complaints),
            error=_said(kind, error) if error else "",
        )

    async def cancel(self, job_id: str) -> Job:
        """Call it off and wait until it has ended. Raises NotFound."""
        self.look(job_id)
        await _end([self._jobs[job_id][2]])
        return self.look(job_id)

    async def close(self) -> None:
        """Call everything off."""
        await _end([task for _, _, task in self._jobs.values()])


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _awaited(work: Callable[[Progress], Awaitable[None]], progress: Progress) -> None:
    await work(progress)


def _said(kind: str, error: BaseException) -> str:
    if isinstance(error, RegistryError):
        return str(error)
    journal.error("a job failed in an unexpected way", exc_info=error, extra={"job": kind})
    return f"It failed ({type(error).__name__}); the appliance's log says more."
