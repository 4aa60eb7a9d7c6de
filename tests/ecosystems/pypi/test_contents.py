"""Looking into wheels and sdists without unpacking them: what they say, and tricks (U29, U31)."""

from __future__ import annotations

import copy
import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.pypi import archives, contents
from registry.ecosystems.pypi.contents import inspect
from registry.errors import Malformed
from registry.model.publications import Contents
from tests.ecosystems.pypi.files import (
    FOO,
    artifact,
    metadata,
    sdist,
    sdist_entries,
    tarred,
    wheel,
    wheel_entries,
    zipped,
)

WHEEL = "foo_bar-1.0-py3-none-any.whl"
SDIST = "foo_bar-1.0.tar.gz"


def look(filename: str, data: bytes) -> Contents | None:
    return inspect(artifact(filename), io.BytesIO(data))


def test_a_wheel_says_its_name_version_and_metadata() -> None:
    assert look(WHEEL, wheel()) == Contents(project=FOO, version="1.0", metadata=metadata())


@pytest.mark.parametrize("info", ["Foo.Bar-1.0.dist-info", "foo_bar-1.0.0rc.dist-info"])
def test_the_names_in_a_wheel_may_be_spelled_otherwise(info: str) -> None:
    version = info.removesuffix(".dist-info").rpartition("-")[2]
    filename = f"foo_bar-{version}-py3-none-any.whl"
    assert look(filename, wheel(info=info, inside=metadata("FOO-bar", version)))


def test_an_sdist_says_its_name_and_version_but_its_metadata_is_not_relied_on() -> None:
    expected = Contents(project=FOO, version="1.0")
    assert look(SDIST, sdist()) == expected
    assert look("foo_bar-1.0.zip", zipped({"foo_bar-1.0/PKG-INFO": metadata()})) == expected


def test_an_sdist_without_pkg_info_says_nothing() -> None:
    assert look(SDIST, sdist([("foo_bar-1.0/setup.py", b"")])) is None
    assert look("foo_bar-1.0.zip", zipped({"foo_bar-1.0/setup.py": b""})) is None
    assert look(SDIST, sdist([("foo_bar-1.0/src/PKG-INFO", metadata("other"))])) is None


@pytest.mark.parametrize("fmt", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_tar_formats_are_read(fmt: int) -> None:
    long = [(f"foo_bar-1.0/{'d' * 60}/{'f' * 60}", b"x" * 700), *sdist_entries()]
    assert look(SDIST, gzip.compress(tarred(long, fmt)))


def test_a_zip_written_as_a_stream_is_read() -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in wheel_entries().items():
            archive.writestr(name, data)
    assert look(WHEEL, stream.getvalue())


def test_zip64_is_read() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in wheel_entries().items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    data = stream.getvalue()
    assert look(WHEEL, data)
    # The same directory announced by zip64 records, and by 0xFFFF in the old one.
    count, size, offset = struct.unpack("<HII", data[-12:-2])
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(data) - 22, 1)
    full = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert look(WHEEL, data[:-22] + end64 + locator + full)
    with pytest.raises(Malformed, match="two ends"):
        look(WHEEL, data[:-22] + end64 + b"hidden" + locator + full)
    lie = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count - 1, count - 1, size, offset, 0)
    with pytest.raises(Malformed, match="two ends"):
        look(WHEEL, data[:-22] + end64 + locator + lie)


def with_entry(name: str, data: bytes = b"x", **attributes: int) -> bytes:
    info = zipfile.ZipInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return zipped([*wheel_entries().items(), (info, data)])


def named(name: bytes) -> bytes:
    """A wheel with one more entry whose name `zipfile` itself wouldn't write."""
    return with_entry("Z" * len(name)).replace(b"Z" * len(name), name)


