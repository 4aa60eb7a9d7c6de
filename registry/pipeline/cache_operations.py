"""Care of the cache, for admins: tidied up, kept to its quota, checked for rot and healed.

Everything long is a job. Each can be called off and begun again: what is done is done.
"""

from __future__ import annotations

import asyncio
import logging

from registry.errors import RegistryError
from registry.model.events import Client, Event, Kind
from registry.model.ports import Adoptions, Catalogue, Clock, Leases, ProvenanceLog, Warehouse
from registry.model.warehouse import Kept, Taken
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.inspector import Inspector
from registry.pipeline.jobs import Job, Jobs, Progress
from registry.pipeline.resolve import Resolver
from registry.pipeline.singleflight import NoOthers
from registry.pipeline.verify import Verifier

PAGE = 200
TEND = 60.0
"""Seconds between two looks at the quota."""
SPARE = 20
"""A quota that is exceeded is undercut by a twentieth, so that it isn't exceeded at once again."""

journal = logging.getLogger("registry.cache")


class CacheOperations:
    """The cache of public files."""

    def __init__(
        self,
        *,
        warehouse: Warehouse,
        adoptions: Adoptions,
        catalogue: Catalogue,
        policy: PolicyInForce,
        resolver: Resolver,
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
        self._warehouse = warehouse
        self._adoptions = adoptions
        self._catalogue = catalogue
        self._policy = policy
        self._resolver = resolver
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
                    progress.count("adopted")
                    progress.count("bytes", size)
                else:
                    progress.count("damaged")
                    progress.complain(f"{sha256} isn't what it is called, or is gone")
                progress.done += 1
            if not dry_run:
                found = {name: progress.found[name] for name in ("adopted", "bytes", "damaged")}
                detail = {"action": "cache.adopt", "subject": "files without a row", **found}
                event = Event(kind=Kind.ADMIN, at=self._clock.now(), actor=by.actor, detail=detail)
                await self._log.record(event)

        return self._jobs.start("adopt", work)

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
