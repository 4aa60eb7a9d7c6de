"""An entry of the shelf: what came of rendering, and what that depends on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from registry.model.decisions import Refusal
from registry.model.indexes import Rendition

FILE_SHARE = 16
"""A rendition in a file takes as much of the shelf as one of a sixteenth in memory."""

KEPT = 4 * 1024 * 1024
"""Bytes of a packed body up to which it outlives the process: so much is read again before it is believed."""


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


def encoded(entry: object) -> tuple[bytes, str] | None:
    """An entry's bytes, and the file with its body where it has one, for a shelf that outlives the process;
    None for one that is too large for that."""
    if not isinstance(entry, Shelved):
        return None
    path = entry.rendition.path if entry.rendition is not None else ""
    if path and entry.rendition is not None and entry.rendition.packed > KEPT:
        return None
    return msgspec.msgpack.encode(entry), path


def decoded(data: bytes, path: str) -> tuple[Shelved, int] | None:
    """The entry, its body in that file where it has one, and what it counts for; None for bytes that another
    release wrote."""
    try:
        entry = _SHELVED.decode(data)
    except msgspec.MsgspecError:
        return None
    if entry.rendition is not None and entry.rendition.path:
        rendition = msgspec.structs.replace(entry.rendition, path=path)
        entry = msgspec.structs.replace(entry, rendition=rendition)
    return entry, weight(entry.rendition)


def is_whole(rendition: Rendition | None) -> bool:
    """Whether its body's file, where it has one, is still there: someone may have made room."""
    return rendition is None or not rendition.path or Path(rendition.path).exists()


def weight(rendition: Rendition | None) -> int:
    """What an entry counts for on the shelf: its memory, and a little for a file, which bounds these too."""
    if rendition is None:
        return 512
    return 512 + len(rendition.gzipped) + rendition.packed // FILE_SHARE
