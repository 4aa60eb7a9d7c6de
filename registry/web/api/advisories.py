"""Bringing in advisories, batch by batch."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.advisories import AdvisoryStanding, Record
from registry.model.events import Client
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import Nothing


class AdvisoryBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Some of the advisories of an import."""

    records: tuple[Record, ...]


class AdvisoryImport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The end of an import: where it came from, how many were read, and how many were news."""

    source: str
    read: int
    news: int


class AdvisoryNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch changed."""

    news: int


async def _advisories(desk: Desk, _: Nothing, __: Client) -> AdvisoryStanding:
    return desk.advisories.standing()


async def _advisories_put(desk: Desk, ask: AdvisoryBatch, _: Client) -> AdvisoryNews:
    return AdvisoryNews(news=await desk.advisories.put(ask.records))


async def _advisories_settle(desk: Desk, ask: AdvisoryImport, by: Client) -> AdvisoryStanding:
    return await desk.advisories.settle(source=ask.source, read=ask.read, news=ask.news, by=by)


ADVISORIES_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint(
        "GET", "/advisories", "How many advisories, and how old", Nothing, AdvisoryStanding, _advisories
    ),
    Endpoint(
        "POST",
        "/advisories",
        "Bring in a batch of advisories",
        AdvisoryBatch,
        AdvisoryNews,
        _advisories_put,
        largest=2**20,
    ),
    Endpoint(
        "POST",
        "/advisories/settle",
        "End an import, and put it in force",
        AdvisoryImport,
        AdvisoryStanding,
        _advisories_settle,
    ),
)