def stored_stream(data: bytes) -> bytes:
    """Set the descriptor bit of every entry, stored ones included."""
    info = zipfile.ZipInfo("x.py")
    info.compress_type = zipfile.ZIP_STORED
    whole = bytearray(zipped([*wheel_entries().items(), (info, data)]))
    local, listed = whole.rfind(b"PK\x03\x04"), whole.rfind(b"PK\x01\x02")
    whole[local + 6] |= 8
    whole[listed + 8] |= 8
    return bytes(whole)


def patched(find: bytes, offset: int, new: bytes, last: bool = False) -> bytes:
    """A wheel with bytes changed at `offset` from the first (or last) record with a signature."""
    whole = bytearray(wheel())
    start = (whole.rfind if last else whole.find)(find) + offset
    whole[start : start + len(new)] = new
    return bytes(whole)


def inserted(before: bytes, data: bytes) -> bytes:
    whole = wheel()
    at = whole.find(before)
    return whole[:at] + data + whole[at:]


def crafted(change: Callable[[zipfile.ZipFile], object], before: bytes = b"") -> bytes:
    """A wheel whose directory was changed before it was written, with offsets that fit."""
    stream = io.BytesIO(before)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*wheel_entries().items(), ("last.py", b"hidden")]:
            archive.writestr(name, data)
        change(archive)
    return stream.getvalue()


def listed_twice(archive: zipfile.ZipFile) -> None:
    again = copy.copy(archive.filelist[-1])
    again.filename = again.orig_filename = "again.py"
    archive.filelist.append(again)


def extra_name() -> bytes:
    info = zipfile.ZipInfo("a.py")
    info.extra = struct.pack("<HH", 0x7075, 9) + b"\x01\0\0\0\0b.py"
    return zipped([*wheel_entries().items(), (info, b"")])


def unlisted_extra(data: bytes, record: bytes = b"PK\x01\x02") -> bytes:
    """Turn the second name into a field that means nothing, in one of the two places that have it."""
    whole = bytearray(data)
    at = whole.index(struct.pack("<H", 0x7075), whole.rfind(record))
    whole[at : at + 2] = b"\xff\xff"
    return bytes(whole)


