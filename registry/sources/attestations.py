"""PEP 740 provenance, checked with `pypi-attestations` and without a network.

The roots of trust are those that come with the locked sigstore. Importing both takes half a second and 60 MB,
so this is run in a worker process, and nothing is imported before.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from registry.errors import Malformed
from registry.model.attestations import Judgement

MOST = 50
"""Attestations that one file may have; each takes some milliseconds to check."""
SHOWN = 300
"""Characters of a reason."""

GITHUB, GITLAB = "https://token.actions.githubusercontent.com", "https://gitlab.com"
_ISSUER, _REPOSITORY, _CONFIG = (f"1.3.6.1.4.1.57264.1.{number}" for number in (8, 12, 18))
"""What a Fulcio certificate says: who vouches for the identity, its repository, the file that ran."""


def judge(provenance: bytes, filename: str, sha256: str) -> Judgement:
    """Check a provenance document.

    Every attestation must be signed by the publisher that it names, logged while the certificate was valid,
    and be about this file and these bytes.
    """
    from pydantic import ValidationError  # noqa: PLC0415
    from pypi_attestations import AttestationError, Distribution, Provenance  # noqa: PLC0415

    try:
        document = Provenance.model_validate_json(provenance)
        file = Distribution(name=filename, digest=sha256)
    except ValidationError as error:
        return Judgement(verdict="failed", reason=_line(f"it isn't PEP 740's: {error.errors()[0]['msg']}"))
    bundles = document.attestation_bundles
    publishers = [_publisher(bundle.publisher.model_dump()) for bundle in bundles]
    said = ", ".join(dict.fromkeys(publishers))
    pairs = [(bundle.publisher, each) for bundle in bundles for each in bundle.attestations]
    if not 0 < len(pairs) <= MOST:
        return Judgement(verdict="failed", publisher=said, reason=f"it has {len(pairs)} attestations")
    try:
        with _own_trust():
            for publisher, attestation in pairs:
                attestation.verify(publisher, file, offline=True)
    except (AttestationError, ValueError) as error:
        return Judgement(verdict="failed", publisher=said, reason=_line(str(error)))
    return Judgement(verdict="verified", publisher=said)


def provenance_of(attestations: bytes, filename: str, sha256: str) -> tuple[bytes, Judgement]:
    """Attestations as they are uploaded (a JSON array) → the provenance document that we serve, checked.

    The publisher is whom the certificate names: GitHub or GitLab. Raises Malformed for whatever isn't a valid
    attestation of this file by one of them.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415
    from pypi_attestations import Attestation, AttestationBundle, Provenance  # noqa: PLC0415

    try:
        found = TypeAdapter(list[Attestation]).validate_json(attestations)
        publishers = [_named_by(each.certificate_claims) for each in found]
        bundles = [
            AttestationBundle.model_validate({"publisher": publisher, "attestations": [each]})
            for publisher, each in zip(publishers, found, strict=True)
        ]
    except (ValidationError, ValueError) as error:
        raise Malformed(f"The attestations can't be read as those of PEP 740: {_line(str(error))}.") from None
    document = Provenance(attestation_bundles=bundles).model_dump_json().encode()
    judgement = judge(document, filename, sha256)
    if judgement.verdict != "verified":
        raise Malformed(f"The attestations don't hold for this file: {judgement.reason}")
    return document, judgement


def _named_by(claims: Mapping[str, str]) -> dict[str, Any]:
    """The publisher that a certificate's claims name. Raises ValueError."""
    issuer, repository, config = (claims.get(oid, "") for oid in (_ISSUER, _REPOSITORY, _CONFIG))
    path = config.removeprefix(repository).rpartition("@")[0]
    if issuer == GITHUB and repository.startswith("https://github.com/"):
        slug = repository.removeprefix("https://github.com/")
        return {"kind": "GitHub", "repository": slug, "workflow": path.rpartition("/")[2]}
    if issuer == GITLAB and repository.startswith(f"{GITLAB}/"):
        slug = repository.removeprefix(f"{GITLAB}/")
        return {"kind": "GitLab", "repository": slug, "workflow_filepath": path.removeprefix("//")}
    raise ValueError(f"signed by {issuer or 'somebody'} and not by a workflow of GitHub or GitLab")


def _publisher(fields: Mapping[str, Any]) -> str:
    """A publisher in words, the same for the same one; the environment isn't in the certificate."""
    parts = (str(fields[name]) for name in fields if name != "environment" and fields[name])
    return _line(" ".join(parts))


@contextmanager
def _own_trust() -> Iterator[None]:
    """Sigstore keeps roots of trust in the home directory, and prefers what lies there to what it ships. It
    gets an empty one of its own, which also works where there is no home to write to."""
    names = ("XDG_DATA_HOME", "XDG_CACHE_HOME")
    before = {name: os.environ.get(name) for name in names}
    logging.getLogger("sigstore").setLevel(logging.ERROR)  # that it is offline is no news
    with tempfile.TemporaryDirectory(prefix="trust-") as home:
        os.environ.update(dict.fromkeys(names, home))
        try:
            yield
        finally:
            _restore(before.items())


def _restore(variables: Iterable[tuple[str, str | None]]) -> None:
    for name, value in variables:
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:SHOWN]
