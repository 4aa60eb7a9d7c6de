"""What admins can ask for and change."""

from __future__ import annotations

from functools import partial

from registry.app.identity import Identity
from registry.app.line import Line
from registry.app.sources import Sources
from registry.app.storage import Storage
from registry.ecosystems import ECOSYSTEMS
from registry.pipeline.advisory_operations import AdvisoryOperations
from registry.pipeline.audit_operations import AuditOperations
from registry.pipeline.foresight import Foresight
from registry.pipeline.inforce import JoinedPolicy
from registry.pipeline.name_operations import NameOperations
from registry.pipeline.offline_operations import OfflineOperations
from registry.pipeline.operations import Operations
from registry.pipeline.petition_operations import PetitionOperations
from registry.pipeline.policy_operations import PolicyOperations
from registry.pipeline.recall_operations import RecallOperations
from registry.settings import Settings
from registry.storage.advisories import Advisories
from registry.storage.catalogue import Catalogue
from registry.storage.petitions import Petitions
from registry.web.api.desk import Desk
from registry.web.api.examination import Examination
from registry.web.health import Health


def set_desk(
    settings: Settings,
    kept: Storage,
    people: Identity,
    sources: Sources,
    policy: JoinedPolicy,
    health: Health,
    audit: AuditOperations,
    line: Line,
) -> Desk:
    """What admins can ask for and change."""

    async def policy_sound() -> str | None:
        return "; ".join(policy.problems) or None

    clock = kept.clock
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
        warming=line.warming,
        private=line.private,
        rescan=line.rescan,
        files=line.files,
        offline=OfflineOperations(
            switch=kept.offline, disconnect=[each.close for each in sources.outside], clock=clock
        ),
        audit=audit,
        clock=clock,
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
