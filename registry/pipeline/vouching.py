"""Who built a file: PEP 740 provenance and npm's registry signatures, fetched, checked, recorded and served.

Nothing here lets a file in or keeps it out: what came of it is in a table for policy, API and command, in the
ingest event, and in an alarm where somebody else than before published a release, or an attestation doesn't
hold. A file is looked at while it comes in; where policy must know before, when it is asked for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Protocol

import msgspec

from registry.errors import IntegrityFailed, NotFound, RegistryError
from registry.model.artifacts import Artifact, Holding
from registry.model.attestations import Attested, Judgement, vouched
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.model.ports import Attestations, Blobs, Catalogue, Clock, ProvenanceLog
from registry.model.publications import Publication
from registry.pipeline.handovers import phrase
from registry.pipeline.singleflight import Flights

ATTESTED, SIGNED = "pypi", "npm"
"""The ecosystem whose files have provenance that is checked, and the one whose registry signs them."""
UNCHECKED = {"attestation": "unchecked", "reason": "npm's attestations are passed on as they are"}
"""What the ingest event says of a file whose index offers some."""
PATIENCE = 15.0
"""Seconds that a file on its way in waits for its provenance; it is being fetched meanwhile."""
AGAIN = timedelta(minutes=1)
"""After how long what couldn't be checked is looked at again."""

journal = logging.getLogger("registry.vouching")

Judge = Callable[[bytes, str, str], Awaitable[Judgement]]
"""(provenance document, file name, sha256) → what checking it came to."""
Assemble = Callable[[bytes, str, str], Awaitable[tuple[bytes, Judgement]]]
"""(uploaded attestations, file name, sha256) → their provenance document, checked. Raises Malformed."""

Signature = Callable[[Holding], Awaitable[str]]
"""What a file's registry signature is worth, a `signatures.Verdict`. Raises IntegrityFailed for a bad one."""


class Provenances(Protocol):
    """Where the provenance of public files comes from."""

    async def provenance(self, artifact: Artifact) -> bytes | None:
        """The document at `artifact.provenance`; None when there is none. Raises what sources raise."""


