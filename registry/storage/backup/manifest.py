"""What an archive says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

FORMAT = 1
KEY = "data/keys/log-key"
DATABASE = "data/registry.db"
CHUNK = 1 << 20
"""Bytes that are read at a time."""


class Member(msgspec.Struct, frozen=True):
    """One file of an archive."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in an archive."""

    format: int
    made: datetime
    release: str
    schema: int
    rows: int
    """Number of the log's newest row."""
    head: str
    """Its hash."""
    files: Mapping[str, Member]


class Signature(msgspec.Struct, frozen=True):
    """What the log's key says of a manifest."""

    key: str
    signature: str
