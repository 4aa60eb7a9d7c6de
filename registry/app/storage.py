"""Where things are kept: the database, the volumes, the records."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import time

from registry.app.background import in_background, in_one_process
from registry.errors import ConfigurationError, RegistryError
from registry.identity.log_keys import LogKeys
from registry.model.events import Event, Kind
from registry.model.ports import Clock, Leases, MachineClock
from registry.pipeline.audit_operations import AuditOperations
from registry.pipeline.inforce import JoinedPolicy
from registry.pipeline.singleflight import NoOthers
from registry.pipeline.starvation import Starvation
from registry.pipeline.timekeeping import Timekeeper
from registry.settings import Settings
from registry.sources.hosts import Alarm
from registry.storage.accounts import Accounts
from registry.storage.advisories import Advisories
from registry.storage.attestations import Attestations
from registry.storage.blobs import Blobs
from registry.storage.catalogue import Catalogue
from registry.storage.checkpoints import Checkpoints
from registry.storage.clock_marks import ClockMarks
from registry.storage.database import Database
from registry.storage.documents import Documents
from registry.storage.editions import SharedEditions
from registry.storage.leases import FileLeases
from registry.storage.name_lists import NameLists
from registry.storage.near import NearCopies
from registry.storage.neighbours import Neighbours
from registry.storage.offline_switch import OfflineSwitch
from registry.storage.policy_store import PolicyStore
from registry.storage.provenance_log import ProvenanceLog
from registry.storage.refusals import Refusals
from registry.storage.volume import Volume
from registry.web.health import Probe

SPOOLED_FOR = 24 * 3600.0
"""Seconds after which a file in the spool is nobody's."""

FOLLOW = 0.25
"""Seconds between two looks at what other processes decided."""

journal = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where things are kept, and since when."""

    clock: Timekeeper
    database: Database
    editions: SharedEditions
    leases: Leases
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
    neighbours: Neighbours
    """On the volume of public files."""


async def open_storage(settings: Settings, machine: MachineClock, stack: AsyncExitStack) -> Storage:
    """Open what is kept. A volume that isn't there is named by /-/ready and stops nothing else."""
    for directory in (settings.data, settings.data / "keys", settings.data / "spool"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    await asyncio.to_thread(_sweep, settings.data / "spool")
    editions, leases = _among_processes(settings, stack)
    database = await asyncio.to_thread(Database.open, settings.data / "registry.db", editions.tables)
    stack.callback(database.close)
    log = ProvenanceLog(database)
    clock = Timekeeper(machine, ClockMarks(database), leases)
    stack.push_async_callback(clock.close)
    in_background(clock.tend(alarm_in(log, clock)), stack)
    volumes = {
        "public": Volume(settings.volume, database),
        "private": Volume(
            settings.data / "private" / "blobs", database, key="private", title="the private store"
        ),
    }
    for volume in volumes.values():
        stack.callback(volume.close)
        with contextlib.suppress(RegistryError):
            await volume.start()
    neighbours = Neighbours(volumes["public"], database)
    documents = Documents(volumes, database, NearCopies(settings.data / "indexes"), neighbours)
    stack.push_async_callback(documents.close)
    uses = editions if settings.workers > 1 else None
    return Storage(
        clock=clock,
        database=database,
        editions=editions,
        leases=leases,
        log=log,
        catalogue=Catalogue(database),
        attestations=Attestations(database),
        refusals=Refusals(database),
        policy_store=PolicyStore(database, editions.policy),
        advisories=Advisories(database, editions.policy),
        names=NameLists(settings.data / "names"),
        offline=OfflineSwitch(database, editions.offline),
        accounts=Accounts(database),
        volumes=volumes,
        blobs={
            origin: Blobs(volume, database, clock, log.record, uses) for origin, volume in volumes.items()
        },
        documents=documents,
        neighbours=neighbours,
    )


def _among_processes(settings: Settings, stack: AsyncExitStack) -> tuple[SharedEditions, Leases]:
    """What the processes of the appliance share. Raises ConfigurationError."""
    folder = settings.data / "processes"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        editions = stack.enter_context(closing(SharedEditions(folder / "editions")))
        if settings.workers == 1:
            return editions, NoOthers()
        return editions, stack.enter_context(closing(FileLeases(folder / "leases")))
    except OSError as error:
        raise ConfigurationError(
            [f"{folder} can't be used ({error}); correct its owner or rights."]
        ) from error


def _sweep(spool: Path) -> None:
    """Remove what an earlier process left when it was killed; whatever is used now is younger."""
    oldest = time() - SPOOLED_FOR
    for path in spool.iterdir():
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()


def keep_proof(settings: Settings, kept: Storage, stack: AsyncExitStack) -> AuditOperations:
    """The log's checkpoints: one at the start, more as it grows, one at the end."""
    audit = AuditOperations(
        checkpoints=Checkpoints(kept.database),
        keys=LogKeys(settings.data / "keys" / "log-key"),
        log=kept.log,
        clock=kept.clock,
    )
    stack.push_async_callback(audit.seal)
    in_background(in_one_process(kept.leases, "checkpoints", audit.tend), stack)
    starvation = Starvation(kept.database.backlog, alarm_in(kept.log, kept.clock))
    in_background(in_one_process(kept.leases, "starvation", starvation.tend), stack)
    return audit


async def follow(
    kept: Storage, policy: JoinedPolicy, disconnect: Sequence[Callable[[], Awaitable[None]]]
) -> None:
    """Do what no request waits for when another process decides: `disconnect` from upstreams, read lists of
    names. And let count what one decided that died before it could tell."""
    was_offline = kept.offline.on
    generation = (kept.policy_store.generation(), kept.advisories.generation)
    lists = {name: kept.names.generation(name) for name in policy.known}
    while True:
        await asyncio.sleep(FOLLOW)
        with contextlib.suppress(RegistryError):
            kept.offline.read_again()
            if kept.offline.on and not was_offline:
                await asyncio.gather(*(each() for each in disconnect))
            was_offline = kept.offline.on
            for name, before in lists.items():
                lists[name] = kept.names.generation(name)
                text = kept.names.read(name) if lists[name] != before else None
                if text is not None:
                    await policy.know_too(name, text)
            now = (kept.policy_store.generation(), kept.advisories.generation)
            if now != generation:
                await policy.follow()
                generation = now


def alarm_in(log: ProvenanceLog, clock: Clock) -> Alarm:
    """What a part calls when an operator should look: what it is, and its particulars."""

    async def alarm(what: str, detail: Mapping[str, str]) -> None:
        journal.warning("alarm: %s", what, extra=dict(detail))
        await log.record(
            Event(kind=Kind.ALARM, at=clock.now(), actor="gateway", detail={"alarm": what, **detail})
        )

    return alarm


def volume_probe(volume: Volume) -> Probe:
    """What /-/ready asks of a volume."""

    async def probe() -> str | None:
        await volume.check()
        return None

    return probe
