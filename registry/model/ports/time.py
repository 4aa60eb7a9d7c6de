"""What time it is, and what is remembered of it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from registry.model.events import Event
from registry.model.moments import Mark


class Clock(Protocol):
    """The time; tests bring their own."""

    def now(self) -> datetime:
        """Aware UTC. Safe in any thread."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""


class MachineClock(Clock, Protocol):
    """A machine's clock, which can be set, and how long the machine has been running, which can't."""

    def running(self) -> tuple[str, float]:
        """The name of this run of the machine (boot), and its seconds so far, sleep included."""


class ClockMarks(Protocol):
    """The latest time that was believed; holds over restarts and for every process."""

    def kept(self) -> Mark | None:
        """The mark. Raises Unavailable."""

    def logged(self) -> datetime | None:
        """The time of the log's newest row. Raises Unavailable."""

    def keep(self, mark: Mark) -> None:
        """Have it kept soon, unless an admin has declared the clock right since; a crash may lose it."""

    async def settle(self, mark: Mark, event: Event) -> None:
        """Keep it whatever was kept before, and log the act, in one durable transaction."""
