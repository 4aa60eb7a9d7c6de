"""`npm publish` sends one JSON document, the tarball inside it in base64: taken apart, read, checked.

The tarball goes piece by piece into a file, and only views of the document are held, so that a large package
takes no more memory than a small one. What the document says and what the tarball says must agree. The public
registry doesn't check that, and a package whose packument hides a dependency or an install script of its
tarball is the result (manifest confusion).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import msgspec
import nodesemver

from registry.ecosystems.npm.contents import read_manifest
from registry.ecosystems.npm.entries import FIELDS, Fields, announced_digests, parse_manifest, value
from registry.ecosystems.npm.names import (
    clean_version,
    is_tag,
    parse_version,
    require_publishable,
    tarball_name,
)
from registry.errors import Malformed, TooLarge
from registry.model.artifacts import Artifact, Digest
from registry.model.names import Project
from registry.model.publications import DOCUMENT_BYTES, Publication, Upload

_DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies")
_INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")
_PIECE = 1 << 20
"""Characters of base64 that are decoded at once; a multiple of four."""


def parse_upload(_upload: Upload, _file: IO[bytes]) -> NoReturn:
    """The form upload that npm hasn't got; raises Malformed."""
    raise Malformed("npm packages are published as a JSON document (npm publish), not as an upload form.")


def parse_document(project: Project, sent: bytes, tarball: IO[bytes]) -> Publication | None:
    """The publication in a PUT document, which may be a map of a file; None for one without a tarball
    (deprecate, owners).

    The tarball is written to `tarball`, an empty file. The publication's `body` is the document without it,
    our digests in its `dist`. Raises Malformed wherever address, document, attachment and tarball disagree,
    and TooLarge for more document than any package's manifest and readme.
    """
    document = _fields(sent, "The document")
    attachments = _fields(document.pop("_attachments", None), "'_attachments'")
    if not attachments:
        return None
    _require_bounded(document)
    require_publishable(project)
    _require_equal(value(document.get("name")), project.name, "The document's name", "the address's")
    version, manifest = _only_version(project, document)
    size, digests = _detach(_attached(project, version, attachments), tarball)
    dist = _fields(manifest.get("dist"), "'dist'")
    _require_announced(dist, digests)
    tarball.seek(0)
    _require_same_manifest(read_manifest(tarball), manifest, project, version)
    _require_tags(document, version)
    manifest["dist"] = _encoded(
        dist | {"integrity": _integrity(digests[0]), "shasum": _encoded(digests[2].hex)}
    )
    carried = msgspec.json.encode(manifest)
    artifact = Artifact(
        project=project,
        filename=tarball_name(project, version),
        version=version,
        digests=digests,
        size=size,
        install_script=parse_manifest(carried).runs_scripts,
        carried=carried,
    )
    document["versions"] = _encoded({version: msgspec.Raw(carried)})
    return Publication(project=project, artifact=artifact, body=msgspec.json.encode(document))


def _require_bounded(document: Fields) -> None:
    if sum(len(memoryview(carried)) for carried in document.values()) > DOCUMENT_BYTES:
        raise TooLarge(
            f"package.json and readme are larger than {DOCUMENT_BYTES >> 20} MiB together: shorten them."
        )


def _only_version(project: Project, document: Fields) -> tuple[str, Fields]:
    versions = _fields(document.get("versions"), "'versions'")
    if len(versions) != 1:
        raise Malformed(
            "A publication brings exactly one version: publish again with a current npm, pnpm or yarn."
        )
    version, raw = next(iter(versions.items()))
    parsed = parse_version(version)
    if parsed is None or clean_version(version) != version:
        raise Malformed(
            f"{version[:60]!a} is not a version as npm writes it, such as '1.2.3' or '1.2.3-beta.1'."
        )
    manifest = _fields(raw, "The version's manifest")
    _require_equal(value(manifest.get("name")), project.name, "The manifest's name", "the address's")
    _require_equal(value(manifest.get("version")), version, "The manifest's version", "the document's")
    return version, manifest


def _attached(project: Project, version: str, attachments: Fields) -> Fields:
    """The one attachment; npm names it after the whole name, others after the base."""
    expected = {f"{project.name}-{version}.tgz", tarball_name(project, version)}
    if any(name.endswith(".sigstore") for name in attachments):
        raise Malformed("Provenance bundles can't be kept here yet: publish without --provenance.")
    if len(attachments) != 1 or not expected.issuperset(attachments):
        raise Malformed(
            f"The document must bring exactly one attachment, named '{tarball_name(project, version)}'."
        )
    return _fields(next(iter(attachments.values())), "The attachment")


