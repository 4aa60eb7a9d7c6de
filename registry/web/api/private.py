"""The API's operations on private Python releases, and on who built which file."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.attestations import Attested
from registry.model.events import Client
from registry.pipeline.private_operations import Changed, Rescan
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import Nothing


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version of a private Python project."""

    name: str
    version: str


class ReleaseAndReason(Release, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same, and why."""

    reason: str


class BuildersAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Python project."""

    name: str


class Builders(msgspec.Struct, frozen=True, kw_only=True):
    """Who built the files of a project, as far as that was checked, by file name."""

    items: tuple[Attested, ...]


class Backfilled(msgspec.Struct, frozen=True, kw_only=True):
    """Wheels whose core metadata is offered now."""

    files: tuple[str, ...]


async def _yank(desk: Desk, ask: ReleaseAndReason, by: Client) -> Changed:
    return await desk.private.yank(ask.name, ask.version, ask.reason, by=by)


async def _unyank(desk: Desk, ask: Release, by: Client) -> Changed:
    return await desk.private.unyank(ask.name, ask.version, by=by)


async def _delete(desk: Desk, ask: ReleaseAndReason, by: Client) -> Changed:
    return await desk.private.delete(ask.name, ask.version, ask.reason, by=by)


async def _rescan(desk: Desk, _: Nothing, by: Client) -> Rescan:
    return await desk.private.rescan(by=by)


async def _builders(desk: Desk, ask: BuildersAsk, _: Client) -> Builders:
    return Builders(items=await desk.files.builders(ask.name))


async def _backfill(desk: Desk, _: Nothing, __: Client) -> Backfilled:
    return Backfilled(files=await desk.files.backfill())


PRIVATE_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint(
        "POST",
        "/private/yank",
        "Have resolvers pass a private Python release over",
        ReleaseAndReason,
        Changed,
        _yank,
    ),
    Endpoint("POST", "/private/unyank", "Take a yank back", Release, Changed, _unyank),
    Endpoint(
        "POST",
        "/private/delete",
        "Take a private Python release away for good",
        ReleaseAndReason,
        Changed,
        _delete,
    ),
    Endpoint(
        "POST",
        "/private/rescan",
        "Compare pypiserver's files with the index, and list what isn't listed",
        Nothing,
        Rescan,
        _rescan,
    ),
    Endpoint("GET", "/builders", "Who built the files of a Python project", BuildersAsk, Builders, _builders),
    Endpoint(
        "POST",
        "/cache/metadata",
        "Take core metadata out of wheels that were kept without it",
        Nothing,
        Backfilled,
        _backfill,
    ),
)