ZIP_TRICKS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("broken archive", lambda: b""),
    "not a zip": ("isn't a zip", lambda: b"x" * 500),
    "a tar": ("isn't a zip", lambda: tarred([("x", b"")])),
    "truncated": ("isn't a zip", lambda: wheel()[:-30]),
    "data before": ("data before its entries", lambda: b"#!/bin/sh\n" + wheel()),
    "data behind": ("data behind its end", lambda: wheel() + b"\n"),
    "a zip behind a zip": ("data before its entries", lambda: wheel() + wheel()),
    "a comment": ("data behind its end", lambda: wheel()[:-2] + b"\x03\0abc"),
    "data between entries": ("or between its directory", lambda: inserted(b"PK\x01\x02", b"hidden")),
    "an entry the directory lacks": (
        "or between its directory",
        lambda: inserted(b"PK\x01\x02", b"PK\x03\x04" + bytes(26)),
    ),
    "fewer entries than announced": (
        "as many entries as it says",
        lambda: patched(b"PK\x05\x06", 8, b"\x09\0\x09\0"),
    ),
    "several volumes": ("several volumes", lambda: patched(b"PK\x05\x06", 4, b"\x01\0")),
    "another local name": ("two things about itself", lambda: patched(b"PK\x03\x04", 30, b"bar_foo")),
    "another local method": ("two things about itself", lambda: patched(b"PK\x03\x04", 8, b"\0\0")),
    "another local size": ("two things about itself", lambda: patched(b"PK\x03\x04", 22, b"\xff")),
    "another local checksum": ("two things about itself", lambda: patched(b"PK\x03\x04", 14, b"\0\0")),
    "no local header": ("isn't a zip", lambda: patched(b"PK\x03\x04", 0, b"XXXX", last=True)),
    "encrypted": ("is encrypted", lambda: patched(b"PK\x01\x02", 8, b"\x01\0")),
    "an unknown method": (
        "something else than deflate",
        lambda: with_entry("x.py", compress_type=zipfile.ZIP_LZMA),
    ),
    "two names": ("second name", extra_name),
    "two names, the second not listed": ("second name", lambda: unlisted_extra(extra_name())),
    "two names, the second not local": ("second name", lambda: unlisted_extra(extra_name(), b"PK\x03\x04")),
    "stored, length after": ("how long it is", lambda: stored_stream(b"data")),
    "climbs": ("the name '../x.py'", lambda: with_entry("../x.py")),
    "climbs within": ("the name 'a/../../x.py'", lambda: with_entry("a/../../x.py")),
    "climbs by backslash": ("the name '..\\\\x.py'", lambda: named(b"..\\x.py")),
    "absolute": ("the name '/etc/x'", lambda: named(b"/etc/x")),
    "absolute by backslash": ("the name '", lambda: named(b"\\etc\\x")),
    "a drive": ("the name 'C:x.py'", lambda: named(b"C:x.py")),
    "NUL in a name": ("the name 'x.py\\x00.txt'", lambda: named(b"x.py\0.txt")),
    "a symbolic link": ("link or a device", lambda: with_entry("link", external_attr=0o120777 << 16)),
    "a device": ("link or a device", lambda: with_entry("null", external_attr=0o020666 << 16)),
    "a bomb": (
        "unpacks to far more",
        lambda: zipped([*wheel_entries().items(), ("zeros", bytes(2**20))]),
    ),
    "data before, offsets that fit": (
        "data between its entries",
        lambda: crafted(lambda _: None, b"#!/bin/sh"),
    ),
    "an unlisted entry at the end": (
        "between its entries and its directory",
        lambda: crafted(lambda archive: archive.filelist.pop()),
    ),
    "an unlisted entry": (
        "data between its entries",
        lambda: crafted(lambda archive: archive.filelist.pop(1)),
    ),
    "an entry under two names": ("entries that overlap", lambda: crafted(listed_twice)),
    "no dist-info": ("this one has 0", lambda: zipped({"x.py": b""})),
    "two dist-infos": (
        "this one has 2",
        lambda: zipped(wheel_entries() | wheel_entries("foo_bar-2.0.dist-info")),
    ),
    "dist-info of another project": (
        "'other-1.0.dist-info' is of another",
        lambda: wheel(info="other-1.0.dist-info"),
    ),
    "dist-info of another version": (
        "'foo_bar-2.0.dist-info' is of another",
        lambda: wheel(info="foo_bar-2.0.dist-info"),
    ),
    "metadata of another project": ("it is 'other' '1.0'", lambda: wheel(inside=metadata("other"))),
    "metadata of another version": ("it is 'Foo.Bar' '2.0'", lambda: wheel(inside=metadata(version="2.0"))),
    "metadata without a name": ("it is '' ''", lambda: wheel(inside=b"Metadata-Version: 2.1\n")),
    "metadata with two names": ("it is '' '1.0'", lambda: wheel(inside=b"Name: other\n" + metadata())),
    "metadata that is no text": ("it is '' ''", lambda: wheel(inside=bytes(range(256)) * 4)),
    "no WHEEL": (
        "no WHEEL",
        lambda: zipped({k: v for k, v in wheel_entries().items() if not k.endswith("WHEEL")}),
    ),
    "no RECORD": (
        "no RECORD",
        lambda: zipped({k: v for k, v in wheel_entries().items() if not k.endswith("RECORD")}),
    ),
    "no METADATA": (
        "no METADATA",
        lambda: zipped({k: v for k, v in wheel_entries().items() if not k.endswith("DATA")}),
    ),
    "a directory that is a METADATA": ("twice", lambda: with_entry("foo_bar-1.0.dist-info/METADATA/")),
}


