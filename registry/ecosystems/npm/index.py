"""Packument → canonical index: what policy and the file door need is read, the rest is carried.

Each version's manifest is carried as the JSON it arrived in (`Artifact.carried`), a view of the document's
body and not a copy: the largest packuments are a hundred megabytes. The other top-level fields are carried
as one JSON object (`Index.carried`), so nothing that we don't understand is lost or reworded. Whatever is
forged or broken in one version drops that version; a document that isn't a packument of the project that was
asked for is SourceFailed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from registry.ecosystems.npm.entries import (
    FIELDS,
    Fields,
    Manifest,
    announced_digests,
    announced_signatures,
    moment,
    parse_manifest,
    read_object,
    value,
)
from registry.ecosystems.npm.names import is_tag, is_version, parse_version, tarball_name
from registry.errors import SourceFailed
from registry.model.artifacts import Artifact
from registry.model.indexes import Document, Index
from registry.model.names import Project

MAX_VERSIONS = 100_000
"""Several times the longest public packument; beyond, a document is an attack."""

MAX_SUMMARY = 1_000
"""Characters of description and keywords together."""

MAX_PUBLISHER = 80
"""Characters of who published a version."""

FIRST_VERSIONS = datetime(2009, 1, 1, tzinfo=UTC)
"""Nothing was published before: an older time is a broken one."""

CLOCK_SKEW = timedelta(minutes=10)
"""How far a source's clock may run ahead of ours before its times count as made up."""

_NOT_CARRIED = frozenset({
    "name", "versions", "dist-tags",  # rendered from the index
    "stagedVersions", "policyRestrictions",  # would offer versions that nobody here decided about
    "_attachments", "_distfiles", "_uplinks",  # a back end's own bookkeeping
    "__proto__",
})  # fmt: skip

_URL = re.compile(r"(https?://[^/?#@\\\s]+)(/[!-\[\]-~]*)")


class _Broken(Exception):
    """Why one version was left out, in a few words."""


def read_index(project: Project, document: Document) -> Index:
    """The canonical index in a packument, full or abbreviated; raises SourceFailed.

    Versions keep the document's order. `published` comes from `time` and is None where that is silent
    or can't be right.
    """
    packument = read_object(document.body)
    if value(packument.get("name")) != project.name:
        raise SourceFailed(f"The source answered for '{project.name}' with the packument of another package.")
    manifests = _members(packument, "versions")
    if len(manifests) > MAX_VERSIONS:
        raise SourceFailed(f"The packument of '{project.name}' lists more than {MAX_VERSIONS} versions.")
    told = value(packument.get("time"))
    times = _times(told, document.checked + CLOCK_SKEW) if isinstance(told, dict) else {}
    artifacts: list[Artifact] = []
    dropped: list[str] = []
    for version, manifest in manifests.items():
        try:
            artifacts.append(_artifact(project, version, manifest, times))
        except _Broken as error:
            dropped.append(f"Version {version[:60]!a} was left out: {error}.")
    tags = {
        tag: to for tag, raw in _members(packument, "dist-tags").items() if isinstance(to := value(raw), str)
    }
    settled = settled_tags({t: v for t, v in tags.items() if is_tag(t)}, [a.version for a in artifacts])
    return Index(
        project=project,
        artifacts=tuple(artifacts),
        tags=settled,
        summary=_summary(packument, manifests.get(settled.get("latest", ""))),
        carried=msgspec.json.encode({k: v for k, v in packument.items() if k not in _NOT_CARRIED}),
        dropped=tuple(dropped),
    )


def _times(told: Mapping[str, Any], latest: datetime) -> dict[str, datetime]:
    """When each version was published, as far as that can be."""
    times = {version: moment(text) for version, text in told.items()}
    return {v: at for v, at in times.items() if at is not None and FIRST_VERSIONS <= at <= latest}


def _summary(packument: Fields, latest: msgspec.Raw | None) -> str:
    """Description and keywords of the latest version; of the whole where that one is silent."""
    fields = FIELDS.decode(latest) if latest is not None else {}
    told = [value(fields.get(key)) or value(packument.get(key)) for key in ("description", "keywords")]
    words = [
        word
        for each in told
        for word in (each if isinstance(each, list) else [each])
        if isinstance(word, str)
    ]
    return " ".join(" ".join(words)[:MAX_SUMMARY].split())


