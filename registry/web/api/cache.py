"""What is kept, and the long work on it: jobs that report how far they are."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from registry.model.events import Client
from registry.model.warehouse import Kept
from registry.pipeline.jobs import Job
from registry.pipeline.operations import Cached
from registry.pipeline.warming import Wish
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import LOCK_FILES, ById, Nothing, Paged, page


class Collecting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to tidy up."""

    quota: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Bytes; the one in the settings when left out."""
    dry_run: bool = False


class Scrubbing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to check for rot."""

    anew: bool = False
    """Not to go on where the last one was called off."""


class Warming(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to bring in."""

    wishes: tuple[Wish, ...]
    dry_run: bool = False


class Adopting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to take over files that no row names."""

    dry_run: bool = False


class CacheAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which part of the cache."""

    ecosystem: str | None = None


class CachePage(msgspec.Struct, frozen=True, kw_only=True):
    """Projects with files held, the largest first."""

    items: tuple[Cached, ...]
    next: int | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of project takes."""

    ecosystem: str
    origin: str
    projects: int
    files: int
    bytes: int


class CacheUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache takes, by ecosystem and origin."""

    items: tuple[Usage, ...]
    bytes: int


async def _cache_list(desk: Desk, ask: CacheAsk, _: Client) -> CachePage:
    items, following = page(await desk.operations.cache_list(ask.ecosystem), ask)
    return CachePage(items=items, next=following)


async def _cache_usage(desk: Desk, _: Nothing, __: Client) -> CacheUsage:
    found: dict[tuple[str, str], Usage] = {}
    for cached in await desk.operations.cache_list():
        key = (cached.project.ecosystem, cached.origin)
        so_far = found.get(key) or Usage(ecosystem=key[0], origin=key[1], projects=0, files=0, bytes=0)
        found[key] = msgspec.structs.replace(
            so_far,
            projects=so_far.projects + 1,
            files=so_far.files + cached.files,
            bytes=so_far.bytes + cached.bytes,
        )
    items = tuple(found[key] for key in sorted(found))
    return CacheUsage(items=items, bytes=sum(usage.bytes for usage in items))


async def _cache_kept(desk: Desk, _: Nothing, __: Client) -> Kept:
    return await desk.cache.measure()


async def _cache_collect(desk: Desk, ask: Collecting, by: Client) -> Job:
    return desk.cache.collect(quota=ask.quota, dry_run=ask.dry_run, by=by)


async def _cache_adopt(desk: Desk, ask: Adopting, by: Client) -> Job:
    return desk.cache.adopt(dry_run=ask.dry_run, by=by)


async def _cache_scrub(desk: Desk, ask: Scrubbing, _: Client) -> Job:
    return desk.cache.scrub(anew=ask.anew)


async def _cache_warm(desk: Desk, ask: Warming, _: Client) -> Job:
    return desk.warming.begin(ask.wishes, dry_run=ask.dry_run)


async def _job(desk: Desk, ask: ById, _: Client) -> Job:
    return desk.cache.job(ask.id)


async def _job_cancelled(desk: Desk, ask: ById, _: Client) -> Job:
    return await desk.cache.cancel(ask.id)


CACHE_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint(
        "GET",
        "/cache",
        "Projects with files held, the largest first",
        CacheAsk,
        CachePage,
        _cache_list,
    ),
    Endpoint(
        "GET",
        "/cache/usage",
        "What the cache takes, by ecosystem and origin",
        Nothing,
        CacheUsage,
        _cache_usage,
    ),
    Endpoint("GET", "/cache/volume", "What lies on the volume", Nothing, Kept, _cache_kept),
    Endpoint(
        "POST",
        "/cache/gc",
        "Remove what no row names, then the least recently used beyond the quota",
        Collecting,
        Job,
        _cache_collect,
        status=202,
    ),
    Endpoint(
        "POST",
        "/cache/adopt",
        "Read the files that no row names, to be used once a source announces them",
        Adopting,
        Job,
        _cache_adopt,
        status=202,
    ),
    Endpoint(
        "POST", "/cache/scrub", "Check every file, and heal it", Scrubbing, Job, _cache_scrub, status=202
    ),
    Endpoint(
        "POST",
        "/cache/warm",
        "Bring versions in before they are asked for",
        Warming,
        Job,
        _cache_warm,
        status=202,
        largest=LOCK_FILES,
    ),
    Endpoint("GET", "/jobs/{id}", "How a job stands", ById, Job, _job),
    Endpoint("DELETE", "/jobs/{id}", "Call a job off", ById, Job, _job_cancelled),
)
