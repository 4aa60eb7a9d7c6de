"""What was found out lately, for a short while and in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from registry.model.ports import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A map that forgets an entry after `seconds`, and the longest unused ones beyond `bound`."""

    def __init__(self, clock: Clock, seconds: float, bound: int = 4_096) -> None:
        self._clock = clock
        self._seconds = seconds
        self._bound = bound
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What was put under the key, unless it is too long ago."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        ends, value = entry
        if self._clock.monotonic() >= ends:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember it from now on."""
        self._entries[key] = (self._clock.monotonic() + self._seconds, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._bound:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
