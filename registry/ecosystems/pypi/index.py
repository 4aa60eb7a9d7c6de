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
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import msgspec
from packaging.version import Version

from registry.ecosystems.pypi.names import (
    ARTIFACT_SUFFIXES,
    Outdated,
    parse_filename,
    parse_name,
    parse_version,
    shown,
)
from registry.ecosystems.pypi.refusal import is_tombstone
from registry.errors import Malformed, SourceFailed
from registry.model.artifacts import STRENGTH, Artifact, Digest
from registry.model.indexes import Document, Index, Status
from registry.model.names import Project

SOURCE_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
"""JSON where the source has it: HTML is frozen and says less (PEP 833)."""

MAX_ENTRIES = 200_000
"""Files that one index may list; the largest public projects have some ten thousand."""

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

_HEX_LENGTHS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40, "md5": 32}
_HEX = re.compile(r"[0-9a-fA-F]*")
_PRINTED = re.compile(r"[!-\[\]-~]*")
"""ASCII letters, digits and signs, but no space and no backslash."""
_PLAIN = re.compile(r"[A-Za-z0-9._+!%/-]*")
"""URLs without a scheme, query or fragment, which mean the same wherever they stand."""
_SCHEMES = ("https://", "http://")
SPOKEN = ("application/vnd.pypi.simple.v1+json", "application/json")
_WRITTEN = ("application/vnd.pypi.simple.v1+html", "text/html")


class Entry(msgspec.Struct, rename="kebab", omit_defaults=True, gc=False):
    """One file as either form lists it (PEP 691, 592, 700, 714, 740)."""

    filename: str
    url: str
    hashes: dict[str, str] = {}
    requires_python: str | None = None
    size: int | None = None
    upload_time: str | None = None
    yanked: bool | str | None = None
    core_metadata: bool | dict[str, str] | None = None
    dist_info_metadata: bool | dict[str, str] | None = None
    data_dist_info_metadata: bool | dict[str, str] | None = None
    provenance: str | None = None


class Meta(msgspec.Struct, frozen=True, rename="kebab"):
    """What a document says of itself."""

    api_version: str = "1.0"


class _Status(msgspec.Struct, frozen=True):
    status: str = "active"
    reason: str | None = None


class Detail(msgspec.Struct, rename="kebab"):
    """A PEP 691 project document; its files stay raw, so that one broken entry costs only itself."""

    files: list[msgspec.Raw]
    meta: Meta = Meta()
    name: str | None = None
    versions: list[Any] = []
    project_status: _Status | None = None


class _Sound(msgspec.Struct, rename="kebab"):
    """The same, of which every entry can be read: quicker, and what sources send."""

    files: list[Entry]
    meta: Meta = Meta()
    name: str | None = None
    versions: list[Any] = []
    project_status: _Status | None = None

    def detail(self) -> Detail:
        """What it says beside its files."""
        return Detail([], self.meta, self.name, self.versions, self.project_status)


_SOUND = msgspec.json.Decoder(_Sound)
_DETAIL = msgspec.json.Decoder(Detail)
_ENTRY = msgspec.json.Decoder(Entry)


def read_index(project: Project, document: Document) -> Index:
    """A source's document → the canonical index. Raises SourceFailed when it can't be read as one.

    Times later than `document.checked` are treated as unknown. Metadata digests are what the source
    announces; they say nothing about what we hold.
    """
    dropped: list[str] = []
    detail, entries, base = read_entries(project, document, dropped)
    if detail.meta.api_version.partition(".")[0] != "1":
        raise _failed(project, f"it is of version {shown(detail.meta.api_version)}, and we read 1")
    if detail.name is not None and not _is_name_of(project, detail.name):
        raise _failed(project, f"it is about {shown(detail.name)}")
    artifacts = _checked(project, entries, base, document.checked + CLOCK_SKEW, dropped)
    return Index(
        project=project,
        artifacts=artifacts,
        status=_status(detail.project_status),
        versions=_further_versions(detail.versions, artifacts),
        dropped=_bounded(dropped),
    )


def read_entries(
    project: Project, document: Document, dropped: list[str]
) -> tuple[Detail, Iterable[Entry], str]:
    """A document as it says it is, unchecked: the whole, its entries, and what their links count from.

    Entries that can't be read are told in `dropped`. Raises SourceFailed.
    """
    if document.content_type in SPOKEN:
        return _read_json(project, document, dropped)
    if document.content_type in _WRITTEN:
        return _read_html(project, document)
    raise _failed(project, f"its type is {shown(document.content_type)}, neither JSON nor HTML of PEP 691")


