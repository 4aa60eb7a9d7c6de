"""F28: what time it is, where the machine's clock can be set, and what is held is released by time.

What the clock says is compared with what it said before and with how long the machine has been running since:

    behind   it says less than before. Time stands still until it has caught up: nothing that is held is
             released, and what has ended (an exemption, a token) stays ended
    ahead    it leapt forward by more than the machine has run. Time goes on at the machine's own pace from
             where it was, so a leap releases nothing; by itself it is believed only if it is no longer than
             a machine may have slept, and has stood for a day

Both are alarms and make `/-/ready` say so. An admin who knows that the clock is right declares it right.
Every other part of the appliance asks the time here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from registry.errors import Malformed, RegistryError
from registry.model.events import Client, Event
from registry.model.moments import Mark, Standing
from registry.model.ports import ClockMarks, Leases, MachineClock

TOLERANCE = timedelta(seconds=10)
"""A clock that is kept right by its network goes back by less."""
LEAP = timedelta(hours=1)
"""A clock that is ahead by less may be believed: holds last days."""
ABSENCE = timedelta(days=365)
"""After a boot nobody knows how long the machine was off; longer than this it wasn't."""
SLEEP = timedelta(days=30)
"""A virtual machine may be stopped without noticing; longer than this it isn't."""
PROBATION = 86_400.0
"""Seconds for which such a leap has to stand."""
LOOK = 1.0
"""Seconds between two looks at the clock."""
KEEP = 60.0
"""Seconds between two marks in the database."""
_SET = timedelta(seconds=5)
"""A clock that moved by more since the last look is looked at before it is believed."""
_GATEWAY = Client(user="gateway")

journal = logging.getLogger("registry.clock")


def judge(mark: Mark, clock: datetime, boot: str, uptime: float) -> tuple[Mark, Standing]:
    """What a clock's time is worth after what was believed last: the new mark, and how it stands."""
    if clock < mark.moment - TOLERANCE:
        return mark, Standing(
            state="behind", clock=clock, time=mark.moment, problem=_behind(clock, mark.moment)
        )
    same = boot == mark.boot and uptime >= mark.uptime
    due = mark.moment + timedelta(seconds=uptime - mark.uptime) if same else mark.moment
    lead = clock - due
    if lead <= (LEAP if same else ABSENCE):
        moment = max(clock, mark.moment)
        kept = replace(mark, moment=moment, boot=boot, uptime=uptime, leapt=None, lead=0.0)
        return kept, Standing(state="right", clock=clock, time=moment)
    stands = same and mark.leapt is not None and abs(lead.total_seconds() - mark.lead) < LEAP.total_seconds()
    kept = replace(
        mark,
        moment=due,
        boot=boot,
        uptime=uptime,
        leapt=mark.leapt if stands else uptime,
        lead=lead.total_seconds(),
    )
    return kept, Standing(state="ahead", clock=clock, time=due, problem=_ahead(clock, due))


