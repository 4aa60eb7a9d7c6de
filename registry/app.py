"""The composition root: the one file that names every concrete class and knows them all."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic, time
from typing import Any, Literal, cast

from registry import __version__
from registry.ecosystems import ECOSYSTEMS
from registry.errors import ConfigurationError, RegistryError
from registry.identity.htpasswd import COST
from registry.identity.identify import Identify
from registry.identity.keys import ensure_admin_token, ensure_secret, replace_secret
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.model.artifacts import Artifact, Holding
from registry.model.attestations import Judgement
from registry.model.decisions import Decision
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.model.ports import Clock, Publisher
from registry.pipeline.advisory_operations import AdvisoryOperations
from registry.pipeline.attesting import Attesting, UpstreamKeys
from registry.pipeline.audit_answers import Answers, FirstThatCan, ImportedAnswers, UpstreamAnswers
from registry.pipeline.audit_operations import AuditOperations
from registry.pipeline.auditing import Auditing
from registry.pipeline.cache_operations import CacheOperations
from registry.pipeline.file_operations import FileOperations
from registry.pipeline.foresight import Foresight
from registry.pipeline.freshness import Freshness
from registry.pipeline.gateway import Gateway
from registry.pipeline.inforce import JoinedPolicy
from registry.pipeline.jobs import Jobs
from registry.pipeline.name_operations import NameOperations
from registry.pipeline.offline_operations import OfflineOperations
from registry.pipeline.operations import Operations
from registry.pipeline.petition_operations import PetitionOperations
from registry.pipeline.policy_operations import PolicyOperations
from registry.pipeline.private_operations import PrivateOperations
from registry.pipeline.publishing import Publishing
from registry.pipeline.recall_operations import RecallOperations
from registry.pipeline.rendering import Renderer
from registry.pipeline.resolve import Resolver
from registry.pipeline.searching import Searching
from registry.pipeline.verify import Verifier
from registry.pipeline.vouching import Vouching
from registry.pipeline.workers import Workers
from registry.policy.names import KnownNames, brought_names, shipped_names
from registry.provenance.checkpoints import LogKey, new_key
from registry.provenance.signatures import RegistryKey
from registry.settings import Settings
from registry.settings.homes import back_end_home, upstream_homes
from registry.sources.attestations import judge, provenance_of
from registry.sources.client import Client
from registry.sources.egress import Home
from registry.sources.hosts import FileHosts, HomeOnly
from registry.sources.limits import BACK_END, Limits
from registry.sources.private_npm import VerdaccioPublisher, VerdaccioSource
from registry.sources.private_pypi import PypiserverPublisher, PypiserverSource, PypiserverStock
from registry.sources.proxies import Proxies
from registry.sources.registry_source import RegistrySource
from registry.sources.services import UpstreamServices, bounded
from registry.sources.trust import tls_context
from registry.storage.accounts import Accounts
from registry.storage.advisories import Advisories
from registry.storage.attestations import Attestations
from registry.storage.blobs import Blobs
from registry.storage.catalogue import Catalogue
from registry.storage.checkpoints import Checkpoints
from registry.storage.database import Database
from registry.storage.documents import Documents
from registry.storage.host_pins import HostPins
from registry.storage.name_lists import NameLists
from registry.storage.offline_switch import OfflineSwitch
from registry.storage.petitions import Petitions
from registry.storage.policy_copy import PolicyCopy
from registry.storage.policy_store import PolicyStore
from registry.storage.provenance_log import ProvenanceLog
from registry.storage.refusals import Refusals
from registry.storage.shelf import Shelf
from registry.storage.volume import Volume
from registry.storage.warehouse import Warehouse
from registry.web.admin import api_routes
from registry.web.callers import Callers
from registry.web.certificate import Certificate
from registry.web.desk import Desk
from registry.web.examination import Examination
from registry.web.health import Health, Metrics, Probe
from registry.web.journal import write_journal
from registry.web.pages import Pages
from registry.web.petitions import PetitionPages
from registry.web.server import Application, application, listen
from registry.web.services import Services
from registry.web.site import Site
from registry.web.traffic import Traffic

AGENT = f"registry-appliance/{__version__}"
SPOOLED_FOR = 24 * 3600.0
"""Seconds after which a file in the spool is nobody's."""
LOOK = 1.0
"""Seconds between two looks at a file that may change: policy.toml, the certificate."""

