"""Filling the cache in advance: the files that lock files name, as far as policy lets them pass."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from registry.errors import Malformed, NotFound, RegistryError
from registry.model.artifacts import Holding
from registry.model.ecosystem import Ecosystem, find_ecosystem
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.jobs import Job, Jobs, Progress
from registry.pipeline.rendering import Renderer
from registry.pipeline.resolve import Resolver
from registry.pipeline.settling import settled
from registry.pipeline.verify import Verifier

AT_ONCE = 4
"""Projects that are warmed side by side."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is to be here, as a lock file names it."""

    ecosystem: str
    name: str
    version: str
    filenames: tuple[str, ...] = ()
    """Only these of its files, where the lock file names any."""
    digests: tuple[str, ...] = ()
    """Only files with one of these, as `sha256:<hex>` or a beginning of that."""


class Warming:
    """Brings files in before anyone asks for them."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        catalogue: Catalogue,
        policy: PolicyInForce,
        resolver: Resolver,
        renderer: Renderer,
        verifier: Verifier,
        jobs: Jobs,
        clock: Clock,
    ) -> None:
        self._ecosystems = ecosystems
        self._catalogue = catalogue
        self._policy = policy
        self._resolver = resolver
        self._renderer = renderer
        self._verifier = verifier
        self._jobs = jobs
        self._clock = clock

    def begin(self, wishes: Sequence[Wish], *, dry_run: bool) -> Job:
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

    async def _grant(self, wish: Wish, progress: Progress, *, dry_run: bool) -> None:
        project = self._ecosystems[wish.ecosystem].parse_name(wish.name)
        try:
            wanted = await self._wanted(project, wish)
        except RegistryError as error:
            progress.count("failed")
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
            progress.count("refused")
            leading = decision.leading
            progress.complain(f"{artifact.filename}: {leading.reason if leading else 'refused'}")
            return
        try:
            if await self._verifier.find(holding) is not None:
                progress.count("here")
                return
            if not dry_run:
                source = self._resolver.source(artifact.project, holding.origin)
                landed = await asyncio.shield(self._verifier.fetch(holding, source, policy.revision).done)
                progress.count("bytes", landed.size)
            else:
                progress.count("bytes", artifact.size or 0)
            progress.count("fetched")
        except RegistryError as error:
            progress.count("failed")
            progress.complain(f"{artifact.filename}: {error}")


def _meant(holding: Holding, wish: Wish) -> bool:
    artifact = holding.artifact
    if holding.gone or artifact.version != wish.version:
        return False
    if wish.filenames and artifact.filename not in wish.filenames:
        return False
    digests = [str(digest) for digest in artifact.digests]
    return not wish.digests or any(d.startswith(wanted) for d in digests for wanted in wish.digests)
