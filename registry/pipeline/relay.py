"""What the processes of an appliance tell one another about the files that they fetch.

One fetches, under a lease, and tells where it stages the file, or what it failed with; the others' flights
follow that. When it dies its lease is free, and the next one begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from pathlib import Path

from registry.errors import RegistryError
from registry.model.names import Project
from registry.model.ports import Clock, Leases
from registry.pipeline.flight import Flight
from registry.pipeline.singleflight import LONGEST, PATIENCE, SHORTEST
from registry.pipeline.words import failure_of, failure_words, staged_path, staged_words

Key = tuple[Project, str]
"""Whose file it is, and its name."""


class Relay:
    """Says and hears. What can't be said or heard is done without: each process is right by itself."""

    def __init__(self, leases: Leases, clock: Clock) -> None:
        self._leases = leases
        self._clock = clock

    async def follow(self, key: Key, flight: Flight) -> bool:
        """Wait until no other process fetches the file, and follow the one that does meanwhile. Gives whether
        the lease is ours now; not so when the other one gets nowhere, which isn't waited for."""
        lease, quiet, pause = _lease(key), self._clock.monotonic(), SHORTEST
        while not self._leases.take(lease):
            path = self._staged(lease)
            size = await flight.place.quickly(partial(_size, path)) if path is not None else 0
            if path is not None and (path != flight.path or size > flight.available):
                flight.advance(path, size)
                quiet = self._clock.monotonic()
            elif self._clock.monotonic() - quiet > PATIENCE:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)
        return True

    def drop(self, key: Key) -> None:
        """Let the next one fetch it."""
        self._leases.drop(_lease(key))

    def tell_staged(self, key: Key, path: Path) -> None:
        """The file's bytes arrive there."""
        with contextlib.suppress(OSError):
            self._leases.say(_lease(key), staged_words(path))

    def tell_failed(self, key: Key, error: RegistryError) -> None:
        """The file doesn't come."""
        with contextlib.suppress(OSError):
            self._leases.say(_lease(key), failure_words(error, self._clock.now()))

    def forget(self, key: Key) -> None:
        """What was told of the file is no longer so."""
        with contextlib.suppress(OSError):
            self._leases.unsay(_lease(key))

    def raise_failure(self, key: Key, lasts: float) -> None:
        """Raise what another process failed with in the last so many seconds."""
        with contextlib.suppress(OSError):
            words = self._leases.heard(_lease(key))
            error = failure_of(words, self._clock.now(), lasts) if words is not None else None
            if error is not None:
                raise error

    def _staged(self, lease: str) -> Path | None:
        try:
            words = self._leases.heard(lease)
        except OSError:
            return None
        return staged_path(words) if words is not None else None


def _lease(key: Key) -> str:
    project, filename = key
    return f"file {project} {filename}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was moved to its place, or thrown away
        return 0
