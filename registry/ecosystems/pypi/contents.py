"""What a wheel or an sdist says about itself, read without unpacking it (`archives` guards the reading)."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from packaging.metadata import RawMetadata, parse_email

from registry.ecosystems.pypi.archives import checked_tar, checked_zip, parts
from registry.ecosystems.pypi.names import parse_filename, parse_name, parse_version, shown
from registry.errors import Malformed
from registry.model.artifacts import Artifact
from registry.model.names import Project
from registry.model.publications import Contents

MAX_METADATA = 4 * 2**20
"""Bytes of METADATA or PKG-INFO."""


def inspect(artifact: Artifact, file: IO[bytes]) -> Contents | None:
    """Name, version and metadata inside a file; None for an sdist from before PKG-INFO.

    Raises Malformed for a file that is broken, plays a trick, or is of another project or version than its
    name says. `metadata` is given for wheels only: nobody may rely on what an sdist says (PEP 658).
    """
    contents, _ = examine(artifact.project, artifact.filename, file)
    return contents


def examine(project: Project, filename: str, file: IO[bytes]) -> tuple[Contents | None, RawMetadata]:
    """What `inspect` says, and the metadata as `packaging` reads it."""
    name = parse_filename(project, filename)
    with _malformed_when_broken(filename):
        if name.kind == "wheel":
            data: bytes | None = _wheel_metadata(project, name.version, file)
        elif filename.endswith(".zip"):
            data = _zip_pkg_info(file)
        else:
            data = _tar_pkg_info(file)
        if data is None:
            return None, {}
        raw, _ = parse_email(data)
    inner_name, inner_version = raw.get("name", ""), raw.get("version", "")
    if not _are_of(project, name.version, inner_name, inner_version):
        raise Malformed(
            f"{shown(filename)} says inside that it is {shown(inner_name)} {shown(inner_version)}."
        )
    metadata = data if name.kind == "wheel" else None
    return Contents(project=project, version=name.version, metadata=metadata), raw


@contextmanager
def _malformed_when_broken(filename: str) -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        gzip.BadGzipFile,
        zlib.error,
        struct.error,
        EOFError,
        KeyError,
        NotImplementedError,  # a compression that zipfile doesn't know
        OverflowError,
        RecursionError,  # extended tar headers in a row
        UnicodeError,
        ValueError,
    ) as error:
        raise Malformed(f"{shown(filename)} is a broken archive: {shown(str(error))}.") from None


# Wheels and zips


def _wheel_metadata(project: Project, version: str, file: IO[bytes]) -> bytes:
    with checked_zip(file) as archive:
        names = archive.namelist()
        folders = {name.partition("/")[0] for name in names}
        info = [folder for folder in folders if folder.endswith(".dist-info")]
        if len(info) != 1:
            raise Malformed(f"A wheel has one .dist-info directory; this one has {len(info)}.")
        inner, _, inner_version = info[0].removesuffix(".dist-info").rpartition("-")
        if not _are_of(project, version, inner, inner_version):
            raise Malformed(f"The wheel's {shown(info[0])} is of another project or version than its name.")
        for needed in ("METADATA", "WHEEL", "RECORD"):
            if f"{info[0]}/{needed}" not in names:
                raise Malformed(f"The wheel has no {needed} in its .dist-info directory.")
        return _read(archive, f"{info[0]}/METADATA")


def _zip_pkg_info(file: IO[bytes]) -> bytes | None:
    with checked_zip(file) as archive:
        found = [name for name in archive.namelist() if _is_pkg_info(name)]
        if len(found) > 1:
            raise Malformed("The sdist has several PKG-INFO files.")
        return _read(archive, found[0]) if found else None


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        data = member.read(MAX_METADATA + 1)
    if len(data) > MAX_METADATA:
        raise Malformed(f"The metadata is longer than {MAX_METADATA} bytes.")
    return data


# Sdists


def _tar_pkg_info(file: IO[bytes]) -> bytes | None:
    data = None
    for archive, member in checked_tar(file):
        if not _is_pkg_info(member.name):
            continue
        stream = archive.extractfile(member) if member.isreg() else None
        if data is not None or stream is None or member.size > MAX_METADATA:
            raise Malformed("The sdist has several PKG-INFO files, or one that is no file, or too long.")
        data = stream.read()
    return data


# Both


def _are_of(project: Project, version: str, name_inside: str, version_inside: str) -> bool:
    try:
        return (parse_name(name_inside), parse_version(version_inside)) == (project, version)
    except Malformed:
        return False


def _is_pkg_info(name: str) -> bool:
    return parts(name)[1:] == ("PKG-INFO",)