def _detach(attachment: Fields, tarball: IO[bytes]) -> tuple[int, tuple[Digest, ...]]:
    """Write an attachment's bytes to a file; gives their size and digests, the strongest first."""
    data = memoryview(attachment.get("data", b'""'))
    encoded, size = data[1:-1] if bytes(data[:1]) == b'"' else data[:0], 0
    hashes = [hashlib.new(algorithm) for algorithm in ("sha512", "sha256", "sha1")]
    for start in range(0, len(encoded), _PIECE):
        piece = _decoded(encoded[start : start + _PIECE], last=start + _PIECE >= len(encoded))
        size += tarball.write(piece)
        for each in hashes:
            each.update(piece)
    if not size or value(attachment.get("length")) != size:
        raise Malformed("The attachment's length is not that of its data: the upload was cut, publish again.")
    return size, tuple(Digest(each.name, each.hexdigest()) for each in hashes)


def _decoded(piece: memoryview, *, last: bool) -> bytes:
    try:
        decoded = base64.b64decode(piece, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("The attachment's data is not base64.") from None
    if not last and len(decoded) * 4 != len(piece) * 3:  # padding in the middle
        raise Malformed("The attachment's data is not base64.")
    return decoded


def _require_announced(dist: Fields, digests: tuple[Digest, ...]) -> None:
    ours = {digest.algorithm: digest.hex for digest in digests}
    try:
        announced = announced_digests(value(dist.get("integrity")), value(dist.get("shasum")))
    except ValueError as error:
        raise Malformed(f"The document's 'dist' can't be right: {error}.") from None
    if any(ours.get(digest.algorithm, digest.hex) != digest.hex for digest in announced):
        raise Malformed(
            "The tarball is not the one that the document's integrity or shasum announces: publish again."
        )


def _require_tags(document: Fields, version: str) -> None:
    for tag, raw in _fields(document.get("dist-tags"), "'dist-tags'").items():
        if not is_tag(tag) or value(raw) != version:
            raise Malformed(
                f"The dist-tag {tag[:60]!a} can't be used, or doesn't name the published version."
            )


def _require_same_manifest(
    inside: Mapping[str, Any], manifest: Fields, project: Project, version: str
) -> None:
    """Raise Malformed when the tarball's package.json and the document's manifest tell different stories."""
    _require_equal(
        inside.get("name"), project.name, "The name in the tarball's package.json", "the document's"
    )
    stated = inside.get("version")
    cleaned = clean_version(stated) if isinstance(stated, str) else None
    _require_equal(cleaned, version, "The version in the tarball's package.json", "the document's")
    outside = {key: value(manifest.get(key)) for key in (*_DEPENDENCIES, "scripts", "gypfile")}
    hidden = _differing_dependencies(inside, outside) + _differing_scripts(inside, outside)
    if hidden:
        raise Malformed(
            f"The document and the tarball's package.json differ in {', '.join(hidden[:5])}: "
            "publish with npm, pnpm or yarn, which write both from one source."
        )


def _differing_dependencies(inside: Mapping[str, Any], outside: Mapping[str, Any]) -> list[str]:
    # npm moves optional ones between the two lists, so these two are compared as one.
    kinds = (("dependencies", "optionalDependencies"), ("peerDependencies",))
    differing = []
    for kind in kinds:
        there, here = _merged(inside, kind), _merged(outside, kind)
        names = sorted(there.keys() | here.keys())
        differing += [f"{kind[0]} ({n})" for n in names if not _same_range(there.get(n), here.get(n))]
    return differing


def _merged(manifest: Mapping[str, Any], kind: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in kind:
        table = manifest.get(key)
        if isinstance(table, dict):
            found |= {name: text.strip() for name, text in table.items() if isinstance(text, str)}
    return found


def _same_range(there: str | None, here: str | None) -> bool:
    if there is None or here is None or there == here:
        return there == here
    # npm rewrites addresses of repositories (`user/repo` → `github:user/repo`), never ranges.
    return all("/" in text and nodesemver.valid_range(text, True) is None for text in (there, here))


def _differing_scripts(inside: Mapping[str, Any], outside: Mapping[str, Any]) -> list[str]:
    there, here = _install_scripts(inside), _install_scripts(outside)
    # npm writes down what it does for a package with a binding.gyp.
    if "install" not in there and here.get("install") == "node-gyp rebuild":
        del here["install"]
    return [f"scripts ({name})" for name in _INSTALL_SCRIPTS if there.get(name) != here.get(name)]


def _install_scripts(manifest: Mapping[str, Any]) -> dict[str, str]:
    scripts = manifest.get("scripts")
    table = scripts if isinstance(scripts, dict) else {}
    # npm takes the way to installed commands off their front.
    return {
        name: text.strip().removeprefix("./").removeprefix("node_modules/.bin/")
        for name in _INSTALL_SCRIPTS
        if isinstance(text := table.get(name), str) and text.strip()
    }


def _fields(raw: bytes | msgspec.Raw | None, what: str) -> Fields:
    if raw is None:
        return {}
    try:
        return FIELDS.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Malformed(f"{what} of the publication is not a JSON object.") from None


def _require_equal(one: object, other: str, what: str, whose: str) -> None:
    if one != other:
        raise Malformed(f"{what} is not {whose} ('{other}').")


def _integrity(digest: Digest) -> msgspec.Raw:
    return _encoded(f"{digest.algorithm}-{base64.b64encode(bytes.fromhex(digest.hex)).decode()}")


def _encoded(part: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(part))