def settled_tags(tags: Mapping[str, str], remaining: Collection[str]) -> dict[str, str]:
    """The tags that still resolve, `latest` moved down to the highest remaining release where it must.

    Never upward, and to a pre-release only where `latest` was one; where nothing fits there is no `latest`.
    """
    known = set(remaining)
    kept = {tag: version for tag, version in tags.items() if version in known}
    ceiling = parse_version(tags["latest"]) if "latest" in tags and "latest" not in kept else None
    if ceiling is not None:
        below = [(p, v) for v in remaining if (p := parse_version(v)) is not None and p.compare(ceiling) <= 0]
        releases = [(p, v) for p, v in below if not p.prerelease]
        candidates = releases or (below if ceiling.prerelease else [])
        if candidates:
            best = candidates[0]
            for candidate in candidates[1:]:
                best = candidate if candidate[0].compare(best[0]) > 0 else best
            kept["latest"] = best[1]
    return kept


def _artifact(
    project: Project, version: str, manifest: msgspec.Raw, times: Mapping[str, datetime]
) -> Artifact:
    if not is_version(version):
        raise _Broken("it is not a version")
    said = _said(project, version, manifest)
    try:
        digests = announced_digests(said.dist.integrity, said.dist.shasum)
    except ValueError as error:
        raise _Broken(str(error)) from None
    deprecated, attestations = said.deprecated, said.dist.attestations
    provenance = attestations.get("url") if isinstance(attestations, dict) else None
    return Artifact(
        project=project,
        filename=tarball_name(project, version),
        version=version,
        url=said.dist.tarball,
        digests=digests,
        published=times.get(version),
        # `""` and `false` are how a deprecation is taken back; `true` is one without words.
        yanked=(deprecated if isinstance(deprecated, str) else "") if deprecated else None,
        provenance=provenance if isinstance(provenance, str) and is_plain_url(provenance) else "",
        install_script=said.runs_scripts,
        signatures=announced_signatures(said.dist.signatures),
        publisher=_publisher(said.npm_user),
        carried=manifest,
    )


def _publisher(user: object) -> str:
    """Who published a version, from `_npmUser`. A workflow that the registry vouches for (trusted publishing)
    has the same user name in every project, and is told apart by its registration."""
    if not isinstance(user, dict) or not isinstance(user.get("name"), str):
        return ""
    trusted = user.get("trustedPublisher")
    names = [user["name"]]
    if isinstance(trusted, dict):
        names += [each for each in (trusted.get("id"), trusted.get("oidcConfigId")) if isinstance(each, str)]
    text = " ".join(" ".join(names).split()).encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in text)[:MAX_PUBLISHER]


def _said(project: Project, version: str, raw: msgspec.Raw) -> Manifest:
    try:
        said = parse_manifest(raw)
    except (msgspec.MsgspecError, UnicodeError, KeyError, RecursionError):
        raise _Broken("its manifest has no readable 'dist'") from None
    if said.name != project.name or said.version != version:
        raise _Broken("its manifest names another package or version")
    if not isinstance(said.dist.tarball, str) or not is_plain_url(said.dist.tarball):
        raise _Broken("its tarball has no absolute http(s) address")
    return said


def is_plain_url(url: str) -> bool:
    """Whether this is an absolute http(s) URL without credentials, tricks or dot segments."""
    match = _URL.fullmatch(url) if url.isascii() else None
    if match is None or not _is_origin(match[1]):
        return False
    path = match[2]
    if "/." not in path and "%" not in path:
        return True
    return not {".", ".."} & set(unquote(path).replace("\\", "/").split("/"))


@functools.lru_cache(maxsize=256)
def _is_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _members(packument: Fields, key: str) -> Fields:
    if key not in packument:
        return {}
    try:
        return FIELDS.decode(packument[key])
    except (msgspec.MsgspecError, UnicodeError):
        raise SourceFailed(f"The source's packument has a '{key}' that is not an object.") from None
