"""A source's document → the canonical index: the simple API in JSON (PEP 691) or HTML (PEP 503).

Nothing of a source's document reaches a client but through here. Every entry is taken apart and checked; one
that is forged or broken is dropped with a sentence, a document that can't be read at all is SourceFailed.
Files that no installer takes any more (eggs, versions from before PEP 440) are passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

from registry.ecosystems.pypi.entries import HEX_LENGTHS, Entry, ProjectStatus, read_entries, unusable
from registry.ecosystems.pypi.names import (
    ARTIFACT_SUFFIXES,
    Outdated,
    in_order,
    parse_filename,
    parse_name,
    parse_version,
    shown,
)
from registry.ecosystems.pypi.refusal import is_tombstone
from registry.errors import Malformed
from registry.model.artifacts import STRENGTH, Artifact, Digest
from registry.model.indexes import Document, Index, Status
from registry.model.names import Project

SOURCE_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
"""JSON where the source has it: HTML is frozen and says less (PEP 833)."""

MAX_DROPPED = 100
"""Sentences about dropped entries that are kept; one more says how many there were."""

MAX_REASON = 500
"""Characters of a reason (of a yank, of a status) that are passed on."""

STATUSES = frozenset({"active", "archived", "quarantined", "deprecated"})
"""PEP 792. Any other is treated as active."""

FIRST_UPLOADS = datetime(1995, 1, 1, tzinfo=UTC)
"""Nothing was uploaded before: an older time is a broken one."""

CLOCK_SKEW = timedelta(minutes=10)
"""How far a source's clock may run ahead of ours before its times count as made up."""

_PRINTED = re.compile(r"[!-\[\]-~]*")
"""ASCII letters, digits and signs, but no space and no backslash."""
_PLAIN = re.compile(r"[A-Za-z0-9._+!%/-]*")
"""URLs without a scheme, query or fragment, which mean the same wherever they stand."""
_SCHEMES = ("https://", "http://")


def read_index(project: Project, document: Document) -> Index:
    """A source's document → the canonical index. Raises SourceFailed when it can't be read as one.

    Times later than `document.checked` are treated as unknown. Metadata digests are what the source
    announces; they say nothing about what we hold.
    """
    dropped: list[str] = []
    detail, entries, base = read_entries(project, document, dropped)
    if detail.meta.api_version.partition(".")[0] != "1":
        raise unusable(project, f"it is of version {shown(detail.meta.api_version)}, and we read 1")
    if detail.name is not None and not _is_name_of(project, detail.name):
        raise unusable(project, f"it is about {shown(detail.name)}")
    artifacts = _checked(project, entries, base, document.checked + CLOCK_SKEW, dropped)
    return Index(
        project=project,
        artifacts=artifacts,
        status=_status(detail.project_status),
        versions=_further_versions(detail.versions, artifacts),
        dropped=_bounded(dropped),
    )


def _checked(
    project: Project, entries: Iterable[Entry], base: str, latest: datetime, dropped: list[str]
) -> tuple[Artifact, ...]:
    found: dict[str, Artifact] = {}
    contradicted: set[str] = set()
    for entry in entries:
        if not entry.filename.endswith(ARTIFACT_SUFFIXES):
            continue
        try:
            artifact = _artifact(project, entry, base, latest)
        except Outdated:
            continue
        except Malformed as error:
            dropped.append(str(error))
            continue
        first = found.setdefault(artifact.filename, artifact)
        if first is not artifact and first.digests != artifact.digests:
            contradicted.add(artifact.filename)
    for filename in sorted(contradicted):
        del found[filename]
        dropped.append(f"{shown(filename)} is listed twice, with different digests.")
    return tuple(found.values())


def _artifact(project: Project, entry: Entry, base: str, latest: datetime) -> Artifact:
    name = parse_filename(project, entry.filename)
    if is_tombstone(entry.filename):
        raise Malformed(f"{shown(entry.filename)} looks like one of our own refusals.")
    if entry.size is not None and not 0 <= entry.size < 2**53:
        raise Malformed(f"{shown(entry.filename)} has an impossible size.")
    return Artifact(
        project=project,
        filename=entry.filename,
        version=name.version,
        url=_absolute(entry.filename, entry.url, base),
        digests=_digests(entry.filename, entry.hashes),
        size=entry.size,
        published=_time(entry.upload_time, latest),
        yanked=_yanked(entry.yanked),
        requires_python=_line(entry.requires_python) or None,
        metadata=_metadata(entry) if name.kind == "wheel" else None,
        provenance=_secure(entry.provenance, base),
        install_script=name.kind == "sdist",
    )


