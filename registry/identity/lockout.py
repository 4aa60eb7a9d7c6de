"""Guessing made slow: after a few failures every further one makes the wait longer."""

from __future__ import annotations

import math
from collections import OrderedDict

from registry.model.ports import Clock


class Lockout:
    """Failures by key (a user at an address, an address), in bounded memory.

    The first `allowance` failures are free, since people mistype. Each one after that locks the key for
    1, 2, 4 … seconds, at most `longest`. A key that kept quiet for `longest` starts afresh.
    """

    def __init__(self, clock: Clock, *, allowance: int, longest: float = 900.0, bound: int = 10_000) -> None:
        self._clock = clock
        self._allowance = allowance
        self._longest = longest
        self._bound = bound
        self._keys: OrderedDict[str, tuple[int, float, float]] = OrderedDict()  # failures, locked until, last

    def wait(self, key: str) -> int:
        """Whole seconds that the key is still locked for; 0 when it isn't."""
        _, until, _ = self._keys.get(key, (0, 0.0, 0.0))
        return max(0, math.ceil(until - self._clock.monotonic()))

    def failed(self, key: str) -> int:
        """Count a failure; gives the seconds that the key is locked for because of it, or 0."""
        now = self._clock.monotonic()
        failures, _, last = self._keys.pop(key, (0, 0.0, now))
        failures = 1 if now - last > self._longest else failures + 1
        beyond = failures - self._allowance
        # The exponent is bounded before it is used: 2 ** 5000 is a slow number.
        delay = min(2.0 ** min(beyond - 1, 30), self._longest) if beyond > 0 else 0.0
        self._keys[key] = (failures, now + delay, now)
        while len(self._keys) > self._bound:
            self._keys.popitem(last=False)
        return math.ceil(delay)

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        self._keys.pop(key, None)
