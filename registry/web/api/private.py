"""The API's operations on private Python releases, and on who built which file."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.attestations import Attested
from registry.model.events import Client
from registry.pipeline.jobs import Job
from registry.pipeline.private_operations import Changed, Standing, Standings
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import Nothing, Paged, page


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version of a private Python project."""

    name: str
    version: str


class ReleaseAndReason(Release, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same, and why."""

    reason: str


class Naming(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A private Python project."""

    name: str


class NewStanding(Naming, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What it is from now on, and why."""

    status: Standings
    reason: str = ""


class BuildersAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Python project, and a page of its files."""

    name: str


class Builders(msgspec.Struct, frozen=True, kw_only=True):
    """Who built the files of a project, as far as that was checked, by file name; a page of it."""

    items: tuple[Attested, ...]
    next: int | None


class Backfilled(msgspec.Struct, frozen=True, kw_only=True):
    """Wheels whose core metadata is offered now."""

    files: tuple[str, ...]


async def _yank(desk: Desk, ask: ReleaseAndReason, by: Client) -> Changed:
    return await desk.private.yank(ask.name, ask.version, ask.reason, by=by)


async def _unyank(desk: Desk, ask: Release, by: Client) -> Changed:
    return await desk.private.unyank(ask.name, ask.version, by=by)


async def _delete(desk: Desk, ask: ReleaseAndReason, by: Client) -> Changed:
    return await desk.private.delete(ask.name, ask.version, ask.reason, by=by)


async def _rescan(desk: Desk, _: Nothing, by: Client) -> Job:
    return desk.rescan.begin(by=by)


async def _standing(desk: Desk, ask: Naming, _: Client) -> Standing:
    return await desk.private.standing(ask.name)


async def _stand(desk: Desk, ask: NewStanding, by: Client) -> Standing:
    return await desk.private.stand(ask.name, ask.status, ask.reason, by=by)


async def _builders(desk: Desk, ask: BuildersAsk, _: Client) -> Builders:
    items, following = page(await desk.files.builders(ask.name), ask)
    return Builders(items=items, next=following)


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
        Job,
        _rescan,
        status=202,
    ),
    Endpoint("GET", "/private/status", "What a private Python project is", Naming, Standing, _standing),
    Endpoint(
        "POST",
        "/private/status",
        "Archive, deprecate or quarantine a private Python project, or take that back",
        NewStanding,
        Standing,
        _stand,
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
