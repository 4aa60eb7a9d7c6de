"""Who vouches for files: attestations of Python files, signatures and keys of npm's."""

from __future__ import annotations

from contextlib import AsyncExitStack

from registry.app.identity import Identity
from registry.app.sources import Sources
from registry.app.storage import Storage, alarm_in
from registry.identity.keys import replace_secret
from registry.model.attestations import Judgement
from registry.pipeline.attesting import Attesting, UpstreamKeys
from registry.pipeline.vouching import Vouching
from registry.pipeline.workers import Workers
from registry.provenance.signatures import RegistryKey
from registry.settings import Settings
from registry.sources.attestations import judge, provenance_of


def lay_attesting(settings: Settings, kept: Storage, people: Identity, sources: Sources) -> Attesting:
    """The keys of npm's upstream, kept over restarts, and our own."""
    path = settings.data / "keys" / "npm-upstream-keys.json"
    keys = UpstreamKeys(
        sources.npm_services,
        kept.clock,
        kept=path.read_bytes() if path.exists() else None,
        keep=lambda document: replace_secret(path, document),
        alarm=alarm_in(kept.log, kept.clock),
    )
    return Attesting(sources.npm_services, keys, RegistryKey(people.signing_key))


def lay_vouching(kept: Storage, sources: Sources, attesting: Attesting, stack: AsyncExitStack) -> Vouching:
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
        catalogue=kept.catalogue,
        blobs=kept.blobs,
        log=kept.log,
        judge=checked,
        assemble=assembled,
        signature=attesting.vouch,
        clock=kept.clock,
    )
