"""What a door answers: values that the web turns into responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from registry.model.ports import Place
from registry.pipeline.flight import Flight, Landed

Told = Callable[[int, Exception | None], None]
"""Called on the loop with the number of a row in the log once it is durable, or with why it isn't."""


class FileAnswer(msgspec.Struct, frozen=True):
    """Verified bytes that are here; the delivery is in the log already."""

    path: Path
    sha256: str
    size: int
    filename: str
    place: Place
    """Where `path` leads: whoever opens it asks this how."""
    data: bytes | None = None
    """All of the bytes, where they are few and in memory."""


class Handing(msgspec.Struct, frozen=True):
    """Verified bytes that are here. Before the last of them is sent, `record(told)` must have been called and
    have told a number instead of a failure: then the delivery is in the log."""

    file: FileAnswer
    record: Callable[[Told], None]


class FlightAnswer(msgspec.Struct, frozen=True):
    """Bytes on their way in; `record(sha256)` must have been awaited before the last of them is sent."""

    flight: Flight
    filename: str
    landed: Callable[[], Awaitable[Landed]]
    """Waits for all of them."""
    record: Callable[[str], Awaitable[None]]


class FactsAnswer(msgspec.Struct, frozen=True):
    """What is known of a file that isn't here yet, for a HEAD, which never fetches."""

    size: int
    sha256: str | None


class BytesAnswer(msgspec.Struct, frozen=True):
    """A small verified document (core metadata)."""

    body: bytes
    etag: str