class Timekeeper:
    """The clock that everything asks. Every process of an appliance has one; they share their marks."""

    def __init__(self, machine: MachineClock, marks: ClockMarks, leases: Leases) -> None:
        """Raises Unavailable."""
        self._machine = machine
        self._marks = marks
        self._leases = leases
        _, uptime = machine.running()
        mark, logged = marks.kept(), marks.logged()
        mark = mark or Mark(moment=logged or machine.now(), boot="", uptime=0.0)
        if logged is not None:  # a crash may have come before this could be kept
            mark = _moved_on(mark, logged, uptime)
        self._mark = mark
        self._latest = mark.moment
        self._kept = uptime - KEEP
        self._told = "right"
        self._standing = self._look()

    def now(self) -> datetime:
        """Aware UTC; never goes back, but by an admin's word."""
        standing, clock = self._standing, self._machine.now()
        time, moved = standing.time, clock - standing.clock
        if not _NOTHING <= moved <= _SET:
            time = self._look().time
        elif standing.state != "behind":
            time += moved
        self._latest = max(self._latest, time)
        return self._latest

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return self._machine.monotonic()

    def status(self) -> Standing:
        """How the clock stands now."""
        return self._look()

    async def probe(self) -> str | None:
        """For /-/ready."""
        return self._look().problem

    async def accept(self, *, reason: str, by: Client) -> Standing:
        """Declare what the clock says right: time goes on from there, also if that is back. In force within a
        second in every process. Raises Malformed without a reason."""
        if not reason.strip() or len(reason) > 200 or not reason.isprintable():
            raise Malformed("Declaring the clock right has a reason of 1 to 200 printable characters.")
        standing = self._look()
        if standing.state != "right":
            await self._accept(standing, reason.strip(), by)
        return self._look()

    async def tend(self, alarm: Callable[[str, Mapping[str, str]], Awaitable[None]]) -> None:
        """Look at the clock until cancelled. One process of the appliance keeps the mark and tells."""
        while True:
            try:
                found = self._marks.kept()
                if found is not None and found.accepted > self._mark.accepted:
                    self._go_on_from(found)
                standing = self._look()
                if self._leases.take("clock"):
                    await self._tell(standing, alarm)
            except RegistryError as error:
                journal.warning("the clock could not be tended", extra={"error": str(error)})
            await asyncio.sleep(LOOK)

    async def close(self) -> None:
        """Keep the mark for the next start."""
        if self._leases.take("clock"):
            self._look()
            self._keep()

    async def _tell(
        self, standing: Standing, alarm: Callable[[str, Mapping[str, str]], Awaitable[None]]
    ) -> None:
        """Alarm once each time something is wrong, and keep the mark now and then."""
        mark = self._mark
        if standing.state != self._told:
            if standing.problem is not None:
                detail = {"clock": _text(standing.clock), "time": _text(standing.time)}
                await alarm(f"clock_{standing.state}", {**detail, "remedy": standing.problem})
            self._told = standing.state
            self._keep()
        elif mark.uptime - self._kept >= KEEP:
            self._keep()
        if mark.leapt is not None and mark.uptime - mark.leapt >= PROBATION and mark.lead <= _SLEPT:
            await self._accept(standing, "it has stood for a day", _GATEWAY)

    async def _accept(self, standing: Standing, reason: str, by: Client) -> None:
        boot, uptime = self._machine.running()
        mark = Mark(moment=standing.clock, boot=boot, uptime=uptime, accepted=self._mark.accepted + 1)
        detail = {
            "action": "clock.accept",
            "subject": "the machine's clock",
            "before": f"{_text(standing.time)}, the clock {standing.state}",
            "after": _text(standing.clock),
            "reason": reason,
        }
        await self._marks.settle(mark, Event.decreed(by, standing.clock, detail=detail))
        self._go_on_from(mark)

    def _go_on_from(self, mark: Mark) -> None:
        """An admin has said so, here or in another process."""
        self._mark, self._latest = mark, mark.moment

    def _keep(self) -> None:
        self._kept = self._mark.uptime
        self._marks.keep(self._mark)

    def _look(self) -> Standing:
        """Judge what the clock says now."""
        boot, uptime = self._machine.running()
        mark = _moved_on(self._mark, self._latest, uptime)
        self._mark, self._standing = judge(mark, self._machine.now(), boot, uptime)
        return self._standing


def _moved_on(mark: Mark, moment: datetime, uptime: float) -> Mark:
    """The mark, not before a time that was given out since; `uptime` is the machine's of now."""
    later = (moment - mark.moment).total_seconds()
    if later <= 0:
        return mark
    return replace(mark, moment=moment, uptime=min(mark.uptime + later, uptime))


_NOTHING = timedelta()
_SLEPT = SLEEP.total_seconds()
_ACCEPT = 'if it is right, `registry clock accept --reason "…"` says so'


def _behind(clock: datetime, before: datetime) -> str:
    return (
        f"The machine's clock says {_text(clock)}, but it was {_text(before)} before. Until then nothing is"
        f" released by time. Set the clock; {_ACCEPT}."
    )


def _ahead(clock: datetime, due: datetime) -> str:
    return (
        f"The machine's clock says {_text(clock)}, but by how long the machine has run it is {_text(due)},"
        f" which counts: nothing is released by the leap. Set the clock; {_ACCEPT}."
    )


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
