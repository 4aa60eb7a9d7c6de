"""Where packages come from, and where private ones go to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from registry import __version__
from registry.app.storage import Storage, alarm_in
from registry.app.surroundings import Surroundings
from registry.ecosystems import ECOSYSTEMS
from registry.model.ports import Publisher
from registry.settings import Settings
from registry.settings.homes import back_end_home, upstream_homes
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
from registry.storage.host_pins import HostPins

AGENT = f"registry-appliance/{__version__}"

journal = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
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


async def open_sources(
    settings: Settings, kept: Storage, around: Surroundings, stack: AsyncExitStack
) -> Sources:
    """The upstreams behind the egress guard, and the private back ends."""
    clock, catalogue = kept.clock, kept.catalogue
    pypi, npm = ECOSYSTEMS["pypi"], ECOSYSTEMS["npm"]
    homes = await upstream_homes(settings, around.environ)
    tls, proxies = tls_context(around.environ, settings.ca_file), Proxies.read(around.environ)

    alarm = alarm_in(kept.log, clock)
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
    return Sources(
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
