"""The lists of known names that look-alikes are found by."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.events import Client
from registry.pipeline.name_operations import NameList
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import LOCK_FILES, Nothing


class NamesUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another list of known names: one a line, the most popular first."""

    ecosystem: str
    text: str


class NameLists(msgspec.Struct, frozen=True, kw_only=True):
    """The lists of known names in force."""

    items: tuple[NameList, ...]


async def _names(desk: Desk, _: Nothing, __: Client) -> NameLists:
    return NameLists(items=desk.names.lists())


async def _names_update(desk: Desk, ask: NamesUpdate, by: Client) -> NameList:
    return await desk.names.update(ask.ecosystem, ask.text, by=by)


NAMES_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint("GET", "/policy/names", "The lists of known names", Nothing, NameLists, _names),
    Endpoint(
        "PUT",
        "/policy/names",
        "Put another list of known names in force",
        NamesUpdate,
        NameList,
        _names_update,
        largest=LOCK_FILES,
    ),
)
