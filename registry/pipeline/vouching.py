"""Who built a Python file: its PEP 740 provenance, fetched beside it, checked, recorded, kept and served.

Nothing here lets a file in or keeps it out: what came of it is in the ingest event, in a table for API and
command, and in an alarm where somebody else than before published a release, or an attestation doesn't hold.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from registry.errors import NotFound, RegistryError
from registry.model.artifacts import Artifact, Holding
from registry.model.attestations import Attested, Judgement
from registry.model.events import Event, Kind
from registry.model.ports import Attestations, Blobs, Clock, ProvenanceLog
from registry.model.publications import Publication

ECOSYSTEM = "pypi"
PATIENCE = 15.0
"""Seconds that a file on its way in waits for its provenance; it is being fetched meanwhile."""

journal = logging.getLogger("registry.vouching")

Judge = Callable[[bytes, str, str], Awaitable[Judgement]]
"""(provenance document, file name, sha256) → what checking it came to."""
Assemble = Callable[[bytes, str, str], Awaitable[tuple[bytes, Judgement]]]
"""(uploaded attestations, file name, sha256) → their provenance document, checked. Raises Malformed."""


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
        blobs: Mapping[str, Blobs],
        log: ProvenanceLog,
        judge: Judge,
        assemble: Assemble,
        clock: Clock,
    ) -> None:
        """`blobs` maps an origin (`public`, `private`) to where its documents are kept."""
        self._source = source
        self._attestations = attestations
        self._blobs = blobs
        self._log = log
        self._judge = judge
        self._assemble = assemble
        self._clock = clock

    async def vouch(self, holding: Holding) -> Mapping[str, str]:
        """What the ingest event says of who built a public file; empty where its index offers no provenance.

        Whatever goes wrong is part of the answer: the file is checked by its digest in any case.
        """
        artifact = holding.artifact
        sha256 = _sha256(holding)
        if artifact.project.ecosystem != ECOSYSTEM or holding.origin != "public" or sha256 is None:
            return {}
        before = await self._attestations.attested(artifact.project)
        if not artifact.provenance:
            await self._note_absence(artifact, before)
            return {}
        attested = await self._checked(artifact, sha256)
        await self._attestations.attest(artifact.project, attested)
        await self._note_change(artifact, attested.judgement, before)
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

    async def _checked(self, artifact: Artifact, sha256: str) -> Attested:
        kept = ""
        try:
            async with asyncio.timeout(PATIENCE):
                document = await self._source.provenance(artifact)
                if document is None:
                    judgement = Judgement(
                        verdict="unchecked", reason="the index announces one that isn't there"
                    )
                else:
                    judgement = await self._judge(document, artifact.filename, sha256)
                    kept = await self._blobs["public"].put(document)
        except TimeoutError:
            judgement = Judgement(verdict="unchecked", reason="it took too long to get and check it")
        except RegistryError as error:
            judgement = Judgement(verdict="unchecked", reason=str(error))
        return Attested(
            filename=artifact.filename,
            version=artifact.version,
            judgement=judgement,
            checked=self._clock.now(),
            provenance=kept,
        )

    async def _note_change(
        self, artifact: Artifact, judgement: Judgement, before: Mapping[str, Attested]
    ) -> None:
        if judgement.verdict == "failed":
            await self._alarm(artifact, "attestation_failed", {"reason": judgement.reason})
        known = _publishers(before, artifact)
        if judgement.verdict == "verified" and known and judgement.publisher not in known:
            change = {"before": "; ".join(known), "after": judgement.publisher}
            await self._alarm(artifact, "publisher_changed", change)

    async def _note_absence(self, artifact: Artifact, before: Mapping[str, Attested]) -> None:
        """A release that nobody attests, of a project whose last one was attested."""
        known = _publishers(before, artifact)
        latest = max((each.checked for each in before.values()), default=None)
        newer = artifact.published is not None and latest is not None and artifact.published > latest
        if known and newer:
            await self._alarm(artifact, "publisher_changed", {"before": "; ".join(known), "after": ""})

    async def _alarm(self, artifact: Artifact, what: str, detail: Mapping[str, str]) -> None:
        journal.warning("alarm: %s", what, extra={"file": artifact.filename, **detail})
        await self._log.record(
            Event(
                kind=Kind.ALARM,
                at=self._clock.now(),
                actor="gateway",
                project=artifact.project,
                version=artifact.version,
                filename=artifact.filename,
                detail={"alarm": what, **detail},
            )
        )


def _publishers(before: Mapping[str, Attested], artifact: Artifact) -> tuple[str, ...]:
    """Who was verified to have published the project's other releases."""
    found = {
        each.judgement.publisher
        for each in before.values()
        if each.judgement.verdict == "verified" and each.version != artifact.version
    }
    return tuple(sorted(found))


def _sha256(holding: Holding) -> str | None:
    known = (holding.pin, *holding.artifact.digests)
    return next((digest.hex for digest in known if digest and digest.algorithm == "sha256"), None)
