"""Packument → canonical index: what policy and the file door need is read, the rest is carried.

Each version's manifest is carried as the JSON it arrived in (`Artifact.carried`), a view of the document's
body and not a copy: the largest packuments are a hundred megabytes. The other top-level fields are carried
as one JSON object (`Index.carried`), so nothing that we don't understand is lost or reworded. Whatever is
forged or broken in one version drops that version; a document that isn't a packument of the project that was
asked for is SourceFailed.
"""

from __future__ import annotations

import binascii
import codecs
import functools
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import msgspec

from registry.ecosystems.npm.names import is_tag, is_version, parse_version, tarball_name
from registry.errors import SourceFailed
from registry.model.artifacts import STRENGTH, Artifact, Digest, Signature
from registry.model.indexes import Document, Index
from registry.model.names import Project

Fields: TypeAlias = dict[str, msgspec.Raw]
"""A JSON object whose values stay the bytes they are; the last of two equal keys counts, as in JavaScript."""

FIELDS = msgspec.json.Decoder(Fields)

MAX_VERSIONS = 100_000
"""Several times the longest public packument; beyond, a document is an attack."""

MAX_SUMMARY = 1_000
"""Characters of description and keywords together."""

MAX_SIGNATURES = 8
"""Of one version; there is one, and two while a registry changes its key."""

MAX_PUBLISHER = 80
"""Characters of who published a version."""

FIRST_VERSIONS = datetime(2009, 1, 1, tzinfo=UTC)
"""Nothing was published before: an older time is a broken one."""

CLOCK_SKEW = timedelta(minutes=10)
"""How far a source's clock may run ahead of ours before its times count as made up."""

_DIGEST_SIZES = {"sha512": 64, "sha384": 48, "sha256": 32, "sha1": 20, "md5": 16}

_NOT_CARRIED = frozenset({
    "name", "versions", "dist-tags",  # rendered from the index
    "stagedVersions", "policyRestrictions",  # would offer versions that nobody here decided about
    "_attachments", "_distfiles", "_uplinks",  # a back end's own bookkeeping
    "__proto__",
})  # fmt: skip

_URL = re.compile(r"(https?://[^/?#@\\\s]+)(/[!-\[\]-~]*)")
_SHASUM = re.compile(r"[0-9a-fA-F]{40}")

_WORD = re.compile(r"[!-~]{1,512}")

_SURROGATES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)


class _Broken(Exception):
    """Why one version was left out, in a few words."""


class _Dist(msgspec.Struct, gc=False):
    """`dist` of a manifest: whatever its source says, nothing of it checked."""

    tarball: Any = None
    integrity: Any = None
    shasum: Any = None
    signatures: Any = None
    attestations: Any = None


class _Scripts(msgspec.Struct, gc=False):
    preinstall: Any = None
    install: Any = None
    postinstall: Any = None


class Manifest(msgspec.Struct, gc=False):
    """What policy and the file door need of one version, unchecked."""

    dist: _Dist
    name: Any = None
    version: Any = None
    deprecated: Any = None
    scripts: _Scripts | None = None
    has_install_script: Any = msgspec.field(name="hasInstallScript", default=None)
    gypfile: Any = None
    npm_user: Any = msgspec.field(name="_npmUser", default=None)

    @property
    def runs_scripts(self) -> bool:
        """Whether installing would run code of the package; `hasInstallScript` is often left out."""
        if self.has_install_script is True or self.gypfile is True:
            return True
        scripts = self.scripts
        return scripts is not None and bool(scripts.preinstall or scripts.install or scripts.postinstall)


_MANIFEST = msgspec.json.Decoder(Manifest)


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


def read_object(body: bytes) -> Fields:
    """A JSON object, one level deep; raises SourceFailed for anything else.

    Lone surrogates (a readme cut in the middle of an emoji has one) become U+FFFD; no strict decoder takes
    them, and JavaScript shows them like that.
    """
    try:
        _require_utf8(body)
        try:
            return FIELDS.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return FIELDS.decode(_SURROGATES.sub(_mended, body))
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise SourceFailed(f"The source's document is not a JSON object: {error}.") from None
    except RecursionError:
        raise SourceFailed("The source's document is nested too deeply.") from None


def value(raw: msgspec.Raw | None) -> Any:
    """What a carried value says; None for one that is missing, or broken in a way that only shows now."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def moment(text: object) -> datetime | None:
    """An ISO 8601 time with an offset as aware UTC, else None."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return None if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_manifest(raw: bytes | msgspec.Raw) -> Manifest:
    """What one version says of itself. Values that can't be read, and those of odd kinds, count as missing.

    Raises MsgspecError, UnicodeError and KeyError where it has no readable `dist`, RecursionError.
    """
    try:
        return _MANIFEST.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # one of its values, which may not matter
    fields = FIELDS.decode(raw)
    dist = FIELDS.decode(fields["dist"])
    scripts = value(fields.get("scripts"))
    return Manifest(
        dist=_Dist(**{each: value(dist.get(each)) for each in _Dist.__struct_fields__}),
        name=value(fields.get("name")),
        version=value(fields.get("version")),
        deprecated=value(fields.get("deprecated")),
        scripts=msgspec.convert(scripts, _Scripts) if isinstance(scripts, dict) else None,
        has_install_script=value(fields.get("hasInstallScript")),
        gypfile=value(fields.get("gypfile")),
        npm_user=value(fields.get("_npmUser")),
    )


def announced_digests(integrity: object, shasum: object) -> tuple[Digest, ...]:
    """The digests in `integrity` (SRI, several) and `shasum`, the strongest first.

    An algorithm nobody knows is passed over; two answers for one algorithm raise ValueError.
    """
    found: dict[str, Digest] = {}
    entries = [_sri(entry) for entry in integrity.split()] if isinstance(integrity, str) else []
    if isinstance(shasum, str) and _SHASUM.fullmatch(shasum):
        entries.append(Digest("sha1", shasum.lower()))
    for digest in entries:
        if digest is not None and found.setdefault(digest.algorithm, digest) != digest:
            raise ValueError(f"it announces two {digest.algorithm} digests for one file")
    return tuple([found[algorithm] for algorithm in STRENGTH if algorithm in found])


def announced_signatures(entries: object) -> tuple[Signature, ...]:
    """The registry signatures in `dist.signatures`; an entry that can't be one is passed over."""
    found = entries if isinstance(entries, list) else []
    return tuple(
        Signature(each["keyid"], each["sig"])
        for each in found[:MAX_SIGNATURES]
        if isinstance(each, dict) and _is_word(each.get("keyid")) and _is_word(each.get("sig"))
    )


def _is_word(text: object) -> bool:
    return isinstance(text, str) and _WORD.fullmatch(text) is not None


def _sri(entry: str) -> Digest | None:
    algorithm, _, rest = entry.partition("-")
    try:
        raw = binascii.a2b_base64(rest.partition("?")[0], strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return Digest(algorithm, raw.hex()) if len(raw) == _DIGEST_SIZES.get(algorithm) else None


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


def _require_utf8(body: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view, step = memoryview(body), 1 << 20
    for start in range(0, len(body), step):
        decoder.decode(view[start : start + step], final=start + step >= len(body))


def _mended(match: re.Match[bytes]) -> bytes:
    found = match[0]
    return rb"\ufffd" if len(found) == len(rb"\ud800") else found
