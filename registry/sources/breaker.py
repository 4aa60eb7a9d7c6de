"""A circuit breaker: after failures in a row nothing is asked for a while, then one probe decides.

Closed: everything passes. Open: nothing passes until the pause is over. Half open: one probe passes; it
closes the breaker or opens it for longer. Attempts that began before the breaker last changed have no say
(the fence): a slow failure from yesterday can't close or open today's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from registry.errors import SourceTimedOut, Unavailable
from registry.model.ports import Clock
from registry.sources.failures import Outage
from registry.sources.limits import Limits


class Breaker:
    """The breaker of one origin."""

    def __init__(self, name: str, clock: Clock, limits: Limits) -> None:
        self._name = name
        self._clock = clock
        self._limits = limits
        self._failures = 0
        self._pause = limits.breaker_pause
        self._until: float | None = None
        """Monotonic time before which nothing is asked; None while closed."""
        self._probing = False
        self._fence = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One request: what is raised inside counts as its outcome.

        Outages and time-outs are failures; everything else that the source answered is a success; a
        cancelled attempt says nothing. Raises Unavailable while the breaker is open.
        """
        self._enter()
        fence = self._fence
        try:
            yield
        except (Outage, SourceTimedOut):
            self._settle(fence, failed=True)
            raise
        except Exception:
            self._settle(fence, failed=False)
            raise
        except BaseException:
            self._abandon(fence)
            raise
        self._settle(fence, failed=False)

    def rest(self, seconds: float) -> None:
        """Ask nothing for so long: the source said Retry-After."""
        self._shut(max(seconds, 1.0))

    def _enter(self) -> None:
        if self._until is None:
            return
        left = self._until - self._clock.monotonic()
        if left > 0 or self._probing:
            wait = max(1, math.ceil(left))
            raise Unavailable(
                f"{self._name} failed or asked for a pause; it is asked again in {wait} s.", wait
            )
        self._probing = True
        self._fence += 1

    def _settle(self, fence: int, *, failed: bool) -> None:
        if fence != self._fence:
            return
        if not failed:
            self._failures, self._probing, self._until = 0, False, None
            self._pause = self._limits.breaker_pause
            return
        self._failures += 1
        if self._probing or self._failures >= self._limits.failures:
            self._shut(self._pause)
            self._pause = min(self._pause * 2, self._limits.breaker_longest)

    def _abandon(self, fence: int) -> None:
        if fence == self._fence:
            self._probing = False

    def _shut(self, seconds: float) -> None:
        self._until = self._clock.monotonic() + seconds
        self._probing = False
        self._failures = 0
        self._fence += 1
