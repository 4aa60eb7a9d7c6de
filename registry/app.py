"""The composition root: the one file that names every concrete class and knows them all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Literal, cast

from registry import __version__
from registry.ecosystems import ECOSYSTEMS
from registry.errors import ConfigurationError, RegistryError
from registry.identity.identify import Identify
from registry.identity.keys import ensure_admin_token, ensure_secret
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.model.artifacts import Artifact
from registry.model.events import Event, Kind
from registry.model.ports import Publisher, Source
from registry.pipeline.freshness import Freshness
from registry.pipeline.gateway import Gateway
from registry.pipeline.inforce import JoinedPolicy
from registry.pipeline.operations import Operations
from registry.pipeline.policy_operations import PolicyOperations
from registry.pipeline.publishing import Publishing
from registry.pipeline.rendering import Renderer
from registry.pipeline.resolve import Resolver
from registry.pipeline.verify import Verifier
from registry.pipeline.workers import Workers
from registry.policy.names import shipped_names
from registry.settings import Settings
from registry.settings.homes import back_end_home, upstream_homes
from registry.sources.client import Client
from registry.sources.hosts import FileHosts, HomeOnly
from registry.sources.limits import BACK_END
from registry.sources.private_npm import VerdaccioPublisher, VerdaccioSource
from registry.sources.private_pypi import PypiserverPublisher, PypiserverSource
from registry.sources.proxies import Proxies
from registry.sources.registry_source import RegistrySource
from registry.sources.trust import tls_context
from registry.storage.accounts import Accounts
from registry.storage.blobs import Blobs
from registry.storage.catalogue import Catalogue
from registry.storage.database import Database
from registry.storage.documents import Documents
from registry.storage.host_pins import HostPins
from registry.storage.policy_store import PolicyStore
from registry.storage.provenance_log import ProvenanceLog
from registry.storage.refusals import Refusals
from registry.storage.shelf import Shelf
from registry.storage.volume import Volume
from registry.web.admin import api_routes
from registry.web.callers import Callers
from registry.web.desk import Desk
from registry.web.examination import Examination
from registry.web.health import Health, Metrics, Probe
from registry.web.journal import write_journal
from registry.web.pages import Pages
from registry.web.server import Application, application, listen
from registry.web.services import Services
from registry.web.site import Site
from registry.web.traffic import Traffic

AGENT = f"registry-appliance/{__version__}"
POLICY_LOOK = 1.0
"""Seconds between two looks at policy.toml."""

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
    async with assemble(settings) as (app, policy):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        reloads: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: reloads.add(asyncio.create_task(policy.reload())))
        runner = await listen(app, sock)
        watch = asyncio.create_task(_watch(settings.policy, policy))
        journal.info("serving", extra={"host": settings.host, "port": settings.port, "version": __version__})
        try:
            await stop.wait()
        finally:
            watch.cancel()
            await runner.cleanup()


@asynccontextmanager
async def assemble(settings: Settings) -> AsyncIterator[tuple[Application, JoinedPolicy]]:
    """Every part, wired; closed in reverse order. Raises ConfigurationError listing what can't be used."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        # where things are kept
        keys = settings.data / "keys"
        for directory in (settings.data, keys, settings.data / "spool"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = await asyncio.to_thread(Database.open, settings.data / "registry.db")
        stack.callback(database.close)
        log = ProvenanceLog(database)
        catalogue = Catalogue(database)
        refusals = Refusals(database)
        policy_store = PolicyStore(database)
        accounts = Accounts(database)
        public = Volume(settings.volume, database)
        private = Volume(
            settings.data / "private" / "blobs", database, key="private", title="the private store"
        )
        for volume in (public, private):
            stack.callback(volume.close)
            with contextlib.suppress(RegistryError):  # /-/ready names it; what can go on without it goes on
                await volume.start()
        documents = Documents(public, database)
        blobs = {
            "public": Blobs(public, database, clock, log.record),
            "private": Blobs(private, database, clock, log.record),
        }

        # who asks
        secret = bytes.fromhex(ensure_secret(keys / "why-key", lambda: secrets.token_hex(32)))
        users = Users(settings.data / "htpasswd", accounts, clock, alarm=log.record)
        await users.ensure_admin(settings.data)
        tokens = Tokens(accounts, clock)
        identify = Identify(users, tokens, ensure_admin_token(settings.data), clock)

        # where packages come from
        async def alarm(what: str, detail: Mapping[str, str]) -> None:
            journal.warning("alarm: %s", what, extra=dict(detail))
            await log.record(
                Event(kind=Kind.ALARM, at=clock.now(), actor="gateway", detail={"alarm": what, **detail})
            )

        homes = await upstream_homes(settings, os.environ)
        tls, proxies = tls_context(os.environ, settings.ca_file), Proxies.read(os.environ)
        pins = HostPins(database)
        upstreams: dict[str, RegistrySource] = {}
        for name, (home, _) in homes.items():
            title = f"{ECOSYSTEMS[name].title} upstream"
            limits = settings.upstreams[name].limits
            client = Client(
                title, home, tls=tls, proxies=proxies, clock=clock, limits=limits, agent=AGENT, alarm=alarm
            )
            stack.push_async_callback(client.close)
            files = FileHosts(
                name,
                title,
                home,
                allowed=settings.upstreams[name].file_hosts or None,
                pinned=pins.pinned(name),
                remember=pins.remember,
                alarm=alarm,
            )
            upstreams[name] = RegistrySource(
                ECOSYSTEMS[name],
                client,
                documents=HomeOnly(title, home, alarm=alarm),
                files=files,
                clock=clock,
            )
        back_ends = {
            name: Client(
                title,
                back_end_home(settings, name),
                tls=tls,
                proxies=Proxies.none(),
                clock=clock,
                limits=BACK_END,
                agent=AGENT,
                alarm=alarm,
            )
            for name, title in (("pypi", "pypiserver"), ("npm", "Verdaccio"))
        }
        for client in back_ends.values():
            stack.push_async_callback(client.close)
        pypiserver = PypiserverSource(ECOSYSTEMS["pypi"], back_ends["pypi"], catalogue, clock=clock)
        verdaccio = VerdaccioSource(ECOSYSTEMS["npm"], back_ends["npm"], clock=clock)
        sources: dict[str, Source] = {"pypi": pypiserver, "npm": verdaccio}
        publishers: dict[str, Publisher] = {
            "pypi": PypiserverPublisher(back_ends["pypi"]),
            "npm": VerdaccioPublisher(ECOSYSTEMS["npm"], back_ends["npm"], clock=clock),
        }

        # may it pass
        policy = JoinedPolicy(
            read_file=lambda: read_policy(settings.policy),
            store=policy_store,
            catalogue=catalogue,
            log=log,
            ecosystems=ECOSYSTEMS,
            known={name: shipped_names(name) for name in ECOSYSTEMS},
            clock=clock,
        )
        await policy.load()

        # the line
        workers = Workers()
        stack.callback(workers.close)
        freshness = Freshness(documents, clock, settings.freshness)
        stack.push_async_callback(freshness.close)
        resolver = Resolver(upstreams, sources)
        renderer = Renderer(
            policy=policy,
            resolver=resolver,
            freshness=freshness,
            catalogue=catalogue,
            shelf=Shelf(settings.memory_cache),
            log=log,
            refusals=refusals,
            clock=clock,
            secret=secret,
            workers=workers,
        )
        verifier = Verifier(blobs, catalogue, log, clock, core_metadata, renderer.forget)
        stack.push_async_callback(verifier.close)
        gateway = Gateway(
            ecosystems=ECOSYSTEMS,
            policy=policy,
            resolver=resolver,
            renderer=renderer,
            verifier=verifier,
            catalogue=catalogue,
            blobs=blobs,
            log=log,
            refusals=refusals,
            clock=clock,
            secret=secret,
        )
        publishing = Publishing(
            ecosystems=ECOSYSTEMS,
            publishers=publishers,
            policy=policy,
            catalogue=catalogue,
            blobs=blobs["private"],
            freshness=freshness,
            renderer=renderer,
            refusals=refusals,
            clock=clock,
            secret=secret,
        )

        # HTTP in
        async def database_ready() -> str | None:
            database.check()
            return None

        async def policy_sound() -> str | None:
            return "; ".join(policy.problems) or None

        probes: dict[str, Probe] = {
            "database": database_ready,
            "volume": _volume_probe(public),
            "private store": _volume_probe(private),
            "pypiserver": pypiserver.probe,
            "verdaccio": verdaccio.probe,
        }
        site = Site(settings.public_url, tuple(settings.hosts), settings.trusted_proxies)
        callers = Callers(identify, site)
        metrics = Metrics()
        health = Health(probes, metrics, callers)
        read = cast("Literal['anyone', 'users']", settings.read)
        traffic = Traffic(
            ecosystems=ECOSYSTEMS,
            gateway=gateway,
            publishing=publishing,
            services=Services(users, tokens),
            callers=callers,
            site=site,
            read=read,
            spool_directory=settings.data / "spool",
            upload_limit=settings.upload_limit,
        )
        desk = Desk(
            policy=PolicyOperations(
                ecosystems=ECOSYSTEMS, policy=policy, store=policy_store, catalogue=catalogue, clock=clock
            ),
            operations=Operations(ecosystems=ECOSYSTEMS, log=log, refusals=refusals, catalogue=catalogue),
            users=users,
            tokens=tokens,
            doctor=Examination(
                health,
                {"policy": policy_sound, **{each.name: each.probe for each in upstreams.values()}},
                {
                    "data directory": str(settings.data),
                    "LAN volume": str(settings.volume),
                    **{f"{name} upstream": f"{home.url} ({way})" for name, (home, way) in homes.items()},
                },
            ),
        )
        yield (
            application(
                traffic=traffic,
                ecosystems=ECOSYSTEMS,
                pages=Pages(site, refusals),
                health=health,
                metrics=metrics,
                site=site,
                api=api_routes(desk, callers, read=read),
            ),
            policy,
        )


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


async def _watch(path: Path, policy: JoinedPolicy) -> None:
    """Reload the policy when its file changes."""
    last = await asyncio.to_thread(_stamp, path)
    while True:
        await asyncio.sleep(POLICY_LOOK)
        stamp = await asyncio.to_thread(_stamp, path)
        if stamp != last:
            last = stamp
            await policy.reload()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
