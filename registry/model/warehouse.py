"""Figures about what lies on a volume."""

from __future__ import annotations

import msgspec


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What lies on the volume of public files, counted from the files themselves."""

    files: int
    bytes: int
    documents: int
    documents_bytes: int
    orphans: int
    """Files that no row names: left by a crash, or another appliance's."""
    orphans_bytes: int
    damaged: int
    """Files that were found to be damaged and put aside."""
    damaged_bytes: int
    free: int
    """Bytes left on the volume's file system."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, or would be."""

    files: int
    bytes: int
