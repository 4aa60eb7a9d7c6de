"""An artifact is one file of a project: a wheel, an sdist, an npm tarball.

A project may have ten thousand. None of these values can be part of a cycle, so the garbage collector doesn't
look at them (`gc=False`): it would hold the loop up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from registry.model.names import Project

STRENGTH = ("sha512", "sha384", "sha256", "sha1", "md5")
"""Digest algorithms we can compute, the strongest first."""

_RANKS = {algorithm: rank for rank, algorithm in enumerate(STRENGTH)}

STRONG = frozenset({"sha512", "sha384", "sha256"})
"""Those that bytes may be trusted by."""


class Digest(msgspec.Struct, frozen=True, order=True, gc=False):
    """A hash of bytes: algorithm as hashlib spells it, value in lower-case hex."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        """The inverse of `str()`."""
        algorithm, _, value = text.partition(":")
        return cls(algorithm, value)


def strongest(digests: Iterable[Digest]) -> Digest | None:
    """The digest that says most, or None when there is none that we can compute."""
    found, place = None, len(STRENGTH)
    for digest in digests:
        rank = _RANKS.get(digest.algorithm, place)
        if rank < place:
            found, place = digest, rank
    return found


def trusted(digests: Iterable[Digest]) -> Digest | None:
    """The strongest digest if bytes may be trusted by it, or None."""
    best = strongest(digests)
    return best if best is not None and best.algorithm in STRONG else None


def is_trusted(digests: Iterable[Digest]) -> bool:
    """Whether one of them is strong enough for bytes to be trusted by it."""
    return not STRONG.isdisjoint([digest.algorithm for digest in digests])


class Signature(msgspec.Struct, frozen=True, gc=False):
    """A registry's signature of one file, as npm has it in `dist.signatures`."""

    keyid: str
    """`SHA256:` and the base64 digest of the public key."""
    sig: str
    """DER, in base64."""


class Artifact(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a source says about one file. A claim until its bytes were verified."""

    project: Project
    filename: str
    """The last part of its URL, decoded; unique within the project."""
    version: str
    """As its ecosystem canonicalises it."""
    url: str = ""
    """Where its source offers it, absolute; empty for a private one. Never shown to a client."""
    digests: tuple[Digest, ...] = ()
    """As announced; may be weak or empty, which policy objects to."""
    size: int | None = None
    published: datetime | None = None
    """When the source says it was uploaded; None where it doesn't say."""
    released: datetime | None = None
    """When the first file of its version was uploaded, as the source tells: a file can come late."""
    withdrawn: str = ""
    """`quarantined` or `removed`, where its source did that to a file it once listed; else empty."""
    undated: bool = False
    """Whether its source tells no time for any file of the project, and this one was listed already when we
    first looked: nobody can say how old it is, and it isn't new to us."""
    mismatch: str = ""
    """What inside its verified bytes contradicts its name, as a sentence; empty where nothing was found."""
    yanked: str | None = None
    """PEP 592 reason or npm deprecation; '' means yanked without a reason, None not yanked."""
    requires_python: str | None = None
    metadata: Digest | None = None
    """Of the PEP 658 metadata file, where one is offered."""
    provenance: str = ""
    """The source's URL of its PEP 740 provenance, or empty."""
    install_script: bool = False
    """Whether an install would run code of the package (npm `hasInstallScript`, any sdist)."""
    signatures: tuple[Signature, ...] = ()
    """As its registry announces them, unchecked; ours where we are its registry."""
    publisher: str = ""
    """Who published it: as its registry tells (npm), or as a checked attestation says (PyPI); else empty."""
    handover: str = ""
    """How its publisher differs from those of the releases before it, in words that follow on name and
    version; empty where that is no news or nobody knows."""
    attestation: str = ""
    """What looking at its attestations or its registry's signature came to: a `Verdict`, `pending` where that
    is done when the file is asked for, empty where nobody looked. Kept beside the row, not in it."""
    doubt: str = ""
    """Why it isn't `verified`; kept where `attestation` is."""
    carried: bytes | msgspec.Raw = b""
    """Parts that we only pass on, as the ecosystem encodes them. Never stored in the database."""


class Holding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What we know for ourselves about an artifact: the row that the file door decides by."""

    artifact: Artifact
    origin: str
    """`public` or `private`."""
    pin: Digest | None
    """The digest of first sight, which never changes; None when nothing strong was announced."""
    first_seen: datetime
    blob: str | None = None
    """sha256 (hex) of the verified bytes where we hold them."""
    blob_size: int | None = None
    metadata_blob: str | None = None
    """sha256 (hex) of the core metadata extracted from the verified wheel."""
    side_blob: str | None = None
    """sha256 (hex) of the metadata file that its source offers beside the wheel, where we keep that."""
    gone: bool = False
    """Whether the source no longer lists it (or it was unpublished here)."""
    conflict: Digest | None = None
    """Another digest that the source announced later; the file is refused unless we hold the pinned bytes."""

    @property
    def sha256(self) -> str | None:
        """What the bytes' sha256 (hex) must be, where that was announced."""
        known = (self.pin, *self.artifact.digests)
        return next((digest.hex for digest in known if digest and digest.algorithm == "sha256"), None)

    @property
    def unpublished(self) -> bool:
        """Whether it is gone for clients: a private file that was taken back is, a public one stays as long
        as we hold its bytes."""
        return self.gone and (self.origin == "private" or self.blob is None)


class Known(msgspec.Struct, frozen=True, gc=False):
    """What a row says about a file as far as an index needs it."""

    first_seen: datetime
    pin: Digest | None = None
    held: bool = False
    metadata: str | None = None
    """sha256 of the core metadata that we extracted ourselves."""
    size: int | None = None
    """Of the verified bytes."""
    mismatch: str = ""
    """What inside the verified bytes contradicts the file's name."""
