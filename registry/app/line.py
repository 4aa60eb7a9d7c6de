"""What the doors lead to: reading and writing, for every ecosystem."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from registry.app.background import in_background, in_one_process
from registry.app.identity import Identity
from registry.app.sources import Sources
from registry.app.storage import Storage
from registry.app.vouching import lay_attesting, lay_vouching
from registry.ecosystems import ECOSYSTEMS
from registry.model.names import Project
from registry.pipeline.admission import Admission
from registry.pipeline.attesting import Attesting
from registry.pipeline.audit_answers import Answers, FirstThatCan, ImportedAnswers, UpstreamAnswers
from registry.pipeline.auditing import Auditing
from registry.pipeline.cache_operations import CacheOperations
from registry.pipeline.contents import look_into
from registry.pipeline.core_metadata import CoreMetadata
from registry.pipeline.file_operations import FileOperations
from registry.pipeline.freshness import Freshness
from registry.pipeline.gateway import Gateway
from registry.pipeline.inforce import JoinedPolicy
from registry.pipeline.inspector import Inspector
from registry.pipeline.jobs import Jobs
from registry.pipeline.preparer import Preparer
from registry.pipeline.private_operations import PrivateOperations
from registry.pipeline.publishing import Publishing
from registry.pipeline.rendering import Renderer
from registry.pipeline.rescan import Rescan
from registry.pipeline.resolve import Resolver
from registry.pipeline.searching import Searching
from registry.pipeline.shelved import decoded, encoded
from registry.pipeline.verify import Verifier
from registry.pipeline.warming import Warming
from registry.pipeline.workers import Workers
from registry.settings import Settings
from registry.storage.adoptions import Adoptions
from registry.storage.shelf import Shelf
from registry.storage.shelf_files import ShelfFiles
from registry.storage.warehouse import Warehouse

SHELF_BYTES = 1 << 30
"""Of renditions on local disk, which are made again when they are gone."""
_RENDERS = ("ecosystems", "model", "pipeline", "policy", "provenance")
"""Folders of the program whose change may change a rendition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the doors lead to."""

    cache: CacheOperations
    warming: Warming
    gateway: Gateway
    publishing: Publishing
    attesting: Attesting
    auditing: Auditing
    searching: Searching
    private: PrivateOperations
    rescan: Rescan
    files: FileOperations


def lay_line(
    settings: Settings,
    kept: Storage,
    people: Identity,
    sources: Sources,
    policy: JoinedPolicy,
    stack: AsyncExitStack,
) -> Line:
    """Reading and writing, for every ecosystem."""
    clock, secret, npm = kept.clock, people.secret, ECOSYSTEMS["npm"]
    workers = Workers()
    stack.callback(workers.close)

    async def vanished(project: Project) -> None:
        await renderer.vanished(project)

    freshness = Freshness(
        kept.documents,
        clock,
        settings.freshness,
        lambda: kept.offline.on,
        vanished,
        editions=kept.editions.documents,
        leases=kept.leases,
    )
    stack.push_async_callback(freshness.close)
    resolver = Resolver(sources.upstreams, {"pypi": sources.pypiserver, "npm": sources.verdaccio})
    preparer = Preparer(
        policy=policy,
        freshness=freshness,
        catalogue=kept.catalogue,
        attestations=kept.attestations,
        clock=clock,
        secret=secret,
        workers=workers,
        signing_key=people.signing_key,
        scratch=str(settings.data / "spool"),
        missing_times=settings.npm_missing_times,
    )
    renderer = Renderer(
        policy=policy,
        resolver=resolver,
        freshness=freshness,
        catalogue=kept.catalogue,
        shelf=_shelf(settings, people, stack),
        log=kept.log,
        refusals=kept.refusals,
        clock=clock,
        preparer=preparer,
        editions=kept.editions.rows,
    )
    stack.push_async_callback(renderer.close)
    attesting = lay_attesting(settings, kept, people, sources)
    vouching = lay_vouching(kept, sources, attesting, stack)
    inspector = Inspector(
        kept.blobs, kept.catalogue, kept.log, clock, look_into, renderer.forget, renderer.offer
    )
    adoptions = Adoptions(kept.volumes["public"], kept.database, kept.blobs["public"])
    verifier = Verifier(
        kept.blobs,
        kept.catalogue,
        kept.log,
        clock,
        inspector,
        vouching.vouch,
        leases=kept.leases,
        adoptions=adoptions,
    )
    stack.push_async_callback(verifier.close)
    metadata = CoreMetadata(kept.blobs, kept.catalogue, kept.log, clock, inspector)
    stack.push_async_callback(metadata.close)
    admission = Admission(
        policy=policy,
        catalogue=kept.catalogue,
        refusals=kept.refusals,
        vouching=vouching,
        learned=renderer.forget,
        clock=clock,
        secret=secret,
    )
    gateway = Gateway(
        ecosystems=ECOSYSTEMS,
        policy=policy,
        resolver=resolver,
        renderer=renderer,
        verifier=verifier,
        metadata=metadata,
        catalogue=kept.catalogue,
        blobs=kept.blobs,
        log=kept.log,
        clock=clock,
        admission=admission,
        vouching=vouching,
    )
    publishing = Publishing(
        ecosystems=ECOSYSTEMS,
        publishers=sources.publishers,
        policy=policy,
        catalogue=kept.catalogue,
        blobs=kept.blobs["private"],
        freshness=freshness,
        renderer=renderer,
        refusals=kept.refusals,
        clock=clock,
        secret=secret,
        vouching=vouching,
        workers=workers,
    )
    jobs = Jobs(kept.leases)
    stack.push_async_callback(jobs.close)
    warehouse = Warehouse(
        kept.volumes["public"], kept.database, kept.blobs["public"], adoptions, kept.neighbours
    )
    in_background(in_one_process(kept.leases, "neighbours", warehouse.tell), stack)
    stack.push_async_callback(warehouse.note_uses)
    cache = CacheOperations(
        warehouse=warehouse,
        adoptions=adoptions,
        catalogue=kept.catalogue,
        policy=policy,
        resolver=resolver,
        verifier=verifier,
        inspector=inspector,
        log=kept.log,
        jobs=jobs,
        clock=clock,
        quota=settings.cache_quota,
        leases=kept.leases,
    )
    in_background(cache.tend(), stack)
    return Line(
        cache=cache,
        warming=Warming(
            ecosystems=ECOSYSTEMS,
            catalogue=kept.catalogue,
            policy=policy,
            resolver=resolver,
            renderer=renderer,
            verifier=verifier,
            jobs=jobs,
            clock=clock,
        ),
        gateway=gateway,
        publishing=publishing,
        attesting=attesting,
        private=PrivateOperations(
            ecosystem=ECOSYSTEMS["pypi"],
            stock=sources.stock,
            catalogue=kept.catalogue,
            blobs=kept.blobs["private"],
            clock=clock,
            turns=publishing,
        ),
        rescan=Rescan(
            ecosystem=ECOSYSTEMS["pypi"],
            stock=sources.stock,
            policy=policy,
            catalogue=kept.catalogue,
            blobs=kept.blobs["private"],
            log=kept.log,
            clock=clock,
            turns=publishing,
            jobs=jobs,
        ),
        files=FileOperations(
            ecosystem=ECOSYSTEMS["pypi"],
            catalogue=kept.catalogue,
            attestations=kept.attestations,
            inspector=inspector,
        ),
        auditing=Auditing(
            ecosystem=npm,
            policy=policy,
            answers=_audit_answers(settings.npm_audit, kept, sources),
            clock=clock,
        ),
        searching=Searching(
            ecosystem=npm, policy=policy, catalogue=kept.catalogue, renderer=renderer, clock=clock
        ),
    )


def _shelf(settings: Settings, people: Identity, stack: AsyncExitStack) -> Shelf:
    """Renditions in memory, and on local disk for as long as what they are made by is the same."""
    recipe = hashlib.sha256(f"{people.signing_key}\0{settings.npm_missing_times}\0".encode() + people.secret)
    for folder in _RENDERS:
        for path in sorted((Path(__file__).parents[1] / folder).rglob("*.py")):
            recipe.update(path.read_bytes())
    files = ShelfFiles(settings.data / "shelf", recipe.hexdigest(), SHELF_BYTES)
    stack.push_async_callback(files.close)
    return Shelf(settings.memory_cache, files, encoded, decoded)


def _audit_answers(setting: str, kept: Storage, sources: Sources) -> Answers | None:
    imported = ImportedAnswers(ECOSYSTEMS["npm"], kept.advisories)
    upstream = UpstreamAnswers(sources.npm_services, kept.clock)
    if setting == "forward":
        return FirstThatCan(upstream, imported, lambda: kept.offline.on)
    return imported if setting == "local" else None
