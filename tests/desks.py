"""The admin's desk over fakes: real operations, policy, users and tokens; rows in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from registry.ecosystems import ECOSYSTEMS
from registry.errors import RegistryError
from registry.model.accounts import PolicyEntry
from registry.model.artifacts import Artifact, Digest, Holding
from registry.model.events import Client, Event, Kind
from registry.pipeline.advisory_operations import AdvisoryOperations
from registry.pipeline.audit_operations import AuditOperations
from registry.pipeline.cache_operations import CacheOperations
from registry.pipeline.decrees import Decree
from registry.pipeline.foresight import Foresight
from registry.pipeline.inforce import JoinedPolicy
from registry.pipeline.jobs import Jobs
from registry.pipeline.name_operations import NameOperations
from registry.pipeline.offline_operations import OfflineOperations
from registry.pipeline.operations import Check, Operations
from registry.pipeline.petition_operations import PetitionOperations
from registry.pipeline.policy_operations import PolicyOperations
from registry.pipeline.recall_operations import RecallOperations
from registry.pipeline.singleflight import NoOthers
from registry.pipeline.timekeeping import Timekeeper
from registry.pipeline.warming import Warming
from registry.provenance.checkpoints import LogKey, new_key
from registry.storage.name_lists import NameLists
from registry.web.api.desk import Desk
from registry.web.api.routes import api_routes
from registry.web.problems import error_response
from tests.fakes import (
    AdoptionsInMemory,
    AdvisoriesInMemory,
    BlobsInDirectory,
    CatalogueInMemory,
    CheckpointsInMemory,
    ClockMarksInMemory,
    KeyInHand,
    OfflineSwitchInMemory,
    PetitionsInMemory,
    PolicyStoreInMemory,
    RefusalsInMemory,
    WarehouseInDirectory,
)
from tests.identity.world import World
from tests.policy.worlds import GUARDED, KNOWN

KEY = LogKey(new_key())
ADA = Client(user="ada", admin=True, address="10.0.0.1", agent="registry-cli")


@dataclass
class DeskWorld:
    """A desk, and everything behind it within reach."""

    folder: Path
    checks: list[Check] = field(default_factory=lambda: [Check(name="volume", ok=True, detail="1 GB free")])
    policy_file: str = GUARDED

    def __post_init__(self) -> None:
        self.identity = World(self.folder)
        self.clock = self.identity.clock
        self.log = self.identity.log
        self.store = PolicyStoreInMemory(self.log)
        self.catalogue = CatalogueInMemory(self.log)
        self.advisories = AdvisoriesInMemory(self.log)
        self.petitions = PetitionsInMemory(self.log)
        self.refusals = RefusalsInMemory(self.log)
        self.policy = JoinedPolicy(
            read_file=lambda: self.policy_file,
            store=self.store,
            catalogue=self.catalogue,
            log=self.log,
            ecosystems=ECOSYSTEMS,
            known=KNOWN,
            clock=self.clock,
            advisories=self.advisories,
        )
        self.operations = Operations(
            ecosystems=ECOSYSTEMS,
            log=self.log,
            refusals=self.refusals,
            catalogue=self.catalogue,
        )
        self.checkpoints = CheckpointsInMemory(self.log)
        self.audit = AuditOperations(
            checkpoints=self.checkpoints, keys=KeyInHand(KEY), log=self.log, clock=self.clock
        )
        self.policies = PolicyOperations(
            ecosystems=ECOSYSTEMS,
            policy=self.policy,
            store=self.store,
            catalogue=self.catalogue,
            clock=self.clock,
        )
        self.recalls = RecallOperations(
            ecosystems=ECOSYSTEMS,
            store=self.store,
            catalogue=self.catalogue,
            who=self.operations.audit_who,
            reload=self.policy.reload,
            clock=self.clock,
        )
        self.offline = OfflineOperations(
            switch=OfflineSwitchInMemory(self.log), disconnect=[], clock=self.clock
        )
        nothing: Any = None
        blobs = BlobsInDirectory(self.folder / "blobs")
        adoptions = AdoptionsInMemory(blobs)
        jobs = Jobs()
        self.cache = CacheOperations(
            warehouse=WarehouseInDirectory(self.catalogue, blobs, adoptions),
            adoptions=adoptions,
            catalogue=self.catalogue,
            policy=self.policy,
            resolver=nothing,
            verifier=nothing,
            inspector=nothing,
            log=self.log,
            jobs=jobs,
            clock=self.clock,
            quota=0,
        )
        self.warming = Warming(
            ecosystems=ECOSYSTEMS,
            catalogue=self.catalogue,
            policy=self.policy,
            resolver=nothing,
            renderer=nothing,
            verifier=nothing,
            jobs=jobs,
            clock=self.clock,
        )

        async def doctor() -> Sequence[Check]:
            return self.checks

        self.desk = Desk(
            policy=self.policies,
            petitions=PetitionOperations(
                petitions=self.petitions, refusals=self.refusals, policy=self.policies, clock=self.clock
            ),
            names=NameOperations(
                ecosystems=ECOSYSTEMS,
                policy=self.policy,
                write=NameLists(self.folder / "names").write,
                log=self.log,
                clock=self.clock,
            ),
            foresight=Foresight(
                ecosystems=ECOSYSTEMS,
                current=lambda: self.policy.current,
                draft=self.policy.draft,
                catalogue=self.catalogue,
                log=self.log,
                clock=self.clock,
            ),
            advisories=AdvisoryOperations(
                advisories=self.advisories, reload=self.policy.reload, clock=self.clock
            ),
            operations=self.operations,
            audit=self.audit,
            clock=Timekeeper(self.clock, ClockMarksInMemory(self.log), NoOthers()),
            recalls=self.recalls,
            offline=self.offline,
            cache=self.cache,
            warming=self.warming,
            private=nothing,
            rescan=nothing,
            files=nothing,
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
        self.catalogue.rows[project, filename] = Holding(
            artifact=artifact,
            origin="public",
            pin=Digest("sha256", "0" * 64),
            first_seen=self.clock.now(),
            blob="0" * 64 if held is not None else None,
            blob_size=held,
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

    async def decree(self, kind: Any, ecosystem: str, pattern: str = "*", **more: Any) -> PolicyEntry:
        """What ada decides."""
        said = Decree(kind=kind, ecosystem=ecosystem, pattern=pattern, **more)
        return await self.policies.add(said, by=ADA)

    def admin_details(self) -> list[Mapping[str, object]]:
        """What the log says of administrative acts, oldest first."""
        rows = [row.event for row in self.log.rows if row.event.kind is Kind.ADMIN]
        return [event.detail for event in rows if "action" in event.detail]
