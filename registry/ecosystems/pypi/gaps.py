"""What an index leaves out and its upstream's legacy JSON API says: sizes, upload times, reasons of yanks.

The filled document is a PEP 691 one that says in `_filled` where its additions come from. An entry is filled
only from one that agrees with it about the bytes; what neither says stays unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urljoin

import msgspec

from registry.ecosystems.pypi.entries import SPOKEN, Detail, Entry, Meta, read_entries
from registry.ecosystems.pypi.names import ARTIFACT_SUFFIXES
from registry.errors import SourceFailed
from registry.model.artifacts import STRENGTH
from registry.model.indexes import Document
from registry.model.names import Project

T = TypeVar("T")


class _Said(msgspec.Struct, rename="kebab"):
    """What of an entry tells whether it lacks something."""

    filename: str = ""
    size: int | None = None
    upload_time: str | None = None


class _Page(msgspec.Struct):
    files: list[_Said] = []


class _Release(msgspec.Struct):
    """A file as the legacy JSON API has it."""

    filename: str
    digests: dict[str, str] = {}
    size: int | None = None
    upload_time: str | None = None
    upload_time_iso_8601: str | None = None
    requires_python: str | None = None
    yanked: bool = False
    yanked_reason: str | None = None


class _Elsewhere(msgspec.Struct):
    """The legacy JSON of a project, or a PEP 691 document of another day."""

    releases: dict[str, list[msgspec.Raw]] = {}
    files: list[msgspec.Raw] = []


class _Filled(Detail, rename="kebab", kw_only=True):
    filled: dict[str, Any] = msgspec.field(name="_filled")


_PAGE = msgspec.json.Decoder(_Page)
_ELSEWHERE = msgspec.json.Decoder(_Elsewhere)
_ENTRY = msgspec.json.Decoder(Entry)
_RELEASE = msgspec.json.Decoder(_Release)


def gap_path(project: Project, document: Document) -> str | None:
    """Where the upstream may say what its index leaves out, from its base; None if that is nothing."""
    return f"../pypi/{project.name}/json" if _lacks(document) else None


def fill_gaps(project: Project, document: Document, elsewhere: bytes) -> Document:
    """The document with what is said elsewhere; itself where that is nothing new, or can't be read.

    Elsewhere is the legacy JSON, or an earlier document of the same index, whose sizes and times still hold.
    """
    try:
        detail, entries, base = read_entries(project, document, [])
        listed = list(entries)
        releases = _releases(_ELSEWHERE.decode(elsewhere))
    except (SourceFailed, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return document
    fields: set[str] = set()
    for entry in listed:
        found = releases.get(entry.filename)
        if found is not None and _agree(entry.hashes, found.digests):
            fields |= _fill(entry, found)
    if not fields:
        return document
    for entry in listed:
        entry.url = _joined(base, entry.url)
    filled = _Filled(
        files=[msgspec.Raw(msgspec.json.encode(entry)) for entry in listed],
        meta=Meta("1.0"),
        name=detail.name,
        versions=detail.versions,
        project_status=detail.project_status,
        filled={"from": f"../pypi/{project.name}/json", "fields": sorted(fields)},
    )
    body = msgspec.json.encode(filled)
    sha256 = hashlib.sha256(body).hexdigest()
    return msgspec.structs.replace(document, body=body, content_type=SPOKEN[0], sha256=sha256)


def _lacks(document: Document) -> bool:
    if document.content_type not in SPOKEN:
        return True  # HTML has no place for a size
    try:
        page = _PAGE.decode(document.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return any(
        file.size is None or not file.upload_time
        for file in page.files
        if file.filename.endswith(ARTIFACT_SUFFIXES)
    )


def _releases(elsewhere: _Elsewhere) -> Mapping[str, _Release]:
    found: dict[str, _Release] = {}
    for raws in elsewhere.releases.values():
        for release in _decoded(raws, _RELEASE):
            found.setdefault(release.filename, release)
    for entry in _decoded(elsewhere.files, _ENTRY):
        release = _Release(
            filename=entry.filename, digests=entry.hashes, size=entry.size, upload_time=entry.upload_time
        )
        found.setdefault(entry.filename, release)
    return found


def _decoded(raws: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[T]) -> Iterable[T]:
    for raw in raws:
        try:
            yield decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue


def _agree(said: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two entries may be about the same bytes."""
    return all(other[name].lower() == value.lower() for name, value in said.items() if name in other)


def _fill(entry: Entry, found: _Release) -> set[str]:
    """Add to an entry what it lacks; gives the names of what was added."""
    filled = set()
    if entry.size is None and found.size is not None:
        entry.size = found.size
        filled.add("size")
    moment = found.upload_time_iso_8601 or found.upload_time
    if not entry.upload_time and moment:
        entry.upload_time = moment
        filled.add("upload-time")
    if entry.requires_python is None and found.requires_python:
        entry.requires_python = found.requires_python
        filled.add("requires-python")
    if found.yanked and (entry.yanked is None or (entry.yanked is True and found.yanked_reason)):
        entry.yanked = found.yanked_reason or True
        filled.add("yanked")
    missing = {
        name: value for name, value in found.digests.items() if name in STRENGTH and name not in entry.hashes
    }
    if missing:
        entry.hashes = {**entry.hashes, **missing}
        filled.add("hashes")
    return filled


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:
        return url  # whoever reads the entry drops it, with its reason
