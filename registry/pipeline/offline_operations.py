"""Cutting the appliance off from its upstreams on purpose, and joining it again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from registry.errors import Malformed
from registry.model.events import Client, Event
from registry.model.ports import Clock, OfflineSwitch


class Connectedness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether upstreams are asked."""

    offline: bool


class OfflineOperations:
    """The switch, for admins."""

    def __init__(
        self,
        *,
        switch: OfflineSwitch,
        disconnect: Sequence[Callable[[], Awaitable[None]]],
        clock: Clock,
    ) -> None:
        """`disconnect` ends the connections that are open to upstreams."""
        self._switch = switch
        self._disconnect = disconnect
        self._clock = clock

    async def status(self) -> Connectedness:
        """As it is."""
        return Connectedness(offline=self._switch.on)

    async def turn(self, *, on: bool, reason: str, by: Client) -> Connectedness:
        """Ask no upstream any more, or ask them again; durable, and in force when this returns.

        Turned on, what is being fetched is broken off: not one connection is left.
        """
        if not reason.strip() or len(reason) > 200 or not reason.isprintable():
            raise Malformed("Going offline or online has a reason of 1 to 200 printable characters; say why.")
        before = self._switch.on
        if before != on:
            await self._switch.turn(
                on=on,
                event=Event.decreed(
                    by,
                    self._clock.now(),
                    detail={
                        "action": "offline.on" if on else "offline.off",
                        "subject": "upstreams",
                        "before": "offline" if before else "online",
                        "after": "offline" if on else "online",
                        "reason": reason.strip(),
                    },
                ),
            )
        if on:
            for disconnect in self._disconnect:
                await disconnect()
        return await self.status()
