"""Who built a file: PEP 740 attestations, checked, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

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
