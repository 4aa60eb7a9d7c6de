"""A publication is a private file on its way in, read but not yet accepted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from registry.model.artifacts import Artifact
from registry.model.names import Project

DOCUMENT_BYTES = 16 << 20
"""Of JSON beside a file, or without one (deprecation, owners), at most. Verdaccio takes a little more."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload form (twine, uv publish) brought, its file spooled and hashed by us."""

    fields: Mapping[str, tuple[str, ...]]
    """The form's text fields, each with all its values."""
    filename: str
    size: int
    digests: Mapping[str, str]
    """hashlib algorithm (also `blake2b_256`) → hex, computed while spooling."""


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that its ecosystem understood."""

    project: Project
    artifact: Artifact
    """With the digests we computed, and `published` unset: the clock is the line's."""
    metadata: bytes | None = None
    """Core metadata taken out of the file itself (wheels), for PEP 658."""
    attestations: bytes = b""
    """PEP 740 attestations that came with it: a JSON array, each of them about this very file."""
    body: bytes = b""
    """What the private back end is sent beside the file: npm's document without attachments."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says about itself: the name and version inside, and its metadata."""

    project: Project
    version: str
    metadata: bytes | None = None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What looking into a verified file came to."""

    metadata: bytes | None = None
    """Its core metadata, where it has some that clients ask for."""
    mismatch: str = ""
    """What inside it contradicts its name, or makes it unreadable, as a sentence; empty for nothing."""


class Stocked(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it lies in a private back end."""

    filename: str
    sha256: str
    """As the back end computes it; empty where it says none."""
    modified: datetime | None = None
