"""Reports made from logged events: who has which files of a project, since when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from registry.model.events import Kind, LoggedEvent
from registry.model.names import Project


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One client that was given one version of a project."""

    actor: str
    address: str
    project: Project
    version: str | None
    filenames: tuple[str, ...]
    """Sorted."""
    first: datetime
    last: datetime
    count: int
    """Deliveries, repeated ones included."""


def receipts(rows: Iterable[LoggedEvent]) -> tuple[Receipt, ...]:
    """Deliveries summed up per client and version, the latest first. Events of other kinds are passed over.

    `rows` may come in any order.
    """
    found: dict[tuple[str, str, Project, str | None], Receipt] = {}
    for row in rows:
        event = row.event
        if event.kind is not Kind.DELIVERY or event.project is None:
            continue
        key = (event.actor, event.address, event.project, event.version)
        names = {event.filename} if event.filename else set()
        known = found.get(key)
        found[key] = Receipt(
            actor=event.actor,
            address=event.address,
            project=event.project,
            version=event.version,
            filenames=tuple(sorted(names | set(known.filenames if known else ()))),
            first=min(event.at, known.first) if known else event.at,
            last=max(event.at, known.last) if known else event.at,
            count=known.count + 1 if known else 1,
        )
    return tuple(sorted(found.values(), key=lambda receipt: receipt.last, reverse=True))
