"""What the log is proved by: its rows as they are stored, and signed statements about its head."""

from __future__ import annotations

from typing import Literal

import msgspec


class Link(msgspec.Struct, frozen=True):
    """A row of the log as it is stored: nothing is read out of it that could hide a change."""

    seq: int
    previous: str
    """`hash` of the row before, in hex."""
    hash: str
    body: bytes
    """The event's canonical bytes, if nobody changed them."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement: row `seq` had this hash at that time, and so had everything before it."""

    kind: Literal["head", "base"] = "head"
    """head: the newest row at that time. base: this row and all before it were taken out on purpose, and the
    log begins with the next one."""
    seq: int
    hash: str
    """Of row `seq`, in hex."""
    at: str
    """2026-11-21T22:37:00.000000Z, exactly as it was signed."""
    key: str
    """Fingerprint of the key: the first 16 digits of the sha256 of its SubjectPublicKeyInfo."""
    signature: str
    """Ed25519, in hex."""
