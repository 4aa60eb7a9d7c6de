"""What a tarball says about itself, read in one forward pass without unpacking anything.

npm drops the first part of every entry's name, whatever it is, and ignores links. So `package.json` is
searched the way npm would unpack it, and every shape that two unpackers could read differently is refused:
names that leave the package, devices, links that point outside, two different `package.json`.
"""

from __future__ import annotations

import tarfile
from typing import IO, Any, cast

import msgspec
from isal import igzip, isal_zlib

from registry.ecosystems.npm.names import clean_version, parse_name
from registry.errors import Malformed
from registry.model.artifacts import Artifact
from registry.model.publications import Contents

MAX_READS = 500_000
"""Headers of a tarball, empty ones included: several times what the largest icon packages hold."""

MAX_UNPACKED = 4 << 30
"""Bytes that a tarball may unpack to."""

MAX_MANIFEST = 4 << 20
"""Bytes of a `package.json`."""

MAX_HEADER = 64 << 10
"""Bytes of one extended tar header; real ones hold a long path."""

_MANIFEST = "package.json"

_BROKEN = (tarfile.TarError, cast("type[Exception]", isal_zlib.error), EOFError, OSError, ValueError)


def inspect(artifact: Artifact, file: IO[bytes]) -> Contents:
    """Name and version in the tarball's `package.json`; raises Malformed for a file that tries a trick.

    The version is given as the artifact has it where npm's cleaning (`v1.0.0` → `1.0.0`) makes them equal.
    """
    manifest = read_manifest(file)
    name, version = manifest.get("name"), manifest.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise Malformed("The tarball's package.json has no name or no version.")
    cleaned = clean_version(version)
    if cleaned is None:
        raise Malformed("The tarball's package.json has a version that is no version.")
    same = cleaned == clean_version(artifact.version)
    return Contents(project=parse_name(name), version=artifact.version if same else cleaned)


def read_manifest(file: IO[bytes]) -> dict[str, Any]:
    """The `package.json` that npm would unpack; raises Malformed (structure, limits, no such file)."""
    stream = _Forward(file)
    try:
        # Zero blocks are passed over, not taken for the end: npm's unpacker stops at two, tarfile at one.
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:", ignore_zeros=True) as archive:
            found = _find(archive, stream)
    except _BROKEN:
        raise Malformed("The file is not a whole gzipped tar.") from None
    if found is None:
        raise Malformed("The tarball has no package.json.")
    return _parsed(found)


def _find(archive: tarfile.TarFile, stream: _Forward) -> bytes | None:
    found: bytes | None = None
    while (member := archive.next()) is not None:
        # tarfile keeps every header that it has read; half a million would be a gigabyte.
        archive.members.clear()  # type: ignore[attr-defined]
        if _unpacked_name(member) != _MANIFEST:
            continue
        content = _content(member, stream)
        if found is not None and found != content:
            raise Malformed("The tarball has two different package.json: which one counts would be luck.")
        found = content
    return found


def _unpacked_name(member: tarfile.TarInfo) -> str:
    """The entry's path below the package folder, as npm makes it; raises Malformed for a trick."""
    name = member.name.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name or ":" in parts[0]:
        raise Malformed("The tarball has an entry that would leave the package's folder.")
    if member.ischr() or member.isblk() or member.isfifo() or member.issparse():
        raise Malformed("The tarball has an entry that is neither file nor folder.")
    inner = "/".join(part for part in parts[1:] if part not in {"", "."})
    if member.issym() or member.islnk():
        _require_inside(member, parts)
    if inner != _MANIFEST and inner.casefold() == _MANIFEST:
        raise Malformed("The tarball has a package.json in other letters, which some systems take for it.")
    return inner


def _require_inside(member: tarfile.TarInfo, parts: list[str]) -> None:
    target = member.linkname.replace("\\", "/")
    steps = target.split("/")
    # A hard link counts from the archive's root, a symbolic one from its own folder.
    depth = len(parts) - 1 if member.issym() else 0
    outside = target.startswith("/") or ":" in steps[0]
    for step in steps:
        depth += -1 if step == ".." else step not in {"", "."}
        outside = outside or (step == ".." and depth < 1)
    if outside:
        raise Malformed("The tarball has a link that points out of the package.")


def _content(member: tarfile.TarInfo, stream: _Forward) -> bytes:
    if not member.isfile():
        raise Malformed("The tarball's package.json is not a file.")
    if member.size > MAX_MANIFEST:
        raise Malformed(f"The tarball's package.json is larger than {MAX_MANIFEST >> 20} MiB.")
    stream.seek(member.offset_data)
    content = bytearray()
    while piece := stream.read(min(MAX_HEADER, member.size - len(content))):
        content += piece
    if len(content) != member.size:
        raise Malformed("The tarball ends within its package.json.")
    return bytes(content)


def _parsed(content: bytes) -> dict[str, Any]:
    # As npm reads it: a byte order mark is passed over, broken UTF-8 replaced.
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    try:
        parsed = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise Malformed("The tarball's package.json is not JSON.") from None
    if not isinstance(parsed, dict):
        raise Malformed("The tarball's package.json is not an object.")
    return parsed


class _Forward:
    """A gzip stream that tarfile may only read forwards, in small pieces, and not for ever."""

    def __init__(self, file: IO[bytes]) -> None:
        self._stream = igzip.IGzipFile(fileobj=file, mode="rb")  # type: ignore[no-untyped-call]
        self._position = 0
        self._reads = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; tarfile asks for an extended header whole, as long as that claims to be."""
        if size > MAX_HEADER:
            raise Malformed("The tarball has an extended header beyond all measure.")
        self._reads += 1
        if self._reads > MAX_READS:
            raise Malformed(f"The tarball has more than {MAX_READS} headers.")
        return self._take(size)

    def seek(self, position: int) -> int:
        """Skip forwards."""
        if position < self._position:
            raise Malformed("The tarball has an entry of impossible size.")
        while self._position < position and self._take(min(position - self._position, 1 << 20)):
            pass
        return self._position

    def tell(self) -> int:
        """Where the stream is, in unpacked bytes."""
        return self._position

    def _take(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._position += len(data)
        if self._position > MAX_UNPACKED:
            raise Malformed(f"The tarball unpacks to more than {MAX_UNPACKED >> 30} GiB.")
        return data
