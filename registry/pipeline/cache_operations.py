"""Care of the cache, for admins: filled in advance, tidied up, kept to its quota, checked for rot and healed.

Everything long is a job. Each can be called off and begun again: what is done is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import msgspec

from registry.errors import Malformed, NotFound, RegistryError
from registry.model.artifacts import Holding
from registry.model.ecosystem import Ecosystem, find_ecosystem
from registry.model.events import Client, Event, Kind
from registry.model.names import Project
from registry.model.ports import Adoptions, Catalogue, Clock, Leases, ProvenanceLog, Warehouse
from registry.model.warehouse import Kept, Taken
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.inspector import Inspector
from registry.pipeline.jobs import Job, Jobs, Progress
from registry.pipeline.rendering import Renderer
from registry.pipeline.resolve import Resolver
from registry.pipeline.settling import settled
from registry.pipeline.singleflight import NoOthers
from registry.pipeline.verify import Verifier

AT_ONCE = 4
"""Projects that are warmed side by side."""
PAGE = 200
TEND = 60.0
"""Seconds between two looks at the quota."""
SPARE = 20
"""A quota that is exceeded is undercut by a twentieth, so that it isn't exceeded at once again."""

journal = logging.getLogger("registry.cache")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is to be here, as a lock file names it."""

    ecosystem: str
    name: str
    version: str
    filenames: tuple[str, ...] = ()
    """Only these of its files, where the lock file names any."""
    digests: tuple[str, ...] = ()
    """Only files with one of these, as `sha256:<hex>` or a beginning of that."""


class CacheOperations:
    """The cache of public files."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        warehouse: Warehouse,
        adoptions: Adoptions,
        catalogue: Catalogue,
        policy: PolicyInForce,
        resolver: Resolver,
        renderer: Renderer,
        verifier: Verifier,
        inspector: Inspector,
        log: ProvenanceLog,
        jobs: Jobs,
        clock: Clock,
        quota: int,
        leases: Leases | None = None,
    ) -> None:
        """`quota` is in bytes; 0 for none. `leases` are shared with the other processes of the appliance."""
        self._leases = leases or NoOthers()
        self._ecosystems = ecosystems
        self._warehouse = warehouse
        self._adoptions = adoptions
        self._catalogue = catalogue
        self._policy = policy
        self._resolver = resolver
        self._renderer = renderer
        self._verifier = verifier
        self._inspector = inspector
        self._log = log
        self._jobs = jobs
        self._clock = clock
        self._quota = quota

    async def measure(self) -> Kept:
        """What lies on the volume."""
        return await self._warehouse.measure()

    def job(self, job_id: str) -> Job:
        """How a job stands. Raises NotFound."""
        return self._jobs.look(job_id)

    async def cancel(self, job_id: str) -> Job:
        """Call a job off. Raises NotFound."""
        return await self._jobs.cancel(job_id)

    def collect(self, *, quota: int | None, dry_run: bool, by: Client) -> Job:
        """Remove what no row names, then the least recently used down to the quota (the one in the settings
        unless another is given)."""
        wanted = self._quota if quota is None else quota

        async def work(progress: Progress) -> None:
            tidied = await self._warehouse.collect(dry_run=dry_run)
            given_up = (
                await self._warehouse.shrink(wanted, dry_run=dry_run) if wanted else Taken(files=0, bytes=0)
            )
            progress.done = tidied.files + given_up.files
            progress.found.update(
                {
                    "orphans": tidied.files,
                    "orphans_bytes": tidied.bytes,
                    "left": tidied.left,
                    "given_up": given_up.files,
                    "given_up_bytes": given_up.bytes,
                }
            )
            if not dry_run:
                await self._tell("cache.gc", by.actor, tidied, given_up, wanted)

        return self._jobs.start("gc", work)

    def scrub(self, *, anew: bool) -> Job:
        """Hash every file, put the damaged ones aside with an alarm, and fetch them again.

        One that was called off goes on where it was, unless it is to begin `anew`.
        """

        async def work(progress: Progress) -> None:
            progress.total = (await self._warehouse.measure()).files
            after = "" if anew else await self._warehouse.position()
            progress.found.update({"began_after": after, "damaged": 0, "healed": 0})
            while page := await self._warehouse.blobs(after, PAGE):
                for sha256, _ in page:
                    if not await self._warehouse.sound(sha256):
                        progress.found["damaged"] = int(progress.found["damaged"]) + 1
                        if await self._heal(sha256, progress):
                            progress.found["healed"] = int(progress.found["healed"]) + 1
                    after = sha256
                    progress.done += 1
                await self._warehouse.set_position(after)
            await self._warehouse.set_position("")

        return self._jobs.start("scrub", work)

    def adopt(self, *, dry_run: bool, by: Client) -> Job:
        """Read the files that no row names, and have those that are what they are called wait until a source
        announces them. Begun again, it goes on where it was called off."""

        async def work(progress: Progress) -> None:
            strangers = await self._warehouse.unnamed()
            progress.total = len(strangers)
            progress.found.update({"adopted": 0, "bytes": 0, "damaged": 0})
            for sha256, size in strangers:
                if dry_run or await self._adoptions.adopt(sha256, size):
                    _count(progress, "adopted")
                    _count(progress, "bytes", size)
                else:
                    _count(progress, "damaged")
                    progress.complain(f"{sha256} isn't what it is called, or is gone")
                progress.done += 1
            if not dry_run:
                found = {name: progress.found[name] for name in ("adopted", "bytes", "damaged")}
                detail = {"action": "cache.adopt", "subject": "files without a row", **found}
                event = Event(kind=Kind.ADMIN, at=self._clock.now(), actor=by.actor, detail=detail)
                await self._log.record(event)

        return self._jobs.start("adopt", work)

    def warm(self, wishes: Sequence[Wish], *, dry_run: bool) -> Job:
        """Bring the files of these versions in, those that policy lets pass. Raises Malformed."""
        for wish in wishes:
            find_ecosystem(self._ecosystems, wish.ecosystem).parse_name(wish.name)
        if not wishes:
            raise Malformed("There is nothing to warm; name at least one version.")

        async def work(progress: Progress) -> None:
            progress.total = len(wishes)
            progress.found.update({"here": 0, "fetched": 0, "bytes": 0, "refused": 0, "failed": 0})
            turns = asyncio.Semaphore(AT_ONCE)

            async def one(wish: Wish) -> None:
                async with turns:
                    await self._grant(wish, progress, dry_run=dry_run)
                    progress.done += 1

            async with asyncio.TaskGroup() as group:
                for wish in wishes:
                    group.create_task(one(wish))

        return self._jobs.start("warm", work)

    async def tend(self) -> None:
        """Note what was asked for, and keep to the quota, until cancelled."""
        while True:
            await asyncio.sleep(TEND)
            try:
                await self._warehouse.note_uses()
                # One process keeps to the quota, for as long as it lives; the job keeps others out meanwhile.
                if not self._quota or not self._leases.take("quota"):
                    continue
                taken = await self._warehouse.shrink(self._quota, dry_run=True)
                if taken.files:
                    self._jobs.start("gc", self._keep_to_quota)
            except RegistryError as error:
                journal.warning("the cache could not be kept to its quota", extra={"error": str(error)})

    async def _keep_to_quota(self, progress: Progress) -> None:
        given_up = await self._warehouse.shrink(self._quota - self._quota // SPARE, dry_run=False)
        progress.done = given_up.files
        await self._tell("cache.quota", "gateway", Taken(files=0, bytes=0), given_up, self._quota)

    async def _grant(self, wish: Wish, progress: Progress, *, dry_run: bool) -> None:
        project = self._ecosystems[wish.ecosystem].parse_name(wish.name)
        try:
            wanted = await self._wanted(project, wish)
        except RegistryError as error:
            _count(progress, "failed")
            progress.complain(f"{project}@{wish.version}: {error}")
            return
        for holding in wanted:
            await self._bring(holding, progress, dry_run=dry_run)

    async def _wanted(self, project: Project, wish: Wish) -> list[Holding]:
        """The files that a wish means. Raises NotFound and what sources raise."""
        found = [h for h in await self._catalogue.holdings(project) if _meant(h, wish)]
        if not found and self._policy.current.decide_project(project, self._clock.now()).allowed:
            await self._renderer.current(project)
            found = [h for h in await self._catalogue.holdings(project) if _meant(h, wish)]
        if not found:
            raise NotFound("no file like that is known; the version may be gone, or refused by name")
        return found

    async def _bring(self, holding: Holding, progress: Progress, *, dry_run: bool) -> None:
        artifact, policy = holding.artifact, self._policy.current
        said = policy.decide_artifact(artifact, holding.first_seen, self._clock.now())
        decision = settled(said, holding, self._catalogue.status(artifact.project))
        if not decision.allowed:
            _count(progress, "refused")
            leading = decision.leading
            progress.complain(f"{artifact.filename}: {leading.reason if leading else 'refused'}")
            return
        try:
            if await self._verifier.find(holding) is not None:
                _count(progress, "here")
                return
            if not dry_run:
                source = self._resolver.source(artifact.project, holding.origin)
                landed = await asyncio.shield(self._verifier.fetch(holding, source, policy.revision).done)
                _count(progress, "bytes", landed.size)
            else:
                _count(progress, "bytes", artifact.size or 0)
            _count(progress, "fetched")
        except RegistryError as error:
            _count(progress, "failed")
            progress.complain(f"{artifact.filename}: {error}")

    async def _heal(self, sha256: str, progress: Progress) -> bool:
        """Fetch what was damaged again, for each row that needs it; the pin says what it must be. Core
        metadata is taken out of its file."""
        healed = False
        for holding in await self._warehouse.holders(sha256):
            artifact = holding.artifact
            try:
                if holding.blob != sha256 and await self._inspector.metadata(holding) is not None:
                    healed = True
                    continue
                await self._catalogue.release(artifact.project, artifact.filename)
                source = self._resolver.source(artifact.project, holding.origin)
                flight = self._verifier.fetch(holding, source, self._policy.current.revision)
                await asyncio.shield(flight.done)
                healed = True
            except RegistryError as error:
                progress.complain(f"{artifact.filename} was damaged and could not be fetched again: {error}")
        return healed

    async def _tell(self, action: str, actor: str, tidied: Taken, given_up: Taken, quota: int) -> None:
        detail: dict[str, str | int | float | bool | None] = {
            "action": action,
            "subject": "public files",
            "orphans": tidied.files,
            "given_up": given_up.files,
            "bytes": tidied.bytes + given_up.bytes,
            "quota": quota,
        }
        await self._log.record(Event(kind=Kind.ADMIN, at=self._clock.now(), actor=actor, detail=detail))


def _meant(holding: Holding, wish: Wish) -> bool:
    artifact = holding.artifact
    if holding.gone or artifact.version != wish.version:
        return False
    if wish.filenames and artifact.filename not in wish.filenames:
        return False
    digests = [str(digest) for digest in artifact.digests]
    return not wish.digests or any(d.startswith(wanted) for d in digests for wanted in wish.digests)


def _count(progress: Progress, what: str, by: int = 1) -> None:
    progress.found[what] = int(progress.found[what]) + by
