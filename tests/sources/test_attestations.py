"""PEP 740 attestations of real files are checked offline; whatever was touched doesn't hold."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from registry.errors import Malformed
from registry.sources.attestations import judge, provenance_of

HERE = Path(__file__).parent / "attested"
GOOGLE = "gcb_attestation_test-0.0.0.tar.gz"
GITLAB = "gitlab_oidc_project-0.0.3.tar.gz"
GITHUB = "pypi_attestations-0.0.19.tar.gz"
DIGESTS = {
    GOOGLE: hashlib.sha256((HERE / GOOGLE).read_bytes()).hexdigest(),
    GITLAB: hashlib.sha256((HERE / GITLAB).read_bytes()).hexdigest(),
    GITHUB: "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3",
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def provenance(filename: str) -> Any:
    return json.loads((HERE / f"{filename}.provenance").read_text())


def uploaded(filename: str) -> bytes:
    return b"[" + (HERE / f"{filename}.publish.attestation").read_bytes() + b"]"


@pytest.mark.parametrize(
    ("filename", "publisher"),
    [
        (GOOGLE, "Google 919436158236-compute@developer.gserviceaccount.com"),
        (GITHUB, "GitHub trailofbits/pypi-attestations release.yml"),
    ],
)
def test_p10_what_a_publisher_signed_is_verified_without_a_network(filename: str, publisher: str) -> None:
    judged = judge((HERE / f"{filename}.provenance").read_bytes(), filename, DIGESTS[filename])
    assert (judged.verdict, judged.publisher, judged.reason) == ("verified", publisher, "")


def test_p10_verifying_leaves_nothing_in_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    judge((HERE / f"{GITHUB}.provenance").read_bytes(), GITHUB, DIGESTS[GITHUB])
    assert list(tmp_path.iterdir()) == []
    assert "XDG_DATA_HOME" not in os.environ
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "cache")


def flipped(text: str) -> str:
    """Base64 with one letter in the middle changed."""
    at = len(text) // 2
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def change(filename: str, *path: Any, to: Any) -> bytes:
    """A provenance document with one value changed, or put through a function."""
    document = provenance(filename)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to(place[path[-1]]) if callable(to) else to
    return json.dumps(document).encode()


BUNDLE = ("attestation_bundles", 0)
FIRST = (*BUNDLE, "attestations", 0)
MUTANTS = {
    "U32 flipped bit in the signature": change(GITHUB, *FIRST, "envelope", "signature", to=flipped),
    "U32 flipped bit in the statement": change(GITHUB, *FIRST, "envelope", "statement", to=flipped),
    "U32 flipped bit in the certificate": change(
        GITHUB, *FIRST, "verification_material", "certificate", to=flipped
    ),
    "U32 another repository": change(GITHUB, *BUNDLE, "publisher", "repository", to="evil/pypi-attestations"),
    "U32 another workflow": change(GITHUB, *BUNDLE, "publisher", "workflow", to="other.yml"),
    "U32 another kind of publisher": change(
        GITHUB, *BUNDLE, "publisher", to={"kind": "Google", "email": "a@b.example"}
    ),
    "the log entry of another": change(
        GITHUB,
        *FIRST,
        "verification_material",
        to=provenance(GOOGLE)["attestation_bundles"][0]["attestations"][0]["verification_material"],
    ),
    "an attestation version of tomorrow": change(GITHUB, *FIRST, "version", to=2),
    "no attestations": change(GITHUB, *BUNDLE, "attestations", to=[]),
    "no bundles": change(GITHUB, "attestation_bundles", to=[]),
    "U32 nothing logged": change(GITHUB, *FIRST, "verification_material", "transparency_entries", to=[]),
    "more than anybody needs": change(GITHUB, *BUNDLE, "attestations", to=lambda found: found * 51),
    "no JSON": b"{",
    "something else": b'"verified"',
}


@pytest.mark.parametrize("document", MUTANTS.values(), ids=MUTANTS)
def test_u32_whatever_was_touched_is_not_verified(document: bytes) -> None:
    judged = judge(document, GITHUB, DIGESTS[GITHUB])
    assert judged.verdict == "failed"
    assert judged.reason.isprintable()


@pytest.mark.parametrize(
    ("filename", "sha256"),
    [
        (GITHUB, "0" * 64),
        (GITHUB.replace("19", "20"), DIGESTS[GITHUB]),
        (GOOGLE, DIGESTS[GOOGLE]),
        ("x", "y"),
    ],
    ids=["U32 other bytes", "another name", "U32 another file", "no file name"],
)
def test_u32_an_attestation_of_another_file_is_not_verified(filename: str, sha256: str) -> None:
    judged = judge((HERE / f"{GITHUB}.provenance").read_bytes(), filename, sha256)
    assert judged.verdict == "failed"


@pytest.mark.parametrize(
    ("filename", "publisher"),
    [
        (GITLAB, "GitLab facutuesca/gitlab-oidc-project .gitlab-ci.yml"),
        (GITHUB, "GitHub trailofbits/pypi-attestations release.yml"),
    ],
)
def test_p14_uploaded_attestations_become_provenance_that_names_the_signer(
    filename: str, publisher: str
) -> None:
    if filename == GITHUB:
        sent = json.dumps(provenance(filename)["attestation_bundles"][0]["attestations"]).encode()
    else:
        sent = uploaded(filename)
    document, judged = provenance_of(sent, filename, DIGESTS[filename])
    assert (judged.verdict, judged.publisher) == ("verified", publisher)
    assert judge(document, filename, DIGESTS[filename]) == judged


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (uploaded(GITLAB).replace(b'"version":1', b'"version":7'), "can't be read"),
        (b"{}", "can't be read"),
        (b"no", "can't be read"),
        (b"[]", "0 attestations"),
        (uploaded("rfc8785-0.1.2-py3-none-any.whl"), "GitHub or GitLab"),
        (
            json.dumps([provenance(GOOGLE)["attestation_bundles"][0]["attestations"][0]]).encode(),
            "GitHub or GitLab",
        ),
    ],
    ids=["version", "no list", "no JSON", "empty", "signed by a person", "signed by a service account"],
)
def test_p14_attestations_that_say_nothing_we_can_check_are_refused(sent: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        provenance_of(sent, GITLAB, DIGESTS[GITLAB])


def test_p14_attestations_of_other_bytes_are_refused() -> None:
    with pytest.raises(Malformed, match="digest"):
        provenance_of(uploaded(GITLAB), GITLAB, "0" * 64)
