"""Verified bytes as a value."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Blob(NamedTuple):
    """Bytes that are here and sound."""

    path: Path
    """Where they lie."""
    data: bytes | None = None
    """All of them, where they are few."""
