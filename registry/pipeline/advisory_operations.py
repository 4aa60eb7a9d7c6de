"""Advisories, for admins: bring them in, and see how old they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from registry.model.advisories import AdvisoryStanding, Record
from registry.model.events import Client, Event
from registry.model.ports import Advisories, Clock


class AdvisoryOperations:
    """What is known to be malicious or vulnerable."""

    def __init__(
        self, *, advisories: Advisories, reload: Callable[[], Awaitable[None]], clock: Clock
    ) -> None:
        """`reload` puts a policy in force that knows them."""
        self._advisories = advisories
        self._reload = reload
        self._clock = clock

    def standing(self) -> AdvisoryStanding:
        """How many there are, and from when."""
        return self._advisories.standing()

    async def put(self, records: Sequence[Record]) -> int:
        """A batch of an import; gives how many were news. They count once the import is settled."""
        return await self._advisories.put(records)

    async def settle(self, *, source: str, read: int, news: int, by: Client) -> AdvisoryStanding:
        """End an import and put it in force; logged with what was read from where."""
        now = self._clock.now()
        event = Event.decreed(
            by,
            now,
            detail={"action": "advisories.import", "subject": source[:200], "read": read, "news": news},
        )
        standing = await self._advisories.settle(now, event)
        await self._reload()
        return standing
