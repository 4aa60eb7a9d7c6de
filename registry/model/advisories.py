"""Advisories: what the world knows to be malicious or vulnerable, as far as this appliance was told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Severity = Literal["critical", "high", "medium", "low", "unknown"]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A run of versions by the ecosystem's own order: from `introduced` to before `fixed`, or to `last`."""

    introduced: str = "0"
    """`0` stands for before the first version."""
    fixed: str | None = None
    last: str | None = None

    @property
    def endless(self) -> bool:
        """Whether it holds every version there is and will be."""
        return self.introduced == "0" and self.fixed is None and self.last is None


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of one project that an advisory is about; all of them when it names none."""

    ecosystem: str
    project: str
    """Canonical name."""
    versions: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One advisory as it is imported."""

    id: str
    modified: datetime
    malware: bool = False
    severity: Severity = "unknown"
    summary: str = ""
    withdrawn: bool = False
    """Taken back by its author: it says nothing about anybody any more."""
    affected: tuple[Affected, ...] = ()


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """What one advisory says about one project."""

    id: str
    malware: bool
    severity: Severity
    summary: str
    versions: tuple[str, ...]
    spans: tuple[Span, ...]


class AdvisoryStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What was imported so far."""

    generation: int = 0
    """Grows with every import that changed something."""
    advisories: int = 0
    newest: datetime | None = None
    """When the newest advisory was last modified."""
    imported: datetime | None = None
    """When somebody last imported; None for never."""