def _read_json(
    project: Project, document: Document, dropped: list[str]
) -> tuple[Detail, Iterable[Entry], str]:
    # Whatever JSON can be, msgspec says no in one of these ways: RecursionError is a deep nest.
    try:
        whole = _SOUND.decode(document.body)
        _refuse_too_many(project, len(whole.files))
        return whole.detail(), whole.files, document.url
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # one of its entries, or all of it
    try:
        detail = _DETAIL.decode(document.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _failed(project, f"it isn't the JSON of PEP 691 ({error})") from None
    _refuse_too_many(project, len(detail.files))

    def entries() -> Iterable[Entry]:
        for raw in detail.files:
            try:
                yield _ENTRY.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                dropped.append(f"An entry isn't one of PEP 691: {error}.")

    return detail, entries(), document.url


def _read_html(project: Project, document: Document) -> tuple[Detail, Iterable[Entry], str]:
    reader = _Anchors(project)
    # Fed at once and never closed: what an unfinished tag hides at the end isn't an entry, and the parser
    # is quadratic when it is told to guess.
    reader.feed(document.body.decode("utf-8-sig", "replace"))
    detail = Detail(
        files=[],
        meta=Meta(reader.metas.get("pypi:repository-version", "1.0")),
        project_status=_Status(
            reader.metas.get("pypi:project-status", "active"), reader.metas.get("pypi:project-status-reason")
        ),
    )
    if "pypi:repository-version" not in reader.metas and not any(map(_leads_to_file, reader.anchors)):
        raise _failed(project, "it is a web page that lists no file, such as a login or a notice")
    base = document.url
    if reader.base is not None:
        try:
            base = urljoin(base, reader.base)
        except ValueError:
            raise _failed(project, "its <base> isn't a URL") from None
    return detail, map(_anchored, reader.anchors), base


class _Anchors(HTMLParser):
    """Collects what the page says in anchors, metas and the first base; texts and the rest don't count."""

    def __init__(self, project: Project) -> None:
        super().__init__(convert_charrefs=True)
        self.project = project
        self.base: str | None = None
        self.metas: dict[str, str] = {}
        self.anchors: list[Mapping[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"a", "base", "meta"}:
            return
        # Of an attribute that is given twice the first counts (HTML).
        values = {name: value or "" for name, value in reversed(attrs)}
        if tag == "a" and "href" in values:
            self.anchors.append(values)
            _refuse_too_many(self.project, len(self.anchors))
        elif tag == "base" and self.base is None and "href" in values:
            self.base = values["href"]
        elif tag == "meta" and values.get("name", "").startswith("pypi:"):
            self.metas.setdefault(values["name"], values.get("content", ""))


def _leads_to_file(values: Mapping[str, str]) -> bool:
    return _anchored(values).filename.endswith(ARTIFACT_SUFFIXES)


def _anchored(values: Mapping[str, str]) -> Entry:
    url, _, fragment = values["href"].strip().partition("#")
    pairs = (part.partition("=") for part in fragment.split("&"))
    return Entry(
        filename=unquote(url.partition("?")[0].rpartition("/")[2]),
        url=url,
        hashes={name: value for name, _, value in pairs if name in _HEX_LENGTHS},
        requires_python=values.get("data-requires-python"),
        upload_time=values.get("data-upload-time"),
        yanked=(values["data-yanked"] or True) if "data-yanked" in values else None,
        core_metadata=_named_digest(values.get("data-core-metadata")),
        dist_info_metadata=_named_digest(values.get("data-dist-info-metadata")),
        provenance=values.get("data-provenance"),
    )


def _named_digest(text: str | None) -> dict[str, str] | None:
    name, _, value = (text or "").partition("=")
    return {name: value} if value else None


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
        if first.digests != artifact.digests:
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
    place, slash, name = url.rpartition("/")
    found = _place(base, place) if slash and name == filename and not url.startswith(_SCHEMES) else None
    address, fault = (found[0] + name, found[1]) if found else _address(base, url)
    if fault:
        raise Malformed(f"{shown(filename)} is offered at an address {fault}.")
    return address


@lru_cache(maxsize=256)
def _place(base: str, place: str) -> tuple[str, str] | None:
    """The same of all that lies in one place; None where what follows may change its meaning."""
    return _address(base, f"{place}/") if _PLAIN.fullmatch(place) else None


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
    digests = []
    for algorithm in STRENGTH if len(hashes) > 1 else hashes:
        value = hashes.get(algorithm)
        if value is None or algorithm not in _HEX_LENGTHS:
            continue
        if not _is_digest(algorithm, value):
            raise Malformed(f"{shown(filename)} is announced with a {algorithm} that isn't one.")
        digests.append(Digest(algorithm, value.lower()))
    return tuple(digests)


def _is_digest(algorithm: str, value: str) -> bool:
    return len(value) == _HEX_LENGTHS[algorithm] and _HEX.fullmatch(value) is not None


def _metadata(entry: Entry) -> Digest | None:
    for claim in (entry.core_metadata, entry.dist_info_metadata, entry.data_dist_info_metadata):
        if isinstance(claim, dict) and _is_digest("sha256", claim.get("sha256", "")):
            return Digest("sha256", claim["sha256"].lower())
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


def _status(claim: _Status | None) -> Status | None:
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
    return tuple(sorted(listed | named, key=Version)) if named - listed else ()


def _is_name_of(project: Project, text: str) -> bool:
    try:
        return parse_name(text) == project
    except Malformed:
        return False


def _bounded(sentences: Sequence[str]) -> tuple[str, ...]:
    if len(sentences) <= MAX_DROPPED:
        return tuple(sentences)
    return (*sentences[:MAX_DROPPED], f"{len(sentences) - MAX_DROPPED} more entries were dropped.")


def _refuse_too_many(project: Project, count: int) -> None:
    if count > MAX_ENTRIES:
        raise _failed(project, f"it lists more than {MAX_ENTRIES} files")


def _failed(project: Project, reason: str) -> SourceFailed:
    return SourceFailed(f"The source's index of {project.name} can't be used: {reason}.")
