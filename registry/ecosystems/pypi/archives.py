"""Zip and tar archives that no two readers understand differently.

Names that collide or climb, entries that the directory doesn't list, data before or behind: each is a trick.
Archives are read as streams with fixed bounds, so a small file can't make us use much memory or time.
The rules are those of APPNOTE and POSIX pax, and what the public index demands of uploads.
"""

from __future__ import annotations

import gzip
import posixpath
import stat
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Self

from registry.ecosystems.pypi.names import shown
from registry.errors import Malformed

MAX_ENTRIES = 100_000
MAX_DIRECTORY = 32 * 2**20
"""Bytes of a zip's central directory."""
MAX_UNPACKED = 8 * 2**30
"""Bytes that a wheel may claim to unpack to."""
MAX_SDIST = 2 * 2**30
"""Bytes that we unpack of an sdist, which has no directory to believe."""
MAX_RATIO = 200
"""Unpacked to packed, from `RATIO_FROM` on: deflate itself reaches 1030, software some 10."""
RATIO_FROM = 64 * 2**20
MAX_TAR_HEADER = 64 * 2**10
"""Bytes of an extended tar header, which tarfile takes into memory whole."""
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_END = struct.Struct("<4sHHHHIIH")
_END64_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DESCRIPTOR = 0x8
_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_ZIP64 = 0x0001
_EXTENDED = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


