"""An index lists the artifacts of one project; a document is the same as bytes from a source.

document (a source's bytes) → index (canonical, validated) → rendition (our bytes for one client kind)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from registry.model.artifacts import Artifact
from registry.model.names import Project

IN_MEMORY = 1024 * 1024
"""Bytes of a body up to which it is held in memory; larger ones lie in files."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An index as a source sent it, and what is needed to ask for it again."""

    body: bytes
    content_type: str
    """Media type without parameters, lower case."""
    url: str
    """Where it came from, after redirects; relative links count from here."""
    etag: str = ""
    last_modified: str = ""
    path: str = ""
    """Where the body lies as a gzip file when it is too large for memory; `body` is empty then."""
    sha256: str = ""
    """Of `body`, in hex: two documents with the same one are the same document."""
    checked: datetime
    """When the source last confirmed it."""
    origin: str = "public"
    """`private` when the team's own back end said it; one is never served in place of the other."""


class Status(msgspec.Struct, frozen=True):
    """PEP 792 project status: active, archived, quarantined or deprecated."""

    status: str
    reason: str = ""

    @property
    def lists_files(self) -> bool:
        """Whether clients may see the project's files: all but those of a quarantined one."""
        return self.status != "quarantined"

    @property
    def takes_uploads(self) -> bool:
        """Whether new files may be published."""
        return self.status not in {"quarantined", "archived"}


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The canonical index of one project, public and private alike."""

    project: Project
    artifacts: tuple[Artifact, ...]
    status: Status | None = None
    tags: Mapping[str, str] = {}
    """npm dist-tags: tag → version."""
    versions: tuple[str, ...] = ()
    """PEP 700 `versions`, when the source names more than its files do."""
    summary: str = ""
    """What the project says it is about, for a search: description and keywords in one line."""
    carried: bytes = b""
    """The rest of the document that we only pass on, as the ecosystem encodes it."""
    dropped: tuple[str, ...] = ()
    """One sentence for each entry that was left out because it was forged or broken."""


class Representation(msgspec.Struct, frozen=True):
    """One of the forms an index is rendered in."""

    name: str
    """Short and stable; part of the shelf's key: `json`, `html`, `full`, `install`."""
    content_type: str
    """The Content-Type header, whole."""
    files: str = ""
    """Base URL, without a slash at its end, under which files are said to be to a client that comes here all
    the same; empty for where they are."""


class Rendition(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """A rendered index, ready to be sent."""

    content_type: str
    etag: str
    """Strong, quoted."""
    gzipped: bytes = b""
    path: str = ""
    """The file with the gzipped body where that is large; `gzipped` is empty then."""
    packed: int = 0
    """Bytes of that file."""
    size: int
    """Of the body before gzip."""
    headers: tuple[tuple[str, str], ...] = ()
    """More response headers (`npm-notice` where versions are withheld)."""
