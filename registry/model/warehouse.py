"""Figures about what lies on a volume."""

from __future__ import annotations

from pathlib import Path

import msgspec

from registry.model.artifacts import Digest


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What lies on the volume of public files, counted from the files themselves."""

    files: int
    bytes: int
    documents: int
    documents_bytes: int
    orphans: int
    """Files that no row names: left by a crash, or another appliance's."""
    orphans_bytes: int
    adopted: int
    """How many of these wait for a source to announce them."""
    neighbours: int
    """How many other appliances use the volume."""
    damaged: int
    """Files that were found to be damaged and put aside."""
    damaged_bytes: int
    free: int
    """Bytes left on the volume's file system."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, or would be."""

    files: int
    bytes: int
    left: int = 0
    """Files that stay since another appliance on the volume needs them, or may."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose bytes are what was announced."""

    path: Path
    sha256: str
    size: int
    digests: tuple[Digest, ...]
    """sha512 and sha256 as computed."""
