"""What an admin can ask of the log, the refusals and the cache, whatever door the question came through.

Roles are checked at the door. What an admin can change is in `policy_operations` and in `identity`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from registry.errors import Malformed, NotFound
from registry.model.artifacts import Holding
from registry.model.decisions import Decision
from registry.model.ecosystem import Ecosystem, find_ecosystem
from registry.model.events import Kind, LoggedEvent
from registry.model.names import Project
from registry.model.ports import Catalogue, ProvenanceLog, Refusals
from registry.provenance.report import Receipt, receipts

BATCH = 500
"""Rows of the log that are read at a time."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the appliance, looked at."""

    name: str
    ok: bool
    detail: str
    """What was found, in a few words."""
    remedy: str = ""
    """What to do when it isn't ok."""


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    """A project of which files are held."""

    project: Project
    origin: str
    files: int
    bytes: int


Doctor = Callable[[], Awaitable[Sequence[Check]]]


class Operations:
    """The log, refusals and the cache, for admins."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        log: ProvenanceLog,
        refusals: Refusals,
        catalogue: Catalogue,
    ) -> None:
        self._ecosystems = ecosystems
        self._log = log
        self._refusals = refusals
        self._catalogue = catalogue

    async def refusal(self, refusal_id: str) -> tuple[Decision, datetime]:
        """The decision behind a /why/ id. Raises NotFound."""
        found = await self._refusals.explain(refusal_id)
        if found is None:
            raise NotFound("No refusal has this id; copy all 32 characters of it.")
        return found

    # the log

    async def audit_log(
        self,
        *,
        kinds: Sequence[str] = (),
        ecosystem: str | None = None,
        name: str | None = None,
        version: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[LoggedEvent, ...]:
        """The newest matching rows, newest first; `before` (a row's number) turns the page."""
        unknown = sorted(set(kinds) - {kind.value for kind in Kind})
        if unknown:
            known = ", ".join(kind.value for kind in Kind)
            raise Malformed(f"There is no kind of event `{unknown[0]}`; there are {known}.")
        if (ecosystem is None) != (name is None):
            raise Malformed("A project is an ecosystem and a name; give both or none.")
        return await self._log.events(
            kinds=kinds,
            project=find_ecosystem(self._ecosystems, ecosystem).parse_name(name)
            if ecosystem and name
            else None,
            version=version,
            actor=actor,
            since=since,
            before=before,
            limit=limit,
        )

    async def audit_who(self, ecosystem: str, name: str, version: str | None = None) -> tuple[Receipt, ...]:
        """Who was given files of a project, or of one version of it; the latest first."""
        project = find_ecosystem(self._ecosystems, ecosystem).parse_name(name)
        rows: list[LoggedEvent] = []
        before: int | None = None
        while True:
            page = await self._log.events(
                kinds=(Kind.DELIVERY.value,), project=project, version=version, before=before, limit=BATCH
            )
            rows.extend(page)
            if len(page) < BATCH:
                return receipts(rows)
            before = page[-1].seq

    # the cache

    async def cache_list(self, ecosystem: str | None = None) -> tuple[Cached, ...]:
        """Projects of which files are held, the largest first."""
        worlds = [find_ecosystem(self._ecosystems, ecosystem).name] if ecosystem else list(self._ecosystems)
        found: list[Cached] = []
        for world in worlds:
            for name in await self._catalogue.projects(world):
                holdings = await self._catalogue.holdings(self._ecosystems[world].parse_name(name))
                found.extend(_held(holdings))
        return tuple(sorted(found, key=lambda c: (-c.bytes, c.project)))


def _held(holdings: Sequence[Holding]) -> tuple[Cached, ...]:
    kept = [holding for holding in holdings if holding.blob]
    if not kept:
        return ()
    total = sum(holding.blob_size or 0 for holding in kept)
    return (Cached(project=kept[0].artifact.project, origin=kept[0].origin, files=len(kept), bytes=total),)
