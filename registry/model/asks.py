"""What a client asks for, once its path was understood: the line's one currency.

`ecosystems/*/paths.py` makes asks; nothing behind it sees a path again.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from registry.model.names import Project


class IndexAsk(msgspec.Struct, frozen=True):
    """The index of a project (simple page, packument)."""

    project: Project
    writable: bool = False
    """npm `?write=true`: the unfiltered document of a private project, for a client about to change it."""
    accept: str | None = None
    """The form that the address itself asks for, over the Accept header (PEP 691 `?format=`)."""


class ArtifactAsk(msgspec.Struct, frozen=True):
    """One file, or its PEP 658 metadata file."""

    project: Project
    filename: str
    """Of the artifact itself, also when `part` is its metadata."""
    part: Literal["file", "metadata"] = "file"


class ManifestAsk(msgspec.Struct, frozen=True):
    """One version as a document: npm `/name/1.0.0` and `/name/latest`, PyPI's legacy JSON."""

    project: Project
    selector: str | None = None
    """A version or a dist-tag; None for the whole project (legacy JSON)."""


class TagsAsk(msgspec.Struct, frozen=True):
    """npm dist-tags, read or written."""

    project: Project
    tag: str | None = None


class ProvenanceAsk(msgspec.Struct, frozen=True):
    """The PEP 740 provenance of one file, or npm's attestations of one version."""

    project: Project
    version: str
    filename: str | None = None


class ProjectsAsk(msgspec.Struct, frozen=True):
    """The list of projects (`/simple/`)."""

    accept: str | None = None
    """As of an index."""


class SearchAsk(msgspec.Struct, frozen=True):
    """npm `/-/v1/search`."""

    text: str
    size: int = 20
    start: int = 0


class ServiceAsk(msgspec.Struct, frozen=True):
    """A service of the registry itself; `subject` is whom or what it is asked about."""

    service: Literal[
        "ping", "whoami", "profile", "login", "logout", "tokens", "make-token", "end-token", "keys", "audit"
    ]
    subject: str = ""
    """The user name of a login, the token of a logout."""


class PublishAsk(msgspec.Struct, frozen=True):
    """An upload. The body says which project where the path doesn't (twine)."""

    project: Project | None = None


class AmendAsk(msgspec.Struct, frozen=True):
    """A change to what is published: npm dist-tags, deprecation, unpublish, owners."""

    project: Project
    what: Literal["tag", "document", "artifact", "project"]
    detail: str = ""
    """The tag, the file name, or the revision that the path names."""
    revision: str = ""
    """CouchDB-style revision (`-rev/…`) as the client sent it."""


class Redirect(msgspec.Struct, frozen=True):
    """The same thing under its canonical path, absolute below the ecosystem's prefix: `simple/foo-bar/`."""

    path: str
    status: int = 301


Ask = (
    IndexAsk
    | ArtifactAsk
    | ManifestAsk
    | TagsAsk
    | ProvenanceAsk
    | ProjectsAsk
    | SearchAsk
    | ServiceAsk
    | PublishAsk
    | AmendAsk
    | Redirect
)
