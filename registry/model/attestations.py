"""Who built a file: attestations and registry signatures, checked, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from registry.model.artifacts import Artifact

Verdict = Literal["verified", "failed", "unchecked"]
"""verified: every attestation holds for this file and its publisher. failed: one doesn't. unchecked: there
should be some, and they couldn't be had or looked at."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What checking one file's provenance came to."""

    verdict: Verdict
    publisher: str = ""
    """Who the attestations are of: `GitHub acme/demo release.yml`; empty where none was read."""
    reason: str = ""
    """Why it isn't verified, one printable line."""


class Attested(msgspec.Struct, frozen=True, kw_only=True):
    """What we know about who built a file."""

    filename: str
    version: str
    judgement: Judgement
    checked: datetime
    provenance: str = ""
    """sha256 (hex) of the provenance document among its origin's blobs; empty where none is kept."""
    handover: str = ""
    """How the publisher differs from those verified for earlier releases, as in `Artifact.handover`."""


def vouched(artifact: Artifact, judgement: Judgement | None, handover: str = "") -> Artifact:
    """The artifact with what is known of who built it; `pending` where nobody has looked yet.

    Where neither provenance nor signature is announced there is nothing to look at.
    """
    if judgement is None:
        looks = bool(artifact.provenance or artifact.signatures)
        return msgspec.structs.replace(artifact, attestation="pending") if looks else artifact
    publisher = judgement.publisher if judgement.verdict == "verified" else ""
    return msgspec.structs.replace(
        artifact,
        attestation=judgement.verdict,
        doubt=judgement.reason,
        publisher=publisher or artifact.publisher,
        handover=handover or artifact.handover,
    )
