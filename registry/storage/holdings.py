"""Rows of the `artifact` table as values, and back."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.artifacts import Artifact, Digest, Holding, Known, Signature
from registry.model.attestations import Judgement, vouched
from registry.model.names import Project
from registry.storage.database import Row
from registry.storage.moments import micros, micros_or_none, moment_of, moment_or_none

FACTS = (
    "filename, version, url, digests, size, published, yanked, requires_python, metadata, provenance,"
    " install_script, signatures, released, undated, withdrawn, publisher, handover"
)
"""Columns that say what the source says."""

STATE = "origin, pin, first_seen, blob, blob_size, metadata_blob, gone, conflict, mismatch, side_blob"
"""Columns that say what we know for ourselves."""

COLUMNS = f"{FACTS}, {STATE}"

KNOWN = "first_seen, pin, blob IS NOT NULL, metadata_blob, blob_size, mismatch"
"""Columns of what an index needs to know."""

LOOKED = "a.verdict, a.publisher, a.reason, a.handover"
"""Columns of the attestation beside a row: what looking at who built the file came to."""

_LOOKED_AT = len(COLUMNS.split(","))


def facts_of(artifact: Artifact) -> Row:
    """The values of FACTS."""
    return (
        artifact.filename,
        artifact.version,
        artifact.url,
        " ".join(map(str, artifact.digests)),
        artifact.size,
        micros_or_none(artifact.published),
        artifact.yanked,
        artifact.requires_python,
        _text(artifact.metadata),
        artifact.provenance,
        int(artifact.install_script),
        " ".join(f"{each.keyid} {each.sig}" for each in artifact.signatures),
        micros_or_none(artifact.released),
        int(artifact.undated),
        artifact.withdrawn,
        artifact.publisher,
        artifact.handover,
    )


def row_of(holding: Holding) -> Row:
    """The values of COLUMNS."""
    return (
        *facts_of(holding.artifact),
        holding.origin,
        _text(holding.pin),
        micros(holding.first_seen),
        holding.blob,
        holding.blob_size,
        holding.metadata_blob,
        int(holding.gone),
        _text(holding.conflict),
        holding.artifact.mismatch,
        holding.side_blob,
    )


def holding_of(project: Project, row: Row) -> Holding:
    """The value of a row of COLUMNS."""
    (
        filename, version, url, digests, size, published, yanked, requires_python, metadata, provenance,
        script, signatures, released, undated, withdrawn, publisher, handover, origin, pin, first_seen, blob,
        blob_size, metadata_blob, gone, conflict, mismatch, side_blob,
    ) = row  # fmt: skip
    return Holding(
        artifact=Artifact(
            project=project,
            filename=filename,
            version=version,
            url=url,
            digests=tuple(map(Digest.parse, digests.split())),
            size=size,
            published=moment_or_none(published),
            yanked=yanked,
            requires_python=requires_python,
            metadata=_digest(metadata),
            provenance=provenance,
            install_script=bool(script),
            signatures=_signatures(signatures),
            released=moment_or_none(released),
            undated=bool(undated),
            withdrawn=withdrawn,
            publisher=publisher,
            handover=handover,
            mismatch=mismatch,
        ),
        origin=origin,
        pin=_digest(pin),
        first_seen=moment_of(first_seen),
        blob=blob,
        blob_size=blob_size,
        metadata_blob=metadata_blob,
        gone=bool(gone),
        conflict=_digest(conflict),
        side_blob=side_blob,
    )


def known_of(row: Row) -> Known:
    """The value of a row of a file name and KNOWN."""
    _, first_seen, pin, held, metadata, size, mismatch = row
    return Known(moment_of(first_seen), _digest(pin), bool(held), metadata, size, mismatch)


def looked_holding_of(project: Project, row: Row) -> Holding:
    """The value of a row of COLUMNS and LOOKED."""
    return looked(holding_of(project, row[:_LOOKED_AT]), row[_LOOKED_AT:])


def looked(holding: Holding, row: Row | None) -> Holding:
    """The holding with what LOOKED says; None, or nothing in it, where nobody has looked."""
    verdict, publisher, reason, handover = row or (None, None, None, None)
    judgement = None if verdict is None else Judgement(verdict=verdict, publisher=publisher, reason=reason)
    return msgspec.structs.replace(holding, artifact=vouched(holding.artifact, judgement, handover or ""))


def _signatures(text: str) -> tuple[Signature, ...]:
    words = text.split()
    return tuple(map(Signature, words[::2], words[1::2]))


def _text(digest: Digest | None) -> Any:
    return None if digest is None else str(digest)


def _digest(text: str | None) -> Digest | None:
    return None if text is None else Digest.parse(text)