@pytest.mark.parametrize(("because", "make"), ZIP_TRICKS.values(), ids=ZIP_TRICKS.keys())
def test_a_wheel_that_tricks_is_refused(
    because: str, make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "RATIO_FROM", 2**16)
    with pytest.raises(Malformed) as caught:
        look(WHEEL, make())
    assert because in str(caught.value)
    assert str(caught.value).isascii()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["foo_bar/__init__.py", "foo_bar/./__init__.py", "foo_bar//__init__.py"])
def test_a_wheel_that_holds_a_file_twice_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match="twice"):
        look(WHEEL, with_entry(name))


def test_bounds_of_a_zip_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAX_METADATA", 10)
    with pytest.raises(Malformed, match="longer than 10 bytes"):
        look(WHEEL, wheel())
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    with pytest.raises(Malformed, match="as many entries as it says, or too many"):
        look(WHEEL, wheel())
    monkeypatch.setattr(archives, "MAX_DIRECTORY", 100)
    with pytest.raises(Malformed, match="longer than 100 bytes"):
        look(WHEEL, wheel())


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def with_member(info: tarfile.TarInfo, data: bytes = b"", **pax: str) -> bytes:
    info.pax_headers = {key.replace("__", "."): value for key, value in pax.items()}
    return sdist([*sdist_entries(), (info, data)])


def raw_header(kind: bytes, size: int, name: str = "foo_bar-1.0/x") -> bytes:
    """A header that tarfile wouldn't write, before an honest rest."""
    return gzip.compress(member(name, kind, size=size).tobuf(tarfile.GNU_FORMAT) + tarred(sdist_entries()))


def broken_header() -> bytes:
    data = bytearray(tarred(sdist_entries()))
    data[1024 + 150] ^= 0xFF
    return gzip.compress(bytes(data))


TAR_TRICKS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("broken archive", lambda: b""),
    "not gzip": ("Not a gzipped file", lambda: tarred(sdist_entries())),
    "gzip of nothing": ("empty file", lambda: gzip.compress(b"")),
    "gzip of something else": ("broken header", lambda: gzip.compress(b"x" * 2000)),
    "truncated": ("ended before", lambda: sdist()[:-20]),
    "tar truncated": ("ends within an entry", lambda: gzip.compress(tarred(sdist_entries())[:700])),
    "a bit flipped": ("CRC check failed", lambda: sdist()[:-5] + b"\xff" + sdist()[-4:]),
    "data behind the gzip": ("Not a gzipped file", lambda: sdist() + zipped({"x": b""})),
    "a tar behind the tar": ("data behind its end", lambda: gzip.compress(tarred(sdist_entries()) * 2)),
    "a broken header hides the rest": ("broken header", broken_header),
    "climbs": ("the name '../x'", lambda: with_member(member("../x"))),
    "climbs within": ("the name 'foo_bar-1.0/../../x'", lambda: with_member(member("foo_bar-1.0/../../x"))),
    "absolute": ("the name '/etc/x'", lambda: with_member(member("/etc/x"))),
    "a link out": (
        "leads out of it",
        lambda: with_member(member("foo_bar-1.0/l", tarfile.SYMTYPE, "../../etc/passwd")),
    ),
    "a link to the top": (
        "leads out of it",
        lambda: with_member(member("foo_bar-1.0/l", tarfile.SYMTYPE, "../other")),
    ),
    "an absolute link": (
        "leads out of it",
        lambda: with_member(member("foo_bar-1.0/l", tarfile.SYMTYPE, "/etc/passwd")),
    ),
    "a hard link out": (
        "leads out of it",
        lambda: with_member(member("foo_bar-1.0/l", tarfile.LNKTYPE, "../x")),
    ),
    "a device": ("is a device", lambda: with_member(member("foo_bar-1.0/null", tarfile.CHRTYPE))),
    "a FIFO": ("is a device", lambda: with_member(member("foo_bar-1.0/fifo", tarfile.FIFOTYPE))),
    "two sizes": ("two things about its size", lambda: with_member(member("foo_bar-1.0/x"), size="0")),
    "sparse by pax": (
        "two things about its size",
        lambda: with_member(member("foo_bar-1.0/x"), GNU__sparse__name="y"),
    ),
    "sparse": ("sparse file", lambda: raw_header(tarfile.GNUTYPE_SPARSE, 0)),
    "a long header": ("impossible size", lambda: raw_header(tarfile.XHDTYPE, archives.MAX_TAR_HEADER + 1)),
    "a long name": ("impossible size", lambda: raw_header(tarfile.GNUTYPE_LONGNAME, 2**40)),
    "a negative size": ("impossible size", lambda: raw_header(tarfile.REGTYPE, -512)),
    "headers without end": (
        "recursion depth",
        lambda: gzip.compress(member("x", b"L").tobuf(tarfile.GNU_FORMAT) * 5000),
    ),
    "two PKG-INFOs": (
        "several PKG-INFO",
        lambda: sdist([*sdist_entries(), ("foo_bar-1.0/PKG-INFO", metadata("other"))]),
    ),
    "two roots": (
        "several PKG-INFO",
        lambda: sdist([*sdist_entries(), ("other-1.0/PKG-INFO", metadata("other"))]),
    ),
    "a linked PKG-INFO": (
        "one that is no file",
        lambda: sdist([(member("foo_bar-1.0/PKG-INFO", tarfile.SYMTYPE, "x"), b"")]),
    ),
    "a bomb": ("unpacks to far more", lambda: with_member(member("foo_bar-1.0/z", size=2**20), bytes(2**20))),
    "of another project": (
        "it is 'other' '1.0'",
        lambda: sdist([("foo_bar-1.0/PKG-INFO", metadata("other"))]),
    ),
    "of another version": (
        "it is 'Foo.Bar' '2'",
        lambda: sdist([("foo_bar-1.0/PKG-INFO", metadata(version="2"))]),
    ),
}


