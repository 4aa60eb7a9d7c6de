"""Paths below `/pypi/` ⇄ asks (PEP 503, the legacy upload and JSON APIs, PEP 740's integrity API).

    simple/                                             the project list
    simple/{project}/                                   the index of one
    files/{project}/{filename}[.metadata]               its files (our own shape)
    pypi/{project}[/{version}]/json                     the legacy JSON API
    integrity/{project}/{version}/{filename}/provenance
    legacy/, and the root itself                        uploads

Names are parsed here and nowhere behind: what can't be a name, version or file of that project is not found
before policy, storage or a source hear of it.
"""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec

from registry.ecosystems.pypi.names import parse_filename, parse_name, parse_version
from registry.errors import Malformed, NotAllowed, NotFound
from registry.model.artifacts import Artifact
from registry.model.asks import (
    ArtifactAsk,
    Ask,
    IndexAsk,
    ManifestAsk,
    ProjectsAsk,
    ProvenanceAsk,
    PublishAsk,
    Redirect,
)
from registry.model.names import Project
from registry.model.targets import Target

_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
"""What stands in a path as it is (RFC 3986)."""

METADATA_SUFFIX = ".metadata"
"""Of the file beside a wheel that holds its core metadata (PEP 658)."""


def parse_ask(target: Target) -> Ask:
    """What a path below the prefix asks for. Raises NotFound for what can't exist, NotAllowed for a verb."""
    try:
        ask = _parse(target.segments)
        if isinstance(ask, IndexAsk | ProjectsAsk) and (form := target.param("format")) is not None:
            # A plus stands for itself in a media type, and for a space in a form's query.
            ask = msgspec.structs.replace(ask, accept=form.replace(" ", "+"))
    except Malformed as error:
        raise NotFound(str(error)) from None
    if isinstance(ask, PublishAsk):
        if target.method == "POST":
            return ask
        if target.method == "GET" and target.segments[:1] != ("legacy",):
            return Redirect("simple/", 302)
        raise NotAllowed("Uploads are sent here by POST; the index is at simple/.", ["POST"])
    if target.method != "GET":
        raise NotAllowed(f"{target.method} isn't offered here; uploads go by POST to legacy/.")
    return ask


def index_path(project: Project) -> str:
    """Where we offer the index."""
    return f"simple/{project.name}/"


def artifact_path(artifact: Artifact) -> str:
    """Where we offer the file; `+` and `!` are percent-encoded, since some clients read `+` as a space."""
    filename = artifact.filename
    if not _PLAIN.fullmatch(filename):
        filename = quote(filename, safe="")
    return f"files/{artifact.project.name}/{filename}"


def provenance_path(artifact: Artifact) -> str:
    """Where we offer the file's provenance (PEP 740)."""
    filename, version = quote(artifact.filename, safe=""), quote(artifact.version, safe="")
    return f"integrity/{artifact.project.name}/{version}/{filename}/provenance"


def source_path(project: Project) -> str:
    """Where a simple index offers the project, below the index's own URL."""
    return f"{project.name}/"


def _parse(segments: tuple[str, ...]) -> Ask:
    match segments:
        case () | ("",) | ("legacy",) | ("legacy", ""):
            return PublishAsk()
        case ("simple",):
            return Redirect("simple/")
        case ("simple", ""):
            return ProjectsAsk()
        case ("simple", name) | ("simple", name, ""):
            project = parse_name(name)
            canonical = len(segments) == 3 and name == project.name
            return IndexAsk(project) if canonical else Redirect(index_path(project))
        case ("files", name, filename):
            return _artifact_ask(parse_name(name), filename)
        case ("pypi", name, "json"):
            return ManifestAsk(parse_name(name))
        case ("pypi", name, version, "json"):
            return ManifestAsk(parse_name(name), parse_version(version))
        case ("integrity", name, version, filename, "provenance"):
            project, version = parse_name(name), parse_version(version)
            if parse_filename(project, filename).version != version:
                raise NotFound("That file belongs to another version.")
            return ProvenanceAsk(project, version, filename)
    raise NotFound("There is nothing at this path; the index is at simple/.")


def _artifact_ask(project: Project, filename: str) -> ArtifactAsk:
    if filename.endswith(METADATA_SUFFIX):
        filename = filename.removesuffix(METADATA_SUFFIX)
        parse_filename(project, filename)
        return ArtifactAsk(project, filename, "metadata")
    parse_filename(project, filename)
    return ArtifactAsk(project, filename)
