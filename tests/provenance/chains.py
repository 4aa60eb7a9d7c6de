"""A whole log looked through for the row where its chain breaks."""

from __future__ import annotations

from collections.abc import Iterable

from registry.model.checkpoints import Link
from registry.model.events import LoggedEvent
from registry.provenance.chain import GENESIS, Break, canonical, misfit


def first_break(rows: Iterable[LoggedEvent], after: int = 0, previous: str = GENESIS) -> Break | None:
    """The first row that doesn't follow from the one before it, or None for an unbroken chain.

    `rows` come in order; `after` and `previous` are number and hash of a trusted row that they follow.
    """
    for row in rows:
        found = misfit(Link(row.seq, row.previous, row.hash, canonical(row.event)), after, previous)
        if found is not None:
            return found
        after, previous = row.seq, row.hash
    return None
