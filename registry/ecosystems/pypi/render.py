"""The canonical index → what clients are sent: simple API in JSON and HTML, legacy JSON, the project list.

All is written anew from checked values, with our own addresses, which are relative wherever the form allows
it. No URL of a source is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape

import msgspec
from msgspec import UNSET, UnsetType
from packaging.version import Version

from registry.ecosystems.pypi.names import in_order, parse_filename, parse_version
from registry.ecosystems.pypi.negotiation import JSON
from registry.ecosystems.pypi.paths import artifact_path, provenance_path
from registry.ecosystems.pypi.refusal import tombstone_filename
from registry.errors import Malformed
from registry.model.artifacts import Artifact
from registry.model.decisions import Decision, Refusal
from registry.model.indexes import Index, Representation, Status
from registry.model.names import Project

API_VERSION = "1.4"
"""What we speak where every file's size is known; PEP 700 demands it from 1.1 on."""

_ROOT = "../../"
"""From an index, `simple/{project}/`, to the prefix."""


class _File(msgspec.Struct, rename="kebab", omit_defaults=True, gc=False):
    filename: str
    core_metadata: dict[str, str] | UnsetType
    """Here, so that `offer_metadata` knows where."""
    dist_info_metadata: dict[str, str] | UnsetType
    """The first name of `core-metadata` (PEP 714), for clients that know only that."""
    url: str
    hashes: dict[str, str]
    requires_python: str | UnsetType = UNSET
    size: int | UnsetType = UNSET
    upload_time: datetime | UnsetType = UNSET
    """UTC, which is written as PEP 700 wants it: with a Z, microseconds where there are any."""
    yanked: bool | str = False
    provenance: str | UnsetType = UNSET


def render_index(
    index: Index,
    withheld: Mapping[str, Refusal],
    base: str,
    representation: Representation,
) -> bytes:
    """An index as JSON or HTML. Withheld files are yanked with the reason, so that resolvers fall back.

    Where nothing is left to fall back to, they are shown unmarked: pip then asks for one and prints why it
    is refused, instead of "from versions: none".
    """
    files = _files(index.artifacts, _marked(index.artifacts, withheld), base, _ROOT)
    if representation.name == JSON.name:
        return _json(index.project, files, _versions(index), index.status)
    return _html(index.project, files, index.status)


def offer_metadata(body: bytes, representation: Representation, filename: str, sha256: str) -> bytes:
    """A rendered index with the digest of one file's metadata put in, as it is rendered once that is known;
    unchanged where it doesn't list the file, or offers metadata of it already."""
    if representation.name == JSON.name:
        mark = f'{{"filename":"{filename}",'.encode()
        at = body.find(mark) + len(mark)
        told = f'"core-metadata":{{"sha256":"{sha256}"}},"dist-info-metadata":{{"sha256":"{sha256}"}},'
        is_told = body.startswith(b'"core-metadata":', at)
    else:
        mark = f">{filename}</a><br>".encode()
        at = body.find(mark)
        told = f' data-core-metadata="sha256={sha256}" data-dist-info-metadata="sha256={sha256}"'
        is_told = b' data-core-metadata="' in body[body.rfind(b"\n", 0, at) : at]
    return body if is_told or mark not in body else body[:at] + told.encode() + body[at:]


def render_tombstone(
    project: Project, decision: Decision, representation: Representation, base: str
) -> bytes:
    """An index whose one file tells by its name why the project is refused."""
    filename = tombstone_filename(project, decision)
    version = parse_filename(project, filename).version
    stone = Artifact(project=project, filename=filename, version=version, published=_TOMBSTONE_TIME)
    return render_index(Index(project=project, artifacts=(stone,)), {}, base, representation)


