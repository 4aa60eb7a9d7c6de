"""Refusing what is here already, and who has it."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.accounts import PolicyEntry
from registry.model.events import Client
from registry.pipeline.recall_operations import Recall
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import EntryPage, EntryRemoval, NumberAsk, Paged, page


class NewRecall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to call back."""

    ecosystem: str
    name: str
    version: str = ""
    """A version or a range; empty for all of the project."""
    reason: str


async def _recall(desk: Desk, ask: NewRecall, by: Client) -> Recall:
    return await desk.recalls.recall(ask.ecosystem, ask.name, ask.version, reason=ask.reason, by=by)


async def _recalls(desk: Desk, ask: Paged, _: Client) -> EntryPage:
    items, following = page(await desk.recalls.recalls(), ask)
    return EntryPage(items=items, next=following)


async def _recall_shown(desk: Desk, ask: NumberAsk, _: Client) -> Recall:
    return await desk.recalls.show(ask.id)


async def _recall_lifted(desk: Desk, ask: EntryRemoval, by: Client) -> PolicyEntry:
    return await desk.recalls.lift(ask.id, reason=ask.reason, by=by)


RECALLS_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint(
        "POST",
        "/recalls",
        "Refuse what is here already, from now on, and list who has it",
        NewRecall,
        Recall,
        _recall,
        status=201,
    ),
    Endpoint("GET", "/recalls", "Recalls in force", Paged, EntryPage, _recalls),
    Endpoint(
        "GET",
        "/recalls/{id}",
        "A recall, and who has what it is about",
        NumberAsk,
        Recall,
        _recall_shown,
    ),
    Endpoint("DELETE", "/recalls/{id}", "End a recall", EntryRemoval, PolicyEntry, _recall_lifted),
)
