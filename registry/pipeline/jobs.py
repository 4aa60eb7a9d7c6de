"""Work that takes longer than a request: started, watched, called off. It ends with its process.

In whichever process of the appliance a job runs, the others can tell how it stands and call it off: they hear
of it by its lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec

from registry.errors import Conflict, NotFound, RegistryError
from registry.model.ports import Leases
from registry.pipeline.singleflight import NoOthers

Figure = str | int
LOOK = 0.25
"""Seconds between two words about a job to the other processes."""
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

    def count(self, what: str, by: int = 1) -> None:
        """More of a figure that is among what was found."""
        self.found[what] = int(self.found[what]) + by

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


_JOB = msgspec.json.Decoder(Job)


class Jobs:
    """One of each kind at a time, in all processes."""

    def __init__(self, leases: Leases | None = None) -> None:
        """`leases` are shared with the other processes of the appliance, where there are any."""
        self._leases = leases or NoOthers()
        self._jobs: OrderedDict[str, tuple[str, Progress, asyncio.Task[None]]] = OrderedDict()
        self._telling: dict[str, asyncio.Task[None]] = {}

    def start(self, kind: str, work: Callable[[Progress], Awaitable[None]]) -> Job:
        """Begin. Raises Conflict while another one of its kind runs."""
        for other, (known, _, task) in self._jobs.items():
            if known == kind and not task.done():
                raise Conflict(f"A {kind} is under way (job {other}); wait for it, or call it off.")
        if not self._leases.take(_kind(kind)):
            raise Conflict(f"A {kind} is under way in another process; wait for it.")
        id_, progress = secrets.token_hex(8), Progress()
        self._leases.take(_job(id_))
        self._jobs[id_] = (kind, progress, asyncio.create_task(_awaited(work, progress)))
        self._say(id_)
        self._telling[id_] = asyncio.create_task(self._tell(id_, kind))
        while len(self._jobs) > REMEMBERED:
            oldest, _ = self._jobs.popitem(last=False)
            self._leases.unsay(_job(oldest))
        return self.look(id_)

    def look(self, job_id: str) -> Job:
        """How it stands. Raises NotFound."""
        if job_id not in self._jobs:
            return self._elsewhere(job_id)
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
        found = self.look(job_id)
        if job_id in self._jobs:
            await _end([self._jobs[job_id][2]])
        elif found.state == "running":
            self._leases.say(_call(job_id), b"off")
        while (found := self.look(job_id)).state == "running":  # noqa: ASYNC110  in whichever process
            await asyncio.sleep(LOOK)
        return found

    async def close(self) -> None:
        """Call everything off."""
        await _end([task for _, _, task in self._jobs.values()])
        await asyncio.gather(*self._telling.values())

    async def _tell(self, job_id: str, kind: str) -> None:
        """Say how a job stands until it has ended, and hear whether it is called off elsewhere."""
        task = self._jobs[job_id][2]
        while not (await asyncio.wait([task], timeout=LOOK))[0]:
            self._say(job_id)
            with contextlib.suppress(OSError):
                if self._leases.heard(_call(job_id)) is not None:
                    task.cancel()
        self._say(job_id)
        with contextlib.suppress(OSError):
            self._leases.unsay(_call(job_id))
        self._leases.drop(_job(job_id))
        self._leases.drop(_kind(kind))
        del self._telling[job_id]

    def _say(self, job_id: str) -> None:
        with contextlib.suppress(OSError):
            self._leases.say(_job(job_id), msgspec.json.encode(self.look(job_id)))

    def _elsewhere(self, job_id: str) -> Job:
        """How a job of another process stands. Raises NotFound."""
        words = None
        with contextlib.suppress(OSError):
            words = self._leases.heard(_job(job_id))
        if words is None:
            raise NotFound("There is no such job; it was forgotten, or the appliance was started again.")
        is_over = self._leases.take(_job(job_id))
        if not is_over:
            return _JOB.decode(words)
        self._leases.drop(_job(job_id))
        said = _JOB.decode(self._leases.heard(_job(job_id)) or words)
        if said.state != "running":
            return said
        return msgspec.structs.replace(said, state="failed", error="The process that did it has ended.")


def _job(job_id: str) -> str:
    return f"job {job_id}"


def _kind(kind: str) -> str:
    return f"jobs of kind {kind}"


def _call(job_id: str) -> str:
    return f"call to job {job_id}"


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
