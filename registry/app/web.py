"""HTTP in: the doors, the pages, health."""

from __future__ import annotations

from typing import Literal, cast

from registry.app.desk import set_desk
from registry.app.identity import Identity
from registry.app.line import Line
from registry.app.sources import Sources
from registry.app.storage import Storage, volume_probe
from registry.ecosystems import ECOSYSTEMS
from registry.model.decisions import Decision
from registry.pipeline.audit_operations import AuditOperations
from registry.pipeline.inforce import JoinedPolicy
from registry.settings import Settings
from registry.sources.inherit import public_npm
from registry.web.api.routes import api_routes
from registry.web.at_hand import AtHand
from registry.web.callers import Callers
from registry.web.health import Health, Metrics, Probe
from registry.web.lock_files import PortableLocks
from registry.web.meaning import Meaning
from registry.web.pages import Pages
from registry.web.petitions import PetitionPages
from registry.web.server import Application, application
from registry.web.services import Services
from registry.web.site import Site
from registry.web.traffic import Traffic


def open_web(
    settings: Settings,
    kept: Storage,
    people: Identity,
    sources: Sources,
    policy: JoinedPolicy,
    line: Line,
    audit: AuditOperations,
) -> Application:
    """HTTP in."""
    site = Site(settings.public_url, tuple(settings.hosts), settings.trusted_proxies)
    callers, metrics = Callers(people.identify, site), Metrics()
    health = Health(_probes(kept, sources), metrics, callers, lambda: kept.offline.on)
    read = cast("Literal['anyone', 'users']", settings.read)
    locks = PortableLocks(public_npm()) if settings.npm_lock_files == "portable" else None
    meaning = Meaning(ECOSYSTEMS, read, locks)
    traffic = Traffic(
        meaning=meaning,
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
        spool_directory=settings.data / "spool",
        upload_limit=settings.upload_limit,
    )
    desk = set_desk(settings, kept, people, sources, policy, health, audit, line)

    async def standing(decision: Decision) -> Decision:
        subject = decision.subject
        explained = await desk.policy.explain(
            subject.project.ecosystem, subject.project.name, subject.version
        )
        return explained.decision

    pages = Pages(site, kept.refusals, desk.petitions, standing)
    return application(
        traffic=traffic,
        at_hand=AtHand(
            meaning=meaning,
            gateway=line.gateway,
            callers=callers,
            site=site,
            metrics=metrics,
            is_behind=lambda: policy.is_behind,
        ),
        ecosystems=ECOSYSTEMS,
        pages=pages,
        health=health,
        metrics=metrics,
        site=site,
        abreast=policy,
        api=[
            *api_routes(desk, callers, read=read),
            *PetitionPages(pages, desk.petitions, callers).routes(),
        ],
    )


def _probes(kept: Storage, sources: Sources) -> dict[str, Probe]:
    """What /-/ready looks at, by the name it gives it."""

    async def database_ready() -> str | None:
        kept.database.check()
        return None

    return {
        "database": database_ready,
        "clock": kept.clock.probe,
        "volume": volume_probe(kept.volumes["public"]),
        "private store": volume_probe(kept.volumes["private"]),
        "pypiserver": sources.pypiserver.probe,
        "verdaccio": sources.verdaccio.probe,
    }