def _absolute(filename: str, url: str, base: str) -> str:
    # The files of a project lie in few places, unless their addresses are whole, which takes no joining.
    lies_in = url.endswith(filename) and not url.startswith(_SCHEMES)
    found = _place(base, url[: -len(filename)]) if lies_in else None
    address, fault = (found[0] + filename, found[1]) if found else _address(base, url)
    if fault:
        raise Malformed(f"{shown(filename)} is offered at an address {fault}.")
    return address


@lru_cache(maxsize=256)
def _place(base: str, place: str) -> tuple[str, str] | None:
    """The same of all that lies in one place, which ends with a slash; None where what follows may change
    its meaning."""
    return _address(base, place) if place.endswith("/") and _PLAIN.fullmatch(place) else None


def _address(base: str, url: str) -> tuple[str, str]:
    """What a link leads to, without its fragment, and what is wrong with that, empty for nothing."""
    if not _PRINTED.fullmatch(url):
        return "", "that isn't a URL"
    try:
        whole = (url if url.startswith(_SCHEMES) else urljoin(base, url)).partition("#")[0]
        end = whole.find("/", len("https://"))
        scheme, host, has_login = _origin(whole if end < 0 else whole[:end])
    except ValueError:
        return "", "that isn't a URL"
    if scheme not in {"http", "https"} or not host:
        return "", "that isn't on http or https"
    return whole, "with credentials in it" if has_login else ""


@lru_cache(maxsize=256)
def _origin(url: str) -> tuple[str, str | None, bool]:
    """Scheme, host, and whether there are credentials. Raises ValueError for what can't be a URL."""
    parts = urlsplit(url)
    _ = parts.port  # raises for an impossible one
    return parts.scheme, parts.hostname, "@" in parts.netloc


def _digests(filename: str, hashes: Mapping[str, str]) -> tuple[Digest, ...]:
    """The digests that we can compute, the strongest first."""
    found = []
    for algorithm in STRENGTH if len(hashes) > 1 else hashes:
        value = hashes.get(algorithm)
        if value is None or algorithm not in HEX_LENGTHS:
            continue
        digest = _digest(algorithm, value)
        if digest is None:
            raise Malformed(f"{shown(filename)} is announced with a {algorithm} that isn't one.")
        found.append(digest)
    return tuple(found)


def _digest(algorithm: str, text: str) -> Digest | None:
    """A digest out of its hex, of either case; None for what isn't one."""
    if len(text) != HEX_LENGTHS[algorithm]:
        return None
    try:
        value = bytes.fromhex(text).hex()
    except ValueError:
        return None
    return Digest(algorithm, value) if len(value) == len(text) else None  # without spaces, that is


def _metadata(entry: Entry) -> Digest | None:
    for claim in (entry.core_metadata, entry.dist_info_metadata, entry.data_dist_info_metadata):
        if isinstance(claim, dict) and (found := _digest("sha256", claim.get("sha256", ""))):
            return found
    return None


def _time(text: str | None, latest: datetime) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not FIRST_UPLOADS <= moment <= latest:
        return None
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _yanked(claim: bool | str | None) -> str | None:
    if not claim:
        return None
    return "" if claim is True else _line(claim)


def _secure(url: str | None, base: str) -> str:
    """A provenance URL, or nothing where it isn't on https (PEP 740), nor where the index itself is."""
    if not url or not (url.isascii() and url.isprintable()):
        return ""
    beside = base.startswith("http://") and url.startswith(base[: base.find("/", len("http://")) + 1])
    return url if beside or url.startswith("https://") else ""


@lru_cache(maxsize=1_024)
def _line(text: str | None) -> str:
    """Foreign prose as one printable line of bounded length."""
    words = "".join(letter if letter.isprintable() else " " for letter in (text or "")[: 4 * MAX_REASON])
    return " ".join(words.split())[:MAX_REASON]


def _status(claim: ProjectStatus | None) -> Status | None:
    if claim is None or claim.status not in STATUSES or claim.status == "active":
        return None
    return Status(claim.status, _line(claim.reason))


def _further_versions(claims: Sequence[Any], artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    """All versions, where the source names more than its files do (PEP 700)."""
    listed = {artifact.version for artifact in artifacts}
    named = set()
    for claim in claims:
        try:
            named.add(parse_version(str(claim)))
        except Malformed:
            continue  # a version from before PEP 440: its files aren't listed either
    return tuple(in_order(listed | named)) if named - listed else ()


def _is_name_of(project: Project, text: str) -> bool:
    try:
        return parse_name(text) == project
    except Malformed:
        return False


def _bounded(sentences: Sequence[str]) -> tuple[str, ...]:
    if len(sentences) <= MAX_DROPPED:
        return tuple(sentences)
    return (*sentences[:MAX_DROPPED], f"{len(sentences) - MAX_DROPPED} more entries were dropped.")
