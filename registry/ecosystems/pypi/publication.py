"""An upload form (twine, uv publish, flit, hatch, poetry) and its file → a publication.

The form only has to agree: with the bytes we counted and hashed, with the file's name, and with the metadata
inside. What is kept comes from the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import IO

import msgspec
from packaging.metadata import Metadata, RawMetadata
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from registry.ecosystems.pypi.contents import examine
from registry.ecosystems.pypi.names import parse_filename, parse_name, parse_version, shown
from registry.ecosystems.pypi.refusal import is_tombstone
from registry.errors import Malformed
from registry.model.artifacts import STRONG, Artifact, Digest
from registry.model.names import Project
from registry.model.publications import Publication, Upload

DIGEST_FIELDS = {"md5_digest": "md5", "sha256_digest": "sha256", "blake2_256_digest": "blake2b_256"}
"""Form field → the algorithm, as `Upload.digests` names it."""

FILE_TYPES = {"wheel": "bdist_wheel", "sdist": "sdist"}


def parse_upload(upload: Upload, file: IO[bytes]) -> Publication:
    """Take an upload apart. Raises Malformed for whatever doesn't agree."""
    fields = upload.fields
    if _one(fields, ":action") != "file_upload" or _one(fields, "protocol_version", "1") != "1":
        raise Malformed("The form isn't a file_upload of protocol version 1, which is what twine sends.")
    project = parse_name(_one(fields, "name"))
    version = parse_version(_one(fields, "version"))
    _check_metadata_version(_one(fields, "metadata_version"))
    name = parse_filename(project, upload.filename)
    if name.version != version:
        raise Malformed(f"{shown(upload.filename)} isn't of version {version}, which the form names.")
    filetype = _one(fields, "filetype")
    if filetype != FILE_TYPES[name.kind]:
        raise Malformed(f"{shown(upload.filename)} isn't a {shown(filetype)}, as the form says.")
    _check_digests(upload)
    publication = _publication(project, upload, file)
    return msgspec.structs.replace(publication, attestations=_attestations(fields))


def project_of(filename: str) -> Project:
    """Whose a file is by its name. Raises Malformed."""
    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        return parse_name(str(parse(filename)[0]))
    except (InvalidWheelFilename, InvalidSdistFilename):
        raise Malformed(f"{shown(filename)} isn't the name of a wheel or an sdist.") from None


def adopt(upload: Upload, file: IO[bytes]) -> Publication:
    """A file that lies in the back end, without the form it came with. Raises Malformed."""
    return _publication(project_of(upload.filename), upload, file)


def _publication(project: Project, upload: Upload, file: IO[bytes]) -> Publication:
    """What is kept of a file, all of it out of the file."""
    name = parse_filename(project, upload.filename)
    if is_tombstone(upload.filename):
        raise Malformed(f"{shown(upload.filename)} is a name that only our refusals have.")
    contents, metadata = examine(project, upload.filename, file)
    if contents is None:
        raise Malformed(f"{shown(upload.filename)} has no PKG-INFO; build it anew with a current tool.")
    metadata_digest = None
    if contents.metadata is not None:
        metadata_digest = Digest("sha256", hashlib.sha256(contents.metadata).hexdigest())
    digests = (Digest(name, value) for name, value in upload.digests.items() if name in STRONG)
    artifact = Artifact(
        project=project,
        filename=upload.filename,
        version=name.version,
        digests=tuple(sorted(digests)),
        size=upload.size,
        requires_python=_requires_python(metadata),
        metadata=metadata_digest,
        install_script=name.kind == "sdist",
    )
    return Publication(project=project, artifact=artifact, metadata=contents.metadata)


def _attestations(fields: Mapping[str, tuple[str, ...]]) -> bytes:
    """The field as it came, if it is a JSON array; whether it holds is checked where signatures are."""
    if not any(fields.get("attestations", ())):
        return b""
    text = _one(fields, "attestations").encode()
    try:
        msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        raise Malformed("The form's attestations aren't a JSON array (PEP 740).") from None
    return text


def _one(fields: Mapping[str, tuple[str, ...]], name: str, default: str | None = None) -> str:
    values = fields.get(name) or (() if default is None else (default,))
    if len(values) != 1 or not values[0].strip():
        raise Malformed(f"The form must have the field {name} once.")
    return values[0].strip()


def _check_digests(upload: Upload) -> None:
    announced = {
        field: _one(upload.fields, field) for field in DIGEST_FIELDS if any(upload.fields.get(field, ()))
    }
    if not announced:
        raise Malformed(f"The form has no digest of the file; one of {', '.join(DIGEST_FIELDS)} is needed.")
    for field, value in announced.items():
        found = upload.digests.get(DIGEST_FIELDS[field])
        if found is None:
            raise Malformed(f"The form's {field} can't be checked here; send sha256_digest.")
        if value.lower() != found:
            raise Malformed(f"The bytes that arrived aren't those of the form's {field} ({found} arrived).")


def _check_metadata_version(text: str) -> None:
    try:
        Metadata.from_raw({"metadata_version": text, "name": "a", "version": "0"})
    except ExceptionGroup:
        raise Malformed(f"{shown(text)} isn't a version of core metadata that we know.") from None


def _requires_python(metadata: RawMetadata) -> str | None:
    text = metadata.get("requires_python")
    if text is None:
        return None
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise Malformed(f"Requires-Python is {shown(text)}, which isn't a version specifier.") from None
    return " ".join(text.split())