def checked_tar(file: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The entries of a gzipped tar, each checked, with the archive that reads it."""
    unpacked = _Unpacked(file)
    count = 0
    with tarfile.TarFile(fileobj=unpacked, mode="r", tarinfo=_CheckedHeader) as archive:  # type: ignore[arg-type]  # it reads, seeks and tells, no more
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # or it would remember them all
            count += 1
            if count > MAX_ENTRIES:
                raise Malformed(f"The sdist has more than {MAX_ENTRIES} entries.")
            _check_tar_member(member)
            yield archive, member
    unpacked.expect_zeros()


@contextmanager
def checked_zip(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """A zip whose every byte is accounted for: entries one after another, directory, end, nothing else."""
    directory, size, count = _directory(file)
    with zipfile.ZipFile(file) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
        if len(entries) != count or len(entries) > MAX_ENTRIES:
            raise Malformed("The zip's directory doesn't hold as many entries as it says, or too many.")
        position = 0
        for entry in entries:
            _check_entry(entry)
            if entry.header_offset != position:
                raise Malformed("The zip has data between its entries, or entries that overlap.")
            position = _end_of(file, entry)
        if position != directory:
            raise Malformed("The zip has data between its entries and its directory.")
        _refuse_collisions([entry.filename for entry in entries])
        unpacked = sum(entry.file_size for entry in entries)
        _refuse_bomb(unpacked, max(directory + size, 1), MAX_UNPACKED)
        yield archive


def _directory(file: IO[bytes]) -> tuple[int, int, int]:
    """(offset, bytes, entries) of the central directory, which ends where the end record begins."""
    end = file.seek(0, 2) - _END.size
    _, *disks, here, count, size, offset, comment = _unpack(_END, b"PK\x05\x06", file, end)
    if comment or any(disks) or here != count:
        raise Malformed("The zip has a comment, or is one of several volumes.")
    file.seek(max(end - _END64_LOCATOR.size, 0))
    if file.read(4) == b"PK\x06\x07":
        # The two end records must agree, or readers of zip64 and others would see two archives.
        small, end = (count, size, offset), end - _END64_LOCATOR.size
        _, _, end64, _ = _unpack(_END64_LOCATOR, b"PK\x06\x07", file, end)
        *_, count, size, offset = _unpack(_END64, b"PK\x06\x06", file, end64)
        limits = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        agrees = all(
            a in {b, limit} for a, b, limit in zip(small, (count, size, offset), limits, strict=True)
        )
        if not agrees or end64 != end - _END64.size:
            raise Malformed("The zip has two ends that disagree.")
        end = end64
    if offset + size != end:
        raise Malformed("The zip has data before its entries, or between its directory and its end.")
    if size > MAX_DIRECTORY:
        raise Malformed(f"The zip's directory is longer than {MAX_DIRECTORY} bytes.")
    return offset, size, count


def _unpack(record: struct.Struct, signature: bytes, file: IO[bytes], offset: int) -> tuple[Any, ...]:
    file.seek(max(offset, 0))
    values = record.unpack(file.read(record.size))
    if values[0] != signature:
        raise Malformed("The file isn't a zip, or has data behind its end.")
    return values


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename  # `filename` ends at the first NUL
    _check_member_name(name)
    if entry.flag_bits & _ENCRYPTED:
        raise Malformed(f"The zip's entry {shown(name)} is encrypted.")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Malformed(f"The zip's entry {shown(name)} is packed by something else than deflate.")
    if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise Malformed(f"The zip's entry {shown(name)} is a link or a device.")
    if entry.flag_bits & _DESCRIPTOR and entry.compress_type == zipfile.ZIP_STORED and entry.file_size:
        raise Malformed(f"The zip's entry {shown(name)} is stored without saying before how long it is.")


def _end_of(file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    """Where an entry's data ends; its local header must say what the directory says."""
    _, _, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _unpack(
        _LOCAL, b"PK\x03\x04", file, entry.header_offset
    )
    name, extra = file.read(name_length), file.read(extra_length)
    fields, listed_fields = _extra_fields(extra), _extra_fields(entry.extra)
    if _UNICODE_PATH in fields or _UNICODE_PATH in listed_fields:
        raise Malformed(f"The zip's entry {shown(entry.orig_filename)} has a second name.")
    if 0xFFFFFFFF in {packed, unpacked}:
        unpacked, packed = struct.unpack("<QQ", fields[_ZIP64][:16])
    true = (entry.CRC, entry.compress_size, entry.file_size)
    later = bool(flags & _DESCRIPTOR)
    encoding = "utf-8" if entry.flag_bits & _UTF8 else "cp437"
    if (
        name != entry.orig_filename.encode(encoding)
        or (flags, method) != (entry.flag_bits, entry.compress_type)
        or (crc, packed, unpacked) not in ({true, (0, 0, 0)} if later else {true})
    ):
        raise Malformed(f"The zip's entry {shown(entry.orig_filename)} says two things about itself.")
    end: int = entry.header_offset + _LOCAL.size + name_length + extra_length + entry.compress_size
    return end + _descriptor_length(file, end, true) if later else end


def _descriptor_length(file: IO[bytes], offset: int, true: tuple[int, int, int]) -> int:
    file.seek(offset)
    found = file.read(24)
    for layout in ("<IQQ", "<III"):
        for signature in (b"PK\x07\x08", b""):
            descriptor = signature + struct.pack(layout, *true)
            if found.startswith(descriptor):
                return len(descriptor)
    raise Malformed("The zip has an entry whose descriptor isn't what the directory says.")


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    fields = {}
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        fields[kind] = extra[4 : 4 + length]
        extra = extra[4 + length :]
    return fields


def _refuse_collisions(names: list[str]) -> None:
    seen = set()
    for name in names:
        place = parts(name)
        if place in seen:
            raise Malformed(f"The zip holds {shown(name)} twice.")
        seen.add(place)


class _Unpacked:
    """A gzip stream as a file that goes forwards only, with bounds."""

    def __init__(self, file: IO[bytes]) -> None:
        self._packed = file.seek(0, 2)
        file.seek(0)
        self._stream = gzip.GzipFile(fileobj=file, mode="rb")
        self._position = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._position += len(data)
        _refuse_bomb(self._position, self._packed, MAX_SDIST)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise Malformed("The sdist has a header that points backwards.")
        while self._position < position:
            if not self.read(min(position - self._position, 2**18)):
                raise EOFError("it ends within an entry")

    def expect_zeros(self) -> None:
        """What follows the last entry is padding, not another archive."""
        while data := self.read(2**18):
            if data.strip(b"\0"):
                raise Malformed("The sdist has data behind its end.")


class _CheckedHeader(tarfile.TarInfo):
    """A tar header that tarfile may act on: it would take extended ones of any length into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError:
            if buf.strip(b"\0"):  # tarfile would take it for the end
                raise Malformed("The sdist has a broken header.") from None
            raise
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise Malformed("The sdist has a sparse file.")
        extended = header.type not in tarfile.SUPPORTED_TYPES or header.type in _EXTENDED
        if header.size < 0 or (extended and header.size > MAX_TAR_HEADER):
            raise Malformed("The sdist has a header of an impossible size.")
        return header


def _check_tar_member(member: tarfile.TarInfo) -> None:
    _check_member_name(member.name)
    # Sizes above 8 GiB are what this pax record is for; smaller, two readers see two archives.
    if "size" in member.pax_headers or any(key.startswith("GNU.sparse") for key in member.pax_headers):
        raise Malformed(f"The sdist's entry {shown(member.name)} says two things about its size.")
    if member.issym() or member.islnk():
        start = posixpath.dirname(member.name) if member.issym() else ""
        target = posixpath.normpath(posixpath.join(start, member.linkname))
        if parts(target)[:1] != parts(member.name)[:1]:
            raise Malformed(f"The sdist's link {shown(member.name)} leads out of it.")
    elif not member.isfile() and not member.isdir():
        raise Malformed(f"The sdist's entry {shown(member.name)} is a device.")


def parts(name: str) -> tuple[str, ...]:
    """A member's name by its folders; both kinds of slash part them."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."})


def _check_member_name(name: str) -> None:
    climbs = ".." in parts(name) or name.startswith(("/", "\\")) or name[1:2] == ":"
    if climbs or "\0" in name or not name:
        raise Malformed(f"The archive has an entry with the name {shown(name)}.")


def _refuse_bomb(unpacked: int, packed: int, most: int) -> None:
    if unpacked > most or (unpacked > RATIO_FROM and unpacked > packed * MAX_RATIO):
        raise Malformed(f"The archive unpacks to far more than the {packed} bytes that it has.")
