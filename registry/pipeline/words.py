"""What the process that fetches a file tells those that wait: where the bytes lie, or why they don't."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from registry.errors import (
    IntegrityFailed,
    NotFound,
    RegistryError,
    SourceFailed,
    SourceTimedOut,
    TooLarge,
    Unavailable,
)

_TOLD = {
    kind.__name__: kind
    for kind in (IntegrityFailed, NotFound, SourceFailed, SourceTimedOut, TooLarge, Unavailable)
}
"""Failures that are made of a sentence; of another one the others find out for themselves."""


class _Words(msgspec.Struct, frozen=True):
    staged: str = ""
    failure: str = ""
    message: str = ""
    at: datetime | None = None


_DECODER = msgspec.json.Decoder(_Words)


def staged_words(path: Path) -> bytes:
    """The bytes arrive there."""
    return msgspec.json.encode(_Words(staged=str(path)))


def failure_words(error: RegistryError, now: datetime) -> bytes:
    """It came to nothing."""
    return msgspec.json.encode(_Words(failure=type(error).__name__, message=str(error), at=now))


def staged_path(words: bytes) -> Path | None:
    """Where the bytes arrive, if that is what was said."""
    said = _read(words)
    return Path(said.staged) if said.staged else None


def failure_of(words: bytes, now: datetime, lasts: float) -> RegistryError | None:
    """The failure that was told of less than `lasts` seconds ago."""
    said = _read(words)
    if said.failure not in _TOLD or said.at is None:
        return None
    age = (now - said.at).total_seconds()
    return _TOLD[said.failure](said.message) if 0 <= age <= lasts else None


def _read(words: bytes) -> _Words:
    try:
        return _DECODER.decode(words)
    except msgspec.MsgspecError:
        return _Words()
