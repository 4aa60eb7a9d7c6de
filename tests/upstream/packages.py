"""Packages made in memory, valid enough for pip, uv, npm, pnpm and yarn to install.

The same arguments give the same bytes, always.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EPOCH = (2020, 1, 1, 0, 0, 0)
PUBLISHED = "2020-01-01T00:00:00.000000Z"


@dataclass
class Distribution:
    """A wheel or an sdist, and what the upstream says about it; change a field to make it lie."""

    project: str
    version: str
    filename: str
    data: bytes
    metadata: bytes | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    size: int | None = None
    published: str | None = PUBLISHED
    requires_python: str | None = None
    yanked: str | bool = False
    url: str | None = None
    """Where the index says it is; None for the upstream's own place."""
    provenance: bytes | None = None
    """Its PEP 740 document, below /integrity/."""

    def __post_init__(self) -> None:
        self.hashes = self.hashes or {"sha256": hashlib.sha256(self.data).hexdigest()}
        self.size = len(self.data) if self.size is None else self.size


@dataclass
class Tarball:
    """One version of an npm package, and what the upstream says about it."""

    name: str
    version: str
    data: bytes
    manifest: dict[str, Any]
    published: str | None = "2020-01-01T00:00:00.000Z"
    url: str | None = None
    dist: dict[str, Any] = field(default_factory=dict)
    """More or other fields of `dist`; a value of None removes one."""

    @property
    def filename(self) -> str:
        """`base-1.0.0.tgz`, without the scope."""
        return f"{self.name.rpartition('/')[2]}-{self.version}.tgz"


def normalised(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def make_wheel(
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    extras: Sequence[str] = (),
    modules: Mapping[str, str] | None = None,
    requires_python: str | None = None,
    padding: int = 0,
) -> Distribution:
    """A pure wheel with one module, or those of `modules` (path → text), and `padding` bytes that don't compress."""
    stem = f"{normalised(name).replace('-', '_')}-{version}"
    metadata = _core_metadata(name, version, requires, requires_python, extras)
    files = {
        f"{normalised(name).replace('-', '_')}.py": f"__version__ = {version!r}\n",
        **(modules or {}),
        f"{stem}.dist-info/METADATA": metadata,
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    lines = [
        f"{path},sha256={_urlsafe_sha256(text.encode())},{len(text.encode())}" for path, text in files.items()
    ]
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        if padding:
            noise = _noise(padding)
            lines.append(f"{stem}.data/data/noise.bin,sha256={_urlsafe_sha256(noise)},{len(noise)}")
            archive.writestr(zipfile.ZipInfo(f"{stem}.data/data/noise.bin", EPOCH), noise)
        files[record] = "\n".join([*lines, f"{record},,"]) + "\n"
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, EPOCH), text)
    return Distribution(
        project=name,
        version=version,
        filename=f"{stem}-py3-none-any.whl",
        data=output.getvalue(),
        metadata=metadata.encode(),
        requires_python=requires_python,
    )


def make_sdist(name: str, version: str, *, requires: Sequence[str] = ()) -> Distribution:
    """An sdist that builds without an index: its back end is in it and needs nothing."""
    wheel = make_wheel(name, version, requires=requires)
    stem = wheel.filename.removesuffix("-py3-none-any.whl")
    files = {
        "PKG-INFO": _core_metadata(name, version, requires, None).encode(),
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": _BACKEND.format(filename=wheel.filename, wheel=base64.b64encode(wheel.data)).encode(),
    }
    data = _tar_gz({f"{stem}/{path}": content for path, content in files.items()})
    return Distribution(project=name, version=version, filename=f"{stem}.tar.gz", data=data)


def make_tarball(
    name: str,
    version: str,
    *,
    dependencies: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
    padding: int = 0,
) -> Tarball:
    """An npm package with one module, and `padding` bytes that don't compress."""
    manifest: dict[str, Any] = {"name": name, "version": version, "main": "index.js", "license": "MIT"}
    if dependencies:
        manifest["dependencies"] = dict(dependencies)
    if scripts:
        manifest["scripts"] = dict(scripts)
    files = {
        "package/package.json": json.dumps(manifest, indent=2).encode(),
        "package/index.js": f"module.exports = {json.dumps(version)};\n".encode(),
    }
    if padding:
        files["package/noise.bin"] = _noise(padding)
    return Tarball(name=name, version=version, data=_tar_gz(files), manifest=manifest)


def _core_metadata(
    name: str,
    version: str,
    requires: Sequence[str],
    requires_python: str | None,
    extras: Sequence[str] = (),
) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: made by the tests"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join(lines) + "\n"


def _urlsafe_sha256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _noise(size: int) -> bytes:
    return hashlib.shake_128(b"noise").digest(size)


def _tar_gz(files: Mapping[str, bytes]) -> bytes:
    output = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=output, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(content), 0o644, 1577836800
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()


_BACKEND = """\
import base64, pathlib

WHEEL = {wheel!r}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    pathlib.Path(wheel_directory, {filename!r}).write_bytes(base64.b64decode(WHEEL))
    return {filename!r}


def get_requires_for_build_wheel(config_settings=None):
    return []
"""