_TOMBSTONE_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Old, so that clients which leave out what is new (`--exclude-newer`) see the tombstone too."""


def render_projects(names: tuple[str, ...], representation: Representation) -> bytes:
    """The project list, `simple/`."""
    if representation.name == JSON.name:
        projects = [{"name": name} for name in names]
        return msgspec.json.encode({"meta": {"api-version": API_VERSION}, "projects": projects})
    anchors = (f'<a href="{escape(name)}/">{escape(name)}</a><br>' for name in names)
    return _page("Projects", [], anchors)


def render_manifest(
    index: Index, withheld: Mapping[str, Refusal], base: str, selector: str | None
) -> bytes | None:
    """The legacy JSON of a project, or of one version: what an index knows, no descriptions.

    Without a selector it is about the newest final version that isn't yanked, and lists all.
    """
    artifacts = index.artifacts
    releases: dict[Version, list[dict[str, object]]] = {}
    files = _files(artifacts, _marked(artifacts, withheld), base, f"{base}/")
    for artifact, file in zip(artifacts, files, strict=True):
        releases.setdefault(Version(artifact.version), []).append(_legacy_file(artifact, file))
    wanted = _newest(artifacts, withheld) if selector is None else _canonical(selector)
    version = next((version for version in releases if version == wanted), None)
    if version is None:
        return None
    urls = releases[version]
    yanked = all(url["yanked"] for url in urls)
    document: dict[str, object] = {
        "info": {
            "name": index.project.name,
            "version": str(version),
            "requires_python": next((url["requires_python"] for url in urls if url["requires_python"]), None),
            "yanked": yanked,
            "yanked_reason": urls[0]["yanked_reason"] if yanked else None,
        },
        "urls": urls,
    }
    if selector is None:
        document["releases"] = {str(version): listed for version, listed in releases.items()}
    return msgspec.json.encode(document)


def _marked(artifacts: Iterable[Artifact], withheld: Mapping[str, Refusal]) -> Mapping[str, Refusal]:
    free = any(a.yanked is None and a.filename not in withheld for a in artifacts)
    return withheld if free else {}


def _files(
    artifacts: Iterable[Artifact], withheld: Mapping[str, Refusal], base: str, root: str
) -> list[_File]:
    """The entries of an index whose links begin with `root`."""
    files = []
    for artifact in artifacts:
        hashes = {}
        for digest in artifact.digests:
            hashes[digest.algorithm] = digest.hex
        inside = artifact.metadata
        metadata = UNSET if inside is None else {inside.algorithm: inside.hex}
        refusal = withheld.get(artifact.filename)
        reason = refusal.message if refusal else artifact.yanked
        files.append(
            _File(  # by position: a third quicker, and an index has thousands
                artifact.filename,
                metadata,
                metadata,
                root + artifact_path(artifact),
                hashes,
                artifact.requires_python or UNSET,
                UNSET if artifact.size is None else artifact.size,
                artifact.published or UNSET,
                False if reason is None else reason or True,
                _provenance(artifact, base) if artifact.provenance else UNSET,
            )
        )
    return files


def _provenance(artifact: Artifact, base: str) -> str | UnsetType:
    """Our own address of a file's provenance. PEP 740 wants it whole and on https, so where we are on plain
    http there is none, though it is served there too."""
    return f"{base}/{provenance_path(artifact)}" if base.startswith("https://") else UNSET


def _json(project: Project, files: list[_File], versions: Iterable[str], status: Status | None) -> bytes:
    sized = all(file.size is not UNSET for file in files)
    document: dict[str, object] = {
        "meta": {"api-version": API_VERSION if sized else "1.0"},
        "name": project.name,
        "versions": list(versions),
        "files": files,
    }
    if status is not None:
        document["project-status"] = {"status": status.status} | (
            {"reason": status.reason} if status.reason else {}
        )
    return msgspec.json.encode(document)


def _html(project: Project, files: list[_File], status: Status | None) -> bytes:
    metas = []
    if status is not None:
        metas.append(("pypi:project-status", status.status))
        if status.reason:
            metas.append(("pypi:project-status-reason", status.reason))
    return _page(f"Links for {project.name}", metas, map(_anchor, files))


def _anchor(file: _File) -> str:
    attributes = {"href": file.url + _fragment(file.hashes)}
    if file.requires_python is not UNSET:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not False:
        attributes["data-yanked"] = "" if file.yanked is True else file.yanked
    if file.provenance is not UNSET:
        attributes["data-provenance"] = file.provenance
    if file.upload_time is not UNSET:
        attributes["data-upload-time"] = _stamp(file.upload_time)
    if file.core_metadata is not UNSET:  # the last, so that `offer_metadata` knows where
        metadata = next(f"{algorithm}={value}" for algorithm, value in file.core_metadata.items())
        attributes |= {"data-core-metadata": metadata, "data-dist-info-metadata": metadata}
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{escape(file.filename)}</a><br>"


def _fragment(hashes: Mapping[str, str]) -> str:
    """The one hash that an anchor has room for: sha256, which all clients know, where there is one."""
    algorithm = "sha256" if "sha256" in hashes else next(iter(hashes), None)
    return f"#{algorithm}={hashes[algorithm]}" if algorithm else ""


def _page(title: str, metas: Iterable[tuple[str, str]], lines: Iterable[str]) -> bytes:
    named = [("pypi:repository-version", API_VERSION), *metas]
    head = "\n".join(f'<meta name="{name}" content="{escape(content)}">' for name, content in named)
    body = "\n".join(lines)
    return (
        f"<!DOCTYPE html>\n<html>\n<head>\n{head}\n<title>{escape(title)}</title>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    ).encode()


def _versions(index: Index) -> list[str]:
    return in_order({artifact.version for artifact in index.artifacts}.union(index.versions))


def _stamp(moment: datetime) -> str:
    """PEP 700: UTC with a Z, microseconds where there are any."""
    at = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return at.isoformat().removesuffix("+00:00") + "Z"


def _newest(artifacts: Iterable[Artifact], withheld: Mapping[str, Refusal]) -> Version | None:
    """The newest version: final and free before prerelease before yanked or withheld."""

    def rank(artifact: Artifact) -> tuple[bool, bool, Version]:
        version = Version(artifact.version)
        free = artifact.yanked is None and artifact.filename not in withheld
        return free, not version.is_prerelease, version

    newest = max(artifacts, key=rank, default=None)
    return Version(newest.version) if newest else None


def _canonical(selector: str) -> Version | None:
    try:
        return Version(parse_version(selector))
    except Malformed:
        return None


def _legacy_file(artifact: Artifact, file: _File) -> dict[str, object]:
    moment = artifact.published
    return {
        "filename": artifact.filename,
        "packagetype": "bdist_wheel" if artifact.filename.endswith(".whl") else "sdist",
        "url": file.url,
        "digests": file.hashes,
        "requires_python": artifact.requires_python,
        "size": artifact.size,
        "upload_time": _stamp(moment)[:19] if moment else None,
        "upload_time_iso_8601": _stamp(moment) if moment else None,
        "yanked": file.yanked is not False,
        "yanked_reason": file.yanked if isinstance(file.yanked, str) else None,
    }