@pytest.mark.parametrize(("because", "make"), TAR_TRICKS.values(), ids=TAR_TRICKS.keys())
def test_an_sdist_that_tricks_is_refused(
    because: str, make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "RATIO_FROM", 2**16)
    with pytest.raises(Malformed) as caught:
        look(SDIST, make())
    assert because in str(caught.value)
    assert str(caught.value).isascii()


def test_links_within_an_sdist_are_fine() -> None:
    inner = member("foo_bar-1.0/a/l", tarfile.SYMTYPE, "../setup.py")
    hard = member("foo_bar-1.0/h", tarfile.LNKTYPE, "foo_bar-1.0/setup.py")
    assert look(SDIST, sdist([(inner, b""), (hard, b""), *sdist_entries()]))


def test_bounds_of_an_sdist_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 1)
    with pytest.raises(Malformed, match="more than 1 entries"):
        look(SDIST, sdist())
    monkeypatch.setattr(archives, "MAX_SDIST", 100)
    with pytest.raises(Malformed, match="unpacks to far more"):
        look(SDIST, sdist())


def test_two_zips_in_an_sdists_name_are_one_too_many() -> None:
    twice = {"foo_bar-1.0/PKG-INFO": metadata(), "other/PKG-INFO": metadata("other")}
    with pytest.raises(Malformed, match="several PKG-INFO"):
        look("foo_bar-1.0.zip", zipped(twice))


@given(st.integers(0, 10_000), st.integers(1, 255), st.sampled_from([WHEEL, SDIST]))
def test_any_flipped_byte_gives_the_truth_or_malformed(place: int, change: int, filename: str) -> None:
    data = bytearray(wheel() if filename == WHEEL else sdist())
    data[place % len(data)] ^= change
    try:
        found = look(filename, bytes(data))
    except Malformed:
        return
    assert found is None or (found.project, found.version) == (FOO, "1.0")


@given(st.binary(max_size=300), st.sampled_from([WHEEL, SDIST, "foo_bar-1.0.zip"]))
def test_any_bytes_are_malformed(data: bytes, filename: str) -> None:
    with pytest.raises(Malformed):
        look(filename, data)