FOLLOW = 0.25
"""Seconds between two looks at what other processes decided."""

journal = logging.getLogger("registry.app")


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return monotonic()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError before anything is served."""
    write_journal(settings.log_level)
    asyncio.run(serve(settings, bound_socket(settings)))


def bound_socket(settings: Settings) -> socket.socket:
    """The socket handed down by a parent, else one of our own. Raises ConfigurationError for a taken port."""
    if settings.listen_fd is not None:
        return socket.socket(fileno=settings.listen_fd)
    try:
        return socket.create_server((settings.host, settings.port), backlog=1024)
    except OSError as error:
        raise ConfigurationError(
            [f"Can't listen on {settings.host}:{settings.port} ({error.strerror}); set host and port."]
        ) from error


async def serve(settings: Settings, sock: socket.socket) -> None:
    """The gateway, from assembled to drained."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    certificate = None
    if settings.tls_certificate is not None:
        certificate = Certificate(settings.tls_certificate, settings.tls_key)
    async with assemble(settings) as (app, policy):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        reloads: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: reloads.add(asyncio.create_task(policy.reload())))
        runner = await listen(app, sock, certificate.context if certificate is not None else None)
        watches = [asyncio.create_task(_watch([settings.policy], policy.reload))]
        if certificate is not None:
            files = [path for path in (settings.tls_certificate, settings.tls_key) if path is not None]
            watches.append(asyncio.create_task(_watch(files, certificate.reload)))
        gc.collect()
        gc.freeze()  # what is here now stays: looking through it again and again would hold the loop up
        journal.info("serving", extra={"host": settings.host, "port": settings.port, "version": __version__})
        try:
            await stop.wait()
        finally:
            for watch in watches:
                watch.cancel()
            await runner.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an appliance finds on its machine; tests bring their own."""

    clock: Clock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    known: Callable[[str], KnownNames] = shipped_names
    """Ecosystem → the public names that everybody knows."""
    password_cost: int = COST
    """bcrypt's, logarithmic."""


@asynccontextmanager
async def assemble(
    settings: Settings, around: Surroundings | None = None
) -> AsyncIterator[tuple[Application, JoinedPolicy]]:
    """Every part, wired; closed in reverse order. Raises ConfigurationError listing what can't be used."""
    around = around or Surroundings()
    async with AsyncExitStack() as stack:
        kept = await _storage(settings, around.clock, stack)
        audit = _proof(settings, kept, around.clock, stack)
        people = await _identity(settings, kept, around)
        sources = await _sources(settings, kept, around, stack)
        policy = JoinedPolicy(
            read_file=lambda: read_policy(settings.policy),
            store=kept.policy_store,
            catalogue=kept.catalogue,
            log=kept.log,
            ecosystems=ECOSYSTEMS,
            known={name: _known_names(name, kept.names, around) for name in ECOSYSTEMS},
            clock=around.clock,
            advisories=kept.advisories,
            copy=PolicyCopy(settings.data / "policy.last-good.toml"),
        )
        await policy.load()
        _in_background(_follow(kept, policy), stack)
        line = _line(settings, kept, people, sources, policy, around.clock, stack)
        yield _web(settings, kept, people, sources, policy, line, audit, around.clock), policy


