"""A project's page in its two forms, JSON (PEP 691) and HTML (PEP 503), as entries: nothing believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin

import msgspec

from registry.ecosystems.pypi.names import ARTIFACT_SUFFIXES, shown
from registry.errors import SourceFailed
from registry.model.indexes import Document
from registry.model.names import Project

MAX_ENTRIES = 200_000
"""Files that one index may list; the largest public projects have some ten thousand."""

HEX_LENGTHS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40, "md5": 32}
"""Characters of each digest that we can compute."""

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


class ProjectStatus(msgspec.Struct, frozen=True):
    """PEP 792, as it is claimed."""

    status: str = "active"
    reason: str | None = None


class Detail(msgspec.Struct, rename="kebab"):
    """A PEP 691 project document; its files stay raw, so that one broken entry costs only itself."""

    files: list[msgspec.Raw]
    meta: Meta = Meta()
    name: str | None = None
    versions: list[Any] = []
    project_status: ProjectStatus | None = None


class _Sound(msgspec.Struct, rename="kebab"):
    """The same, of which every entry can be read: quicker, and what sources send."""

    files: list[Entry]
    meta: Meta = Meta()
    name: str | None = None
    versions: list[Any] = []
    project_status: ProjectStatus | None = None

    def detail(self) -> Detail:
        """What it says beside its files."""
        return Detail([], self.meta, self.name, self.versions, self.project_status)


_SOUND = msgspec.json.Decoder(_Sound)
_DETAIL = msgspec.json.Decoder(Detail)
_ENTRY = msgspec.json.Decoder(Entry)


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
    raise unusable(project, f"its type is {shown(document.content_type)}, neither JSON nor HTML of PEP 691")


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
        raise unusable(project, f"it isn't the JSON of PEP 691 ({error})") from None
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
        project_status=ProjectStatus(
            reader.metas.get("pypi:project-status", "active"), reader.metas.get("pypi:project-status-reason")
        ),
    )
    if "pypi:repository-version" not in reader.metas and not any(map(_leads_to_file, reader.anchors)):
        raise unusable(project, "it is a web page that lists no file, such as a login or a notice")
    base = document.url
    if reader.base is not None:
        try:
            base = urljoin(base, reader.base)
        except ValueError:
            raise unusable(project, "its <base> isn't a URL") from None
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
        hashes={name: value for name, _, value in pairs if name in HEX_LENGTHS},
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


def _refuse_too_many(project: Project, count: int) -> None:
    if count > MAX_ENTRIES:
        raise unusable(project, f"it lists more than {MAX_ENTRIES} files")


def unusable(project: Project, reason: str) -> SourceFailed:
    """What is told of a document that can't be read at all."""
    return SourceFailed(f"The source's index of {project.name} can't be used: {reason}.")
