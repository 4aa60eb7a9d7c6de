"""F22: an alarm when the database's -wal file grows and nothing of it can be moved into the database.

That happens while somebody holds a snapshot: mostly another program that has the file open.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from registry.errors import RegistryError

TOO_MUCH = 256 << 20
"""Bytes of the -wal file."""
LOOK = 30.0
"""Seconds between two looks."""

journal = logging.getLogger("registry.starvation")


class Starvation:
    """Looks now and then; alarms once each time it gets too much."""

    def __init__(
        self,
        backlog: Callable[[], int],
        alarm: Callable[[str, Mapping[str, str]], Awaitable[None]],
        too_much: int = TOO_MUCH,
    ) -> None:
        """`backlog` tells the bytes of the -wal file."""
        self._backlog = backlog
        self._alarm = alarm
        self._too_much = too_much
        self._alarmed = False

    async def tend(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except RegistryError as error:
                journal.warning("an alarm could not be logged", extra={"error": str(error)})
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """Once. Raises Unavailable when the alarm can't be logged; the next look tries again."""
        waiting = await asyncio.to_thread(self._backlog)
        if waiting < self._too_much:
            self._alarmed = False
        elif not self._alarmed:
            detail = {
                "bytes": str(waiting),
                "remedy": "end the program that keeps registry.db open; `fuser registry.db` names it",
            }
            await self._alarm("checkpoint_starved", detail)
            self._alarmed = True
