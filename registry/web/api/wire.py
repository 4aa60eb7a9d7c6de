"""What several operations take and answer, as it is on the wire.

Secrets and hashes of secrets have no field in any answer, except once where one is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Protocol, TypeVar

import msgspec

from registry.errors import Malformed
from registry.model.accounts import PolicyEntry

T = TypeVar("T")
Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]

LOCK_FILES = 8 * 2**20
"""Bytes of the entries of lock files: tens of thousands of them."""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class ById(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing by its id."""

    id: str


class ByName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing by its name."""

    name: str


class NumberAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing by its number."""

    id: int


class Paged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A page of a list; `next` of an answer is the `offset` of the next one."""

    limit: Limit = 100
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class ExplainAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A name, or a version of it."""

    ecosystem: str
    name: str
    version: str | None = None


class EntryRemoval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A decision to take back, and why."""

    id: int
    reason: str


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Policy entries, oldest first."""

    items: tuple[PolicyEntry, ...]
    next: int | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Slice(Protocol):
    """The part of a list that somebody asks for."""

    @property
    def limit(self) -> int:
        """At the most so many."""
        ...

    @property
    def offset(self) -> int:
        """From this one on, the first being 0."""
        ...


def page(items: Sequence[T], ask: Slice) -> tuple[tuple[T, ...], int | None]:
    """The part of a list that is asked for, and the offset of the next part."""
    end = ask.offset + ask.limit
    return tuple(items[ask.offset : end]), end if end < len(items) else None


def zoned(at: datetime) -> datetime:
    """A time that says its zone. Raises Malformed for one that doesn't."""
    if at.tzinfo is None:
        raise Malformed("A time needs a zone, like 2026-11-21T00:00:00Z.")
    return at
