"""An entry of the shelf: what came of rendering, and what that depends on."""

from __future__ import annotations

from datetime import datetime

import msgspec

from registry.model.decisions import Refusal
from registry.model.indexes import Rendition

FILE_SHARE = 16
"""A rendition in a file takes as much of the shelf as one of a sixteenth in memory."""


class Shelved(msgspec.Struct, frozen=True):
    """What came of rendering."""

    rendition: Rendition | None
    refused: Refusal | None
    revision: str
    sha256: str
    made: datetime
    """It isn't right before this either: the time may be set back."""
    until: datetime | None
    """When a hold ends and this is no longer right."""
    edition: int
    """Of our own rows about the project, before they were read for this."""


_SHELVED = msgspec.msgpack.Decoder(Shelved)


def encoded(entry: object) -> bytes | None:
    """An entry's bytes, for a shelf that outlives the process; None for one whose body is in a file."""
    if not isinstance(entry, Shelved) or (entry.rendition is not None and entry.rendition.path):
        return None
    return msgspec.msgpack.encode(entry)


def decoded(data: bytes) -> tuple[Shelved, int] | None:
    """The entry and what it counts for; None for bytes that another release wrote."""
    try:
        entry = _SHELVED.decode(data)
    except msgspec.MsgspecError:
        return None
    return entry, weight(entry.rendition)


def weight(rendition: Rendition | None) -> int:
    """What an entry counts for on the shelf: its memory, and a little for a file, which bounds these too."""
    if rendition is None:
        return 512
    return 512 + len(rendition.gzipped) + rendition.packed // FILE_SHARE