class Vouching:
    """Provenance of public and private Python files."""

    def __init__(
        self,
        *,
        source: Provenances,
        attestations: Attestations,
        catalogue: Catalogue,
        blobs: Mapping[str, Blobs],
        log: ProvenanceLog,
        judge: Judge,
        assemble: Assemble,
        signature: Signature,
        clock: Clock,
    ) -> None:
        """`blobs` maps an origin (`public`, `private`) to where its documents are kept."""
        self._source = source
        self._attestations = attestations
        self._catalogue = catalogue
        self._signature = signature
        self._looks: Flights[tuple[Project, str], Attested] = Flights()
        self._blobs = blobs
        self._log = log
        self._judge = judge
        self._assemble = assemble
        self._clock = clock

    async def looked(self, holding: Holding) -> Holding:
        """A public file after somebody has looked at who built it, because policy wants to know. What can't
        be had is `unchecked`, never left open."""
        artifact = holding.artifact
        if holding.origin != "public" or not _vouchable(artifact):
            return holding
        found = await self._attestations.of(artifact.project, artifact.filename)
        if found is None or self._is_due(found):
            found = await self._look(holding)
        return msgspec.structs.replace(holding, artifact=vouched(artifact, found.judgement, found.handover))

    async def vouch(self, holding: Holding) -> Mapping[str, str]:
        """What the ingest event says of who built a public file; empty where its index offers no provenance.

        Whatever goes wrong is part of the answer: the file is checked by its digest in any case. Raises
        IntegrityFailed for a registry signature that doesn't fit.
        """
        artifact = holding.artifact
        if holding.origin != "public":
            return {}
        if artifact.project.ecosystem == SIGNED:
            signature = {"signature": await self._signature(holding)}
            return signature | (UNCHECKED if artifact.provenance else {})
        if not _vouchable(artifact):
            await self._note_absence(holding)
            return {}
        attested = await self._attestations.of(artifact.project, artifact.filename)
        if attested is None or attested.judgement.verdict == "unchecked":
            attested = await self._look(holding)
        judgement = attested.judgement
        told = {
            "attestation": judgement.verdict,
            "publisher": judgement.publisher,
            "reason": judgement.reason,
        }
        return {name: value for name, value in told.items() if value}

    async def accept(self, publication: Publication) -> None:
        """Check the attestations that came with an upload, and keep them. Raises Malformed."""
        artifact = publication.artifact
        if not publication.attestations:
            return
        sha256 = next(digest.hex for digest in artifact.digests if digest.algorithm == "sha256")
        document, judgement = await self._assemble(publication.attestations, artifact.filename, sha256)
        attested = Attested(
            filename=artifact.filename,
            version=artifact.version,
            judgement=judgement,
            checked=self._clock.now(),
            provenance=await self._blobs["private"].put(document),
        )
        await self._attestations.attest(artifact.project, attested)

    async def provenance(self, holding: Holding) -> bytes:
        """The provenance document of a file: the kept one, else the source's.

        Raises NotFound and what sources raise.
        """
        artifact = holding.artifact
        attested = (await self._attestations.attested(artifact.project)).get(artifact.filename)
        if attested is not None and attested.provenance:
            kept = await self._blobs[holding.origin].read(attested.provenance)
            if kept is not None:
                return kept
        document = None
        if holding.origin == "public" and artifact.provenance:
            document = await self._source.provenance(artifact)
        if document is None:
            raise NotFound(f"There is no provenance of '{artifact.filename}'.")
        return document

    def _is_due(self, attested: Attested) -> bool:
        return attested.judgement.verdict == "unchecked" and self._clock.now() - attested.checked >= AGAIN

    async def _look(self, holding: Holding) -> Attested:
        key = (holding.artifact.project, holding.artifact.filename)
        return await self._looks.join(key, lambda: self._judged(holding))

    async def _judged(self, holding: Holding) -> Attested:
        """Look, remember, and tell of what is wrong."""
        artifact = holding.artifact
        if artifact.project.ecosystem == SIGNED:
            attested = self._found(artifact, await self._signed(holding))
        else:
            attested = await self._checked(holding)
            if attested.judgement.verdict == "failed":
                await self._alarm(artifact, "attestation_failed", {"reason": attested.judgement.reason})
            elif attested.judgement.verdict == "verified":
                attested = await self._compared(holding, attested)
        await self._attestations.attest(artifact.project, attested)
        return attested

    async def _signed(self, holding: Holding) -> Judgement:
        try:
            verdict = await self._signature(holding)
        except IntegrityFailed as error:
            return Judgement(verdict="failed", reason=str(error))
        if verdict == "verified":
            return Judgement(verdict="verified")
        if verdict == "unknown":
            return Judgement(verdict="unchecked", reason="its registry tells no keys to check signatures by")
        return Judgement(verdict="failed", reason=f"its registry signature is: {verdict}")

    async def _checked(self, holding: Holding) -> Attested:
        artifact, sha256, kept = holding.artifact, holding.sha256, ""
        try:
            async with asyncio.timeout(PATIENCE):
                document = await self._source.provenance(artifact)
                if document is None or sha256 is None:
                    missing = "the index announces one that isn't there" if sha256 else "it has no sha256"
                    judgement = Judgement(verdict="unchecked", reason=missing)
                else:
                    judgement = await self._judge(document, artifact.filename, sha256)
                    kept = await self._blobs["public"].put(document)
        except TimeoutError:
            judgement = Judgement(verdict="unchecked", reason="it took too long to get and check it")
        except RegistryError as error:
            judgement = Judgement(verdict="unchecked", reason=str(error))
        return self._found(artifact, judgement, kept)

    def _found(self, artifact: Artifact, judgement: Judgement, kept: str = "") -> Attested:
        return Attested(
            filename=artifact.filename,
            version=artifact.version,
            judgement=judgement,
            checked=self._clock.now(),
            provenance=kept,
        )

    async def _compared(self, holding: Holding, attested: Attested) -> Attested:
        """With what differs from the publishers verified for earlier releases; the one before it is looked at
        where none is known, so that the first file which is asked for isn't believed blindly."""
        artifact = holding.artifact
        earlier = await self._earlier(artifact)
        before = await self._attestations.attested(artifact.project)
        publishers = _publishers(before, earlier)
        if not publishers and (previous := _newest(earlier)) is not None:
            looked = before.get(previous.artifact.filename) or await self._checked(previous)
            await self._attestations.attest(artifact.project, looked)
            publishers = _publishers({looked.filename: looked}, earlier)
        publisher = attested.judgement.publisher
        if not publishers or publisher in publishers:
            return attested
        await self._alarm(
            artifact, "publisher_changed", {"before": "; ".join(publishers), "after": publisher}
        )
        return msgspec.structs.replace(attested, handover=phrase(publisher, publishers))

    async def _earlier(self, artifact: Artifact) -> tuple[Holding, ...]:
        """Files of releases before this one; of all others where nobody tells their times."""
        rows = await self._catalogue.holdings(artifact.project)
        return tuple(
            row
            for row in rows
            if row.artifact.version != artifact.version
            and row.origin == "public"
            and _is_before(row.artifact, artifact)
        )

    async def _note_absence(self, holding: Holding) -> None:
        """A release that nobody attests, of a project that had others verified before."""
        artifact = holding.artifact
        before = await self._attestations.attested(artifact.project)
        if not before:
            return
        known = _publishers(before, await self._earlier(artifact))
        if known:
            await self._alarm(artifact, "publisher_changed", {"before": "; ".join(known), "after": ""})

    async def _alarm(self, artifact: Artifact, what: str, detail: Mapping[str, str]) -> None:
        journal.warning("alarm: %s", what, extra={"file": artifact.filename, **detail})
        detail = {"alarm": what, **detail}
        await self._log.record(Event.about(artifact, Kind.ALARM, self._clock.now(), detail=detail))


def _vouchable(artifact: Artifact) -> bool:
    """Whether there is something to look at: a provenance, or a registry that signs what it has."""
    ecosystem = artifact.project.ecosystem
    return ecosystem == SIGNED or (ecosystem == ATTESTED and bool(artifact.provenance))


def _publishers(before: Mapping[str, Attested], earlier: Iterable[Holding]) -> tuple[str, ...]:
    """Who was verified to have published these files."""
    names = {row.artifact.filename for row in earlier}
    found = {
        each.judgement.publisher
        for each in before.values()
        if each.judgement.verdict == "verified" and each.filename in names
    }
    return tuple(sorted(found))


def _newest(earlier: Iterable[Holding]) -> Holding | None:
    """The file of the newest release that announces a provenance."""
    attested = [row for row in earlier if row.artifact.provenance]
    return max(attested, key=lambda row: row.artifact.published or row.first_seen, default=None)


def _is_before(one: Artifact, other: Artifact) -> bool:
    return one.published is None or other.published is None or one.published < other.published
