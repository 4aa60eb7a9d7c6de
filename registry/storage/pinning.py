"""What becomes of a row when a source lists its file (again). Pure: the rule of first sight.

The strongest strong digest that a file was first announced with is its pin, for ever. A later announcement
may change facts (yanked, requires-python), never what the bytes are: one that contradicts anything known
about them is kept in `conflict`, beside the digests and the size of first sight.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from registry.errors import Conflict
from registry.model.artifacts import Artifact, Digest, Holding, strongest, trusted
from registry.model.events import Event, Kind

_replace = msgspec.structs.replace


def first_seen(artifact: Artifact, origin: str, now: datetime) -> Holding:
    """The row of a file that was never seen before."""
    return Holding(artifact=_bare(artifact), origin=origin, pin=trusted(artifact.digests), first_seen=now)


def seen_again(known: Holding, artifact: Artifact) -> Holding:
    """The row of a known file, with what its source says now. One that no longer contradicts clears the
    conflict; a file that was announced without a strong digest is pinned by the first one it gets."""
    conflict = contradiction(known, artifact)
    now = _replace(_bare(artifact), mismatch=known.artifact.mismatch)
    if conflict is not None:
        now = _replace(now, digests=known.artifact.digests, size=known.artifact.size)
    return _replace(known, artifact=now, pin=known.pin or trusted(now.digests), gone=False, conflict=conflict)


def taken_back(known: Holding, how: str) -> Holding:
    """The row of a file that its source no longer lists; `how` is `removed` or `quarantined`."""
    return _replace(known, gone=True, artifact=_replace(known.artifact, withdrawn=how))


def alarms(before: Holding, after: Holding, now: datetime) -> Iterator[Event]:
    """What the log has to tell of what a source now says: bytes taken back that others may have from us, and
    other bytes under a known name."""
    artifact = after.artifact
    what = _withdrawal(before, after)
    if what is not None:
        yield Event.about(
            artifact,
            Kind.ALARM,
            now,
            detail={"alarm": "withdrawn", "how": what, "reason": artifact.yanked, "url": artifact.url},
            actor="upstream",
            sha256=after.blob,
        )
    if after.conflict is not None and after.conflict != before.conflict:
        yield Event.about(
            artifact,
            Kind.ALARM,
            now,
            detail={
                "alarm": "changed-digest",
                "reason": "The source announces other bytes under a name seen before; they are not let in.",
                "pinned": str(after.pin) if after.pin else None,
                "announced": str(after.conflict),
                "first_seen": after.first_seen.isoformat(),
                "url": artifact.url,
            },
            actor="upstream",
        )


def _withdrawal(before: Holding, after: Holding) -> str | None:
    """What its source has just done to a public file that we hold: `quarantined`, `removed` or `yanked`."""
    if after.blob is None or after.origin != "public":
        return None
    was, now = before.artifact, after.artifact
    if now.withdrawn and now.withdrawn != was.withdrawn:
        return now.withdrawn
    return "yanked" if now.yanked is not None and was.yanked is None else None


def held(known: Holding, blob: str, size: int, metadata_blob: str | None = None) -> Holding:
    """The row once we hold its verified bytes, which pin it if nothing did before."""
    row = _replace(known, blob=blob, blob_size=size, pin=known.pin or Digest("sha256", blob))
    return with_metadata(row, metadata_blob) if metadata_blob else row


def with_metadata(known: Holding, blob: str) -> Holding:
    """The row with metadata out of the verified file, which makes a file beside it needless."""
    return _replace(known, metadata_blob=blob, side_blob=None)


def mismatched(known: Holding, mismatch: str) -> Holding:
    """The row with what in its bytes contradicts its name."""
    return _replace(known, artifact=_replace(known.artifact, mismatch=mismatch))


def contradiction(known: Holding, artifact: Artifact) -> Digest | None:
    """The strongest announced digest that the known bytes can't have, or None."""
    facts = {digest.algorithm: digest for digest in known.artifact.digests}
    if known.blob is not None:
        facts["sha256"] = Digest("sha256", known.blob)
    if known.pin is not None:
        facts[known.pin.algorithm] = known.pin
    return strongest(
        digest
        for digest in artifact.digests
        if digest.algorithm in facts and facts[digest.algorithm].hex != digest.hex
    )


def require_same(known: Holding, artifact: Artifact) -> None:
    """Raises Conflict unless the artifact is the known one, and that wasn't unpublished."""
    name = artifact.filename
    if known.origin == "private" and known.gone:
        raise Conflict(f"{name} was unpublished, and its name is never used again; publish a new version.")
    shared = known.pin is not None and known.pin in artifact.digests
    if not shared or contradiction(known, artifact) is not None:
        raise Conflict(
            f"{name} exists already with other bytes, and what exists never changes; publish a new version."
        )


def _bare(artifact: Artifact) -> Artifact:
    return _replace(artifact, carried=b"") if artifact.carried else artifact
