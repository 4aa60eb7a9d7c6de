"""The admin's desk over fakes: real operations, policy, users and tokens; rows in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from registry.ecosystems import ECOSYSTEMS
from registry.errors import NotFound, RegistryError
from registry.model.accounts import PolicyEntry
from registry.model.artifacts import Artifact, Holding
from registry.model.decisions import Decision
from registry.model.events import Client, Event, Kind, LoggedEvent
from registry.model.names import Project
from registry.model.ports import Catalogue, PolicyStore, ProvenanceLog, Refusals
from registry.pipeline.inforce import JoinedPolicy
from registry.pipeline.operations import Check, Operations
from registry.pipeline.policy_operations import PolicyOperations
from registry.provenance.chain import GENESIS, canonical, row_hash
from registry.web.admin import api_routes
from registry.web.desk import Desk
from registry.web.problems import error_response
from tests.identity.world import World
from tests.policy.worlds import GUARDED, KNOWN

ADA = Client(user="ada", admin=True, address="10.0.0.1", agent="registry-cli")


class LogInMemory:
    def __init__(self) -> None:
        self.rows: list[LoggedEvent] = []

    async def record(self, event: Event) -> int:
        previous = self.rows[-1].hash if self.rows else GENESIS
        found = row_hash(previous, canonical(event))
        self.rows.append(LoggedEvent(seq=len(self.rows) + 1, previous=previous, hash=found, event=event))
        return len(self.rows)

    async def events(
        self,
        *,
        kinds: Sequence[str] = (),
        project: Project | None = None,
        version: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[LoggedEvent, ...]:
        return tuple(
            row
            for row in reversed(self.rows)
            if (not kinds or row.event.kind.value in kinds)
            and project in {None, row.event.project}
            and version in {None, row.event.version}
            and actor in {None, row.event.actor}
            and (since is None or row.event.at >= since)
            and (before is None or row.seq < before)
        )[:limit]

    async def replay(self, after: int = 0) -> AsyncIterator[LoggedEvent]:
        for row in self.rows[after:]:
            yield row


class PolicyStoreInMemory:
    def __init__(self, log: LogInMemory) -> None:
        self.rows: dict[int, PolicyEntry] = {}
        self._log = log
        self._last = 0

    async def entries(self) -> tuple[PolicyEntry, ...]:
        return tuple(self.rows.values())

    async def add(self, entry: PolicyEntry, event: Event) -> PolicyEntry:
        self._last += 1
        self.rows[self._last] = msgspec.structs.replace(entry, id=self._last)
        await self._log.record(event)
        return self.rows[self._last]

    async def remove(self, entry_id: int, event: Event) -> PolicyEntry:
        if entry_id not in self.rows:
            raise NotFound(str(entry_id))
        await self._log.record(event)
        return self.rows.pop(entry_id)


class CatalogueInMemory:
    """As much of a catalogue as an admin looks at."""

    def __init__(self) -> None:
        self.rows: list[Holding] = []

    async def holdings(self, project: Project) -> tuple[Holding, ...]:
        return tuple(row for row in self.rows if row.artifact.project == project)

    async def origin(self, project: Project) -> str | None:
        return next((row.origin for row in await self.holdings(project)), None)

    async def projects(self, ecosystem: str, origin: str | None = None) -> tuple[str, ...]:
        return tuple(
            sorted(
                {
                    row.artifact.project.name
                    for row in self.rows
                    if row.artifact.project.ecosystem == ecosystem and origin in {None, row.origin}
                }
            )
        )


class RefusalsInMemory:
    """As much of the refusals as an admin looks at."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Decision, datetime]] = {}

    async def explain(self, refusal_id: str) -> tuple[Decision, datetime] | None:
        return self.rows.get(refusal_id)


@dataclass
class DeskWorld:
    """A desk, and everything behind it within reach."""

    folder: Path
    log: LogInMemory = field(default_factory=LogInMemory)
    catalogue: CatalogueInMemory = field(default_factory=CatalogueInMemory)
    refusals: RefusalsInMemory = field(default_factory=RefusalsInMemory)
    checks: list[Check] = field(default_factory=lambda: [Check(name="volume", ok=True, detail="1 GB free")])
    policy_file: str = GUARDED

    def __post_init__(self) -> None:
        self.identity = World(self.folder)
        self.clock = self.identity.clock
        self.store = PolicyStoreInMemory(self.log)
        catalogue = cast("Catalogue", self.catalogue)
        log: ProvenanceLog = self.log
        store: PolicyStore = self.store
        self.policy = JoinedPolicy(
            read_file=lambda: self.policy_file,
            store=store,
            catalogue=catalogue,
            log=log,
            ecosystems=ECOSYSTEMS,
            known=KNOWN,
            clock=self.clock,
        )
        self.operations = Operations(
            ecosystems=ECOSYSTEMS,
            log=log,
            refusals=cast("Refusals", self.refusals),
            catalogue=catalogue,
        )
        self.policies = PolicyOperations(
            ecosystems=ECOSYSTEMS, policy=self.policy, store=store, catalogue=catalogue, clock=self.clock
        )

        async def doctor() -> Sequence[Check]:
            return self.checks

        self.desk = Desk(
            policy=self.policies,
            operations=self.operations,
            users=self.identity.users,
            tokens=self.identity.tokens,
            doctor=doctor,
        )

    def application(self, read: Any = "anyone") -> web.Application:
        """The API alone, as the server mounts it."""

        async def identify(request: web.Request) -> Client:
            return await self.identity.identify(
                request.headers.get("Authorization"),
                request.remote or "",
                request.headers.get("User-Agent", ""),
            )

        @web.middleware
        async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except RegistryError as error:
                return error_response(error, None)

        application = web.Application(middlewares=[edge])
        application.add_routes(api_routes(self.desk, identify, read=read))
        return application

    def keep(self, name: str, version: str, *, ecosystem: str = "pypi", held: int | None = None) -> Artifact:
        """Have a row of a file, with `held` bytes of it."""
        project = ECOSYSTEMS[ecosystem].parse_name(name)
        filename = f"{project.name.rpartition('/')[2]}-{version}.tgz"
        artifact = Artifact(project=project, filename=filename, version=version)
        self.catalogue.rows.append(
            Holding(
                artifact=artifact,
                origin="public",
                pin=None,
                first_seen=self.clock.now(),
                blob="0" * 64 if held is not None else None,
                blob_size=held,
            )
        )
        return artifact

    async def delivered(self, artifact: Artifact, actor: str, address: str = "10.0.0.9") -> None:
        """Log that somebody was given a file."""
        await self.log.record(
            Event(
                kind=Kind.DELIVERY,
                at=self.clock.now(),
                actor=actor,
                project=artifact.project,
                version=artifact.version,
                filename=artifact.filename,
                address=address,
            )
        )

    def admin_details(self) -> list[Mapping[str, object]]:
        """What the log says of administrative acts, oldest first."""
        rows = [row.event for row in self.log.rows if row.event.kind is Kind.ADMIN]
        return [event.detail for event in rows if "action" in event.detail]