def _sweep(spool: Path) -> None:
    """Remove what an earlier process left when it was killed; whatever is used now is younger."""
    oldest = time() - SPOOLED_FOR
    for path in spool.iterdir():
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """Where things are kept."""

    database: Database
    log: ProvenanceLog
    catalogue: Catalogue
    attestations: Attestations
    refusals: Refusals
    policy_store: PolicyStore
    advisories: Advisories
    names: NameLists
    offline: OfflineSwitch
    accounts: Accounts
    volumes: Mapping[str, Volume]
    """By origin, like the blobs."""
    blobs: Mapping[str, Blobs]
    documents: Documents


async def _storage(settings: Settings, clock: Clock, stack: AsyncExitStack) -> _Kept:
    for directory in (settings.data, settings.data / "keys", settings.data / "spool"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    await asyncio.to_thread(_sweep, settings.data / "spool")
    database = await asyncio.to_thread(Database.open, settings.data / "registry.db")
    stack.callback(database.close)
    log = ProvenanceLog(database)
    volumes = {
        "public": Volume(settings.volume, database),
        "private": Volume(
            settings.data / "private" / "blobs", database, key="private", title="the private store"
        ),
    }
    for volume in volumes.values():
        stack.callback(volume.close)
        with contextlib.suppress(RegistryError):  # /-/ready names it; what can go on without it goes on
            await volume.start()
    return _Kept(
        database=database,
        log=log,
        catalogue=Catalogue(database),
        attestations=Attestations(database),
        refusals=Refusals(database),
        policy_store=PolicyStore(database),
        advisories=Advisories(database),
        names=NameLists(settings.data / "names"),
        offline=OfflineSwitch(database),
        accounts=Accounts(database),
        volumes=volumes,
        blobs={origin: Blobs(volume, database, clock, log.record) for origin, volume in volumes.items()},
        documents=Documents(volumes, database),
    )


def _proof(settings: Settings, kept: _Kept, clock: Clock, stack: AsyncExitStack) -> AuditOperations:
    """The log's checkpoints: one at the start, more as it grows, one at the end."""
    audit = AuditOperations(
        checkpoints=Checkpoints(kept.database),
        key=LogKey(ensure_secret(settings.data / "keys" / "log-key", new_key)),
        clock=clock,
    )
    stack.push_async_callback(audit.seal)
    _in_background(audit.tend(), stack)
    return audit


async def _follow(kept: _Kept, policy: JoinedPolicy) -> None:
    """Let what operators decided in another process count here too."""
    generation = (kept.policy_store.generation(), kept.advisories.generation)
    while True:
        await asyncio.sleep(FOLLOW)
        with contextlib.suppress(RegistryError):
            kept.offline.read_again()
            now = (kept.policy_store.generation(), kept.advisories.generation)
            if now != generation:
                await policy.reload()
                generation = now


def _in_background(work: Coroutine[Any, Any, None], stack: AsyncExitStack) -> None:
    """Do it until the appliance stops."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """Who asks."""

    users: Users
    tokens: Tokens
    identify: Identify
    secret: bytes
    """What the ids of refusals are made with."""
    signing_key: str
    """PEM; private npm packages are signed with it."""


async def _identity(settings: Settings, kept: _Kept, around: Surroundings) -> _People:
    secret = bytes.fromhex(ensure_secret(settings.data / "keys" / "why-key", lambda: secrets.token_hex(32)))
    users = Users(
        settings.data / "htpasswd",
        kept.accounts,
        around.clock,
        alarm=kept.log.record,
        cost=around.password_cost,
    )
    await users.ensure_admin(settings.data)
    tokens = Tokens(kept.accounts, around.clock)
    identify = Identify(users, tokens, ensure_admin_token(settings.data), around.clock)
    signing_key = ensure_secret(settings.data / "keys" / "npm-signing-key.pem", RegistryKey.make)
    return _People(users=users, tokens=tokens, identify=identify, secret=secret, signing_key=signing_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """Where packages come from, and where private ones go to."""

    upstreams: Mapping[str, RegistrySource]
    pypiserver: PypiserverSource
    stock: PypiserverStock
    verdaccio: VerdaccioSource
    publishers: Mapping[str, Publisher]
    npm_services: UpstreamServices
    outside: Sequence[Client]
    """All that lead out of here."""
    ways: Mapping[str, str]
    """Upstream → its URL and how that was found out, for people."""


async def _sources(settings: Settings, kept: _Kept, around: Surroundings, stack: AsyncExitStack) -> _Sources:
    clock, catalogue = around.clock, kept.catalogue
    pypi, npm = ECOSYSTEMS["pypi"], ECOSYSTEMS["npm"]
    homes = await upstream_homes(settings, around.environ)
    tls, proxies = tls_context(around.environ, settings.ca_file), Proxies.read(around.environ)

    async def alarm(what: str, detail: Mapping[str, str]) -> None:
        journal.warning("alarm: %s", what, extra=dict(detail))
        await kept.log.record(
            Event(kind=Kind.ALARM, at=clock.now(), actor="gateway", detail={"alarm": what, **detail})
        )

    outside: list[Client] = []

    def client(title: str, home: Home, proxies: Proxies, limits: Limits, spool: Path | None = None) -> Client:
        made = Client(
            title,
            home,
            tls=tls,
            proxies=proxies,
            clock=clock,
            limits=limits,
            agent=AGENT,
            alarm=alarm,
            spool=spool,
            offline=(lambda: False) if limits is BACK_END else (lambda: kept.offline.on),
        )
        stack.push_async_callback(made.close)
        if limits is not BACK_END:
            outside.append(made)
        return made

    pins = HostPins(kept.database)
    upstreams: dict[str, RegistrySource] = {}
    for name, (home, _) in homes.items():
        title, upstream = f"{ECOSYSTEMS[name].title} upstream", settings.upstreams[name]
        upstreams[name] = RegistrySource(
            ECOSYSTEMS[name],
            client(title, home, proxies, upstream.limits, settings.data / "spool"),
            documents=HomeOnly(title, home, alarm=alarm),
            files=FileHosts(
                name,
                title,
                home,
                allowed=upstream.file_hosts or None,
                pinned=pins.pinned(name),
                remember=pins.remember,
                alarm=alarm,
            ),
            clock=clock,
            beside=client(title, home, proxies, upstream.limits),
        )
    to_pypiserver = client("pypiserver", back_end_home(settings, "pypi"), Proxies.none(), BACK_END)
    to_verdaccio = client("Verdaccio", back_end_home(settings, "npm"), Proxies.none(), BACK_END)
    return _Sources(
        upstreams=upstreams,
        outside=outside,
        pypiserver=PypiserverSource(pypi, to_pypiserver, catalogue, clock=clock),
        stock=PypiserverStock(to_pypiserver),
        verdaccio=VerdaccioSource(npm, to_verdaccio, clock=clock),
        publishers={
            "pypi": PypiserverPublisher(to_pypiserver),
            "npm": VerdaccioPublisher(npm, to_verdaccio, clock=clock),
        },
        npm_services=UpstreamServices(
            client("npm upstream", homes["npm"][0], proxies, bounded(settings.upstreams["npm"].limits))
        ),
        ways={f"{name} comes from": f"{home.url} ({way})" for name, (home, way) in homes.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What the doors lead to."""

    cache: CacheOperations
    gateway: Gateway
    publishing: Publishing
    attesting: Attesting
    auditing: Auditing
    searching: Searching
    private: PrivateOperations
    files: FileOperations


def _line(
    settings: Settings,
    kept: _Kept,
    people: _People,
    sources: _Sources,
    policy: JoinedPolicy,
    clock: Clock,
    stack: AsyncExitStack,
) -> _Line:
    """Reading and writing, for every ecosystem."""
    secret, npm = people.secret, ECOSYSTEMS["npm"]
    workers = Workers()
    stack.callback(workers.close)

    async def vanished(project: Project) -> None:
        await renderer.vanished(project)

    freshness = Freshness(kept.documents, clock, settings.freshness, lambda: kept.offline.on, vanished)
    stack.push_async_callback(freshness.close)
    resolver = Resolver(sources.upstreams, {"pypi": sources.pypiserver, "npm": sources.verdaccio})
    renderer = Renderer(
        policy=policy,
        resolver=resolver,
        freshness=freshness,
        catalogue=kept.catalogue,
        shelf=Shelf(settings.memory_cache),
        log=kept.log,
        refusals=kept.refusals,
        clock=clock,
        secret=secret,
        workers=workers,
        signing_key=people.signing_key,
        scratch=str(settings.data / "spool"),
        missing_times=settings.npm_missing_times,
        attestations=kept.attestations,
    )
    attesting = _attesting(settings, kept, people, sources, clock)
    vouching = _vouching(kept, sources, clock, stack)

    async def vouch(holding: Holding) -> Mapping[str, str]:
        verdict = await attesting.vouch(holding)
        return {"signature": verdict} if verdict else await vouching.vouch(holding)

    verifier = Verifier(kept.blobs, kept.catalogue, kept.log, clock, core_metadata, renderer.forget, vouch)
    stack.push_async_callback(verifier.close)
    gateway = Gateway(
        ecosystems=ECOSYSTEMS,
        policy=policy,
        resolver=resolver,
        renderer=renderer,
        verifier=verifier,
        catalogue=kept.catalogue,
        blobs=kept.blobs,
        log=kept.log,
        refusals=kept.refusals,
        clock=clock,
        secret=secret,
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
    )
    jobs = Jobs()
    stack.push_async_callback(jobs.close)
    warehouse = Warehouse(kept.volumes["public"], kept.database, kept.blobs["public"])
    stack.push_async_callback(warehouse.note_uses)
    cache = CacheOperations(
        ecosystems=ECOSYSTEMS,
        warehouse=warehouse,
        catalogue=kept.catalogue,
        policy=policy,
        resolver=resolver,
        renderer=renderer,
        verifier=verifier,
        log=kept.log,
        jobs=jobs,
        clock=clock,
        quota=settings.cache_quota,
    )
    _in_background(cache.tend(), stack)
    return _Line(
        cache=cache,
        gateway=gateway,
        publishing=publishing,
        attesting=attesting,
        private=PrivateOperations(
            ecosystem=ECOSYSTEMS["pypi"],
            stock=sources.stock,
            policy=policy,
            catalogue=kept.catalogue,
            blobs=kept.blobs["private"],
            log=kept.log,
            clock=clock,
            turns=publishing,
        ),
        files=FileOperations(
            ecosystem=ECOSYSTEMS["pypi"],
            catalogue=kept.catalogue,
            attestations=kept.attestations,
            verifier=verifier,
        ),
        auditing=Auditing(
            ecosystem=npm,
            policy=policy,
            answers=_audit_answers(settings.npm_audit, kept, sources, clock),
            clock=clock,
        ),
        searching=Searching(
            ecosystem=npm, policy=policy, catalogue=kept.catalogue, renderer=renderer, clock=clock
        ),
    )


def _vouching(kept: _Kept, sources: _Sources, clock: Clock, stack: AsyncExitStack) -> Vouching:
    """Provenance of Python files; checking it has a process of its own, since it needs libraries of 60 MB."""
    checkers = Workers(processes=1)
    stack.callback(checkers.close)

    async def checked(provenance: bytes, filename: str, sha256: str) -> Judgement:
        return await checkers.run(judge, provenance, filename, sha256)

    async def assembled(attestations: bytes, filename: str, sha256: str) -> tuple[bytes, Judgement]:
        return await checkers.run(provenance_of, attestations, filename, sha256)

    return Vouching(
        source=sources.upstreams["pypi"],
        attestations=kept.attestations,
        blobs=kept.blobs,
        log=kept.log,
        judge=checked,
        assemble=assembled,
        clock=clock,
    )


def _audit_answers(setting: str, kept: _Kept, sources: _Sources, clock: Clock) -> Answers | None:
    imported = ImportedAnswers(ECOSYSTEMS["npm"], kept.advisories)
    upstream = UpstreamAnswers(sources.npm_services, clock)
    if setting == "forward":
        return FirstThatCan(upstream, imported, lambda: kept.offline.on)
    return imported if setting == "local" else None


def _attesting(
    settings: Settings, kept: _Kept, people: _People, sources: _Sources, clock: Clock
) -> Attesting:
    """The keys of npm's upstream, kept over restarts, and our own."""
    path = settings.data / "keys" / "npm-upstream-keys.json"

    async def alarm(what: str, detail: Mapping[str, str]) -> None:
        journal.warning("alarm: %s", what, extra=dict(detail))
        await kept.log.record(
            Event(kind=Kind.ALARM, at=clock.now(), actor="gateway", detail={"alarm": what, **detail})
        )

    keys = UpstreamKeys(
        sources.npm_services,
        clock,
        kept=path.read_bytes() if path.exists() else None,
        keep=lambda document: replace_secret(path, document),
        alarm=alarm,
    )
    return Attesting(sources.npm_services, keys, RegistryKey(people.signing_key))


def _web(
    settings: Settings,
    kept: _Kept,
    people: _People,
    sources: _Sources,
    policy: JoinedPolicy,
    line: _Line,
    audit: AuditOperations,
    clock: Clock,
) -> Application:
    """HTTP in."""
    site = Site(settings.public_url, tuple(settings.hosts), settings.trusted_proxies)
    callers, metrics = Callers(people.identify, site), Metrics()
    health = Health(_probes(kept, sources), metrics, callers, lambda: kept.offline.on)
    read = cast("Literal['anyone', 'users']", settings.read)
    traffic = Traffic(
        ecosystems=ECOSYSTEMS,
        gateway=line.gateway,
        publishing=line.publishing,
        services=Services(
            people.users,
            people.tokens,
            auditing=line.auditing,
            attesting=line.attesting,
            searching=line.searching,
        ),
        callers=callers,
        site=site,
        read=read,
        spool_directory=settings.data / "spool",
        upload_limit=settings.upload_limit,
    )
    desk = _desk(settings, kept, people, sources, policy, health, audit, line, clock)

    async def standing(decision: Decision) -> Decision:
        subject = decision.subject
        explained = await desk.policy.explain(
            subject.project.ecosystem, subject.project.name, subject.version
        )
        return explained.decision

    pages = Pages(site, kept.refusals, desk.petitions, standing)
    return application(
        traffic=traffic,
        ecosystems=ECOSYSTEMS,
        pages=pages,
        health=health,
        metrics=metrics,
        site=site,
        api=[
            *api_routes(desk, callers, read=read),
            *PetitionPages(pages, desk.petitions, callers).routes(),
        ],
    )


def _desk(
    settings: Settings,
    kept: _Kept,
    people: _People,
    sources: _Sources,
    policy: JoinedPolicy,
    health: Health,
    audit: AuditOperations,
    line: _Line,
    clock: Clock,
) -> Desk:
    """What admins can ask for and change."""

    async def policy_sound() -> str | None:
        return "; ".join(policy.problems) or None

    operations = Operations(
        ecosystems=ECOSYSTEMS, log=kept.log, refusals=kept.refusals, catalogue=kept.catalogue
    )
    policies = PolicyOperations(
        ecosystems=ECOSYSTEMS,
        policy=policy,
        store=kept.policy_store,
        catalogue=kept.catalogue,
        clock=clock,
    )
    return Desk(
        policy=policies,
        petitions=PetitionOperations(
            petitions=Petitions(kept.database), refusals=kept.refusals, policy=policies, clock=clock
        ),
        operations=operations,
        names=NameOperations(
            ecosystems=ECOSYSTEMS, policy=policy, write=kept.names.write, log=kept.log, clock=clock
        ),
        foresight=Foresight(
            ecosystems=ECOSYSTEMS,
            current=lambda: policy.current,
            draft=policy.draft,
            catalogue=kept.catalogue,
            log=kept.log,
            clock=clock,
        ),
        advisories=AdvisoryOperations(advisories=kept.advisories, reload=policy.reload, clock=clock),
        recalls=RecallOperations(
            ecosystems=ECOSYSTEMS,
            store=kept.policy_store,
            catalogue=kept.catalogue,
            who=operations.audit_who,
            reload=policy.reload,
            clock=clock,
        ),
        cache=line.cache,
        private=line.private,
        files=line.files,
        offline=OfflineOperations(
            switch=kept.offline, disconnect=[each.close for each in sources.outside], clock=clock
        ),
        audit=audit,
        users=people.users,
        tokens=people.tokens,
        doctor=Examination(
            health,
            {"policy": policy_sound, **{each.name: each.probe for each in sources.upstreams.values()}},
            {"data directory": str(settings.data), "LAN volume": str(settings.volume), **sources.ways},
            {
                **{f"{name} publish times": partial(_undated, kept.catalogue, name) for name in ECOSYSTEMS},
                "advisories": partial(_advisories, kept.advisories),
            },
        ),
    )


def _known_names(ecosystem: str, lists: NameLists, around: Surroundings) -> KnownNames:
    """What an operator brought, else what shipped."""
    text = lists.read(ecosystem)
    return around.known(ecosystem) if text is None else brought_names(ecosystem, text)


async def _undated(catalogue: Catalogue, ecosystem: str) -> str | None:
    """What an admin should know where the cooldown has nothing to go by."""
    files = await catalogue.undated(ecosystem)
    if not files:
        return None
    return (
        f"the upstream tells no publish times for {files} files, so they don't wait as long as others; "
        "age.undated in policy.toml says what counts instead"
    )


async def _advisories(advisories: Advisories) -> str | None:
    """How fresh they are, or that there are none."""
    standing = advisories.standing()
    if standing.imported is None or standing.newest is None:
        return "none were imported, so no malware is known; `registry advisories import PATH` reads OSV files"
    return (
        f"{standing.advisories}, the newest of {standing.newest:%Y-%m-%d},"
        f" imported {standing.imported:%Y-%m-%d}"
    )


def _probes(kept: _Kept, sources: _Sources) -> dict[str, Probe]:
    """What /-/ready looks at, by the name it gives it."""

    async def database_ready() -> str | None:
        kept.database.check()
        return None

    return {
        "database": database_ready,
        "volume": _volume_probe(kept.volumes["public"]),
        "private store": _volume_probe(kept.volumes["private"]),
        "pypiserver": sources.pypiserver.probe,
        "verdaccio": sources.verdaccio.probe,
    }


def read_policy(path: Path) -> str:
    """The policy file's text. Raises ConfigurationError when it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"The policy file {path} can't be read ({error}); restore it."]) from error


def core_metadata(artifact: Artifact, path: Path) -> bytes | None:
    """Core metadata out of a verified file; None where it has none or isn't what it should be."""
    ecosystem = ECOSYSTEMS[artifact.project.ecosystem]
    if not ecosystem.offers_metadata:
        return None
    try:
        with path.open("rb") as file:
            contents = ecosystem.inspect(artifact, file)
    except (RegistryError, OSError) as error:
        journal.warning("a file could not be looked into", extra={"file": artifact.filename, "error": error})
        return None
    return contents.metadata if contents else None


def _volume_probe(volume: Volume) -> Probe:
    async def probe() -> str | None:
        await volume.check()
        return None

    return probe


async def _watch(paths: Sequence[Path], reload: Callable[[], Awaitable[None]]) -> None:
    """Reload what is in these files when one of them changes."""

    def stamps() -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in paths]

    last = await asyncio.to_thread(stamps)
    while True:
        await asyncio.sleep(LOOK)
        now = await asyncio.to_thread(stamps)
        if now != last:
            last = now
            await reload()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
