import contextlib
import gzip
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.npm import NPM
from registry.errors import Malformed
from registry.model.artifacts import Artifact
from registry.model.publications import Contents
from tests.ecosystems.npm.world import entry, package, tarball

PROJECT = NPM.parse_name("left-pad")
GOOD = {"name": "left-pad", "version": "1.0.0"}
GOOD_BYTES = json.dumps(GOOD).encode()
GOOD_ENTRY = entry("package/package.json", GOOD_BYTES)


def inspect(data: bytes, version: str = "1.0.0") -> Contents | None:
    artifact = Artifact(project=PROJECT, filename=f"left-pad-{version}.tgz", version=version)
    return NPM.inspect(artifact, io.BytesIO(data))


def test_a_tarball_says_its_name_and_version() -> None:
    assert inspect(package(GOOD)) == Contents(project=PROJECT, version="1.0.0")


def test_another_name_or_version_inside_is_told_as_it_is() -> None:
    found = inspect(package({"name": "@evil/pad", "version": "6.6.6"}))
    assert found == Contents(project=NPM.parse_name("@evil/pad"), version="6.6.6")


@pytest.mark.parametrize(
    ("inside", "asked", "told"),
    [("v1.0.0", "1.0.0", "1.0.0"), ("1.0.0+build", "1.0.0", "1.0.0"), ("1.0.0beta", "1.0.0beta", "1.0.0beta"), ("1.0.1", "1.0.0", "1.0.1")],
)  # fmt: skip
def test_versions_that_npm_cleans_to_the_same_are_the_same(inside: str, asked: str, told: str) -> None:
    found = inspect(package(GOOD | {"version": inside}), asked)
    assert found is not None
    assert found.version == told


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(tarball(entry("node/", type=tarfile.DIRTYPE), entry("node/package.json", GOOD_BYTES)), id="another folder name"),
        pytest.param(tarball(entry("package//./package.json", GOOD_BYTES)), id="needless parts"),
        pytest.param(tarball(GOOD_ENTRY, GOOD_ENTRY), id="the same one twice"),
        pytest.param(tarball(entry("package/a/package.json", b"no JSON"), GOOD_ENTRY), id="others deeper down"),
        pytest.param(package(b"\xef\xbb\xbf" + GOOD_BYTES), id="byte order mark"),
        pytest.param(package(GOOD_BYTES[:-1] + b',"x":"\xff"}'), id="broken UTF-8 elsewhere in it"),
        pytest.param(tarball(entry("package/" + "d" * 300 + "/x", b"x"), GOOD_ENTRY), id="a long path (pax)"),
        pytest.param(tarball(entry("package/" + "d" * 300 + "/x", b"x"), GOOD_ENTRY, form=tarfile.GNU_FORMAT), id="a long path (GNU)"),
        pytest.param(tarball(entry("package/a/l", type=tarfile.SYMTYPE, linkname="../index.js"), GOOD_ENTRY), id="a link inside the package"),
        pytest.param(tarball(entry("package/h", type=tarfile.LNKTYPE, linkname="package/index.js"), GOOD_ENTRY), id="a hard link inside the package"),
        pytest.param(tarball(entry("package/big", b"x" * 300_000), GOOD_ENTRY), id="more than a piece of other content"),
        pytest.param(package(GOOD | {"x": "y" * 200_000}), id="a package.json of several pieces"),
    ],
)  # fmt: skip
def test_what_npm_unpacks_is_read(data: bytes) -> None:
    assert inspect(data) == Contents(project=PROJECT, version="1.0.0")


def raw_header(size: int = 0) -> bytes:
    info, _ = entry("package/x", size=size)
    return info.tobuf(tarfile.GNU_FORMAT)


def negative_size() -> bytes:
    header = bytearray(raw_header())
    header[124:136] = b"\xff" * 8 + (-1024 & 0xFFFFFFFF).to_bytes(4, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + b"\0" * 2048)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "gzipped tar", id="nothing"),
        pytest.param(b"PK\x03\x04 a zip", "gzipped tar", id="another format"),
        pytest.param(package(GOOD)[:-40], "gzipped tar", id="cut off"),
        pytest.param(package(GOOD) + b"MORE", "gzipped tar", id="something behind"),
        pytest.param(gzip.compress(b"x" * 5120), "no package.json", id="gzip without a tar"),
        pytest.param(tarball(entry("package/index.js", b"1")), "no package.json", id="no package.json"),
        pytest.param(tarball(entry("package.json", GOOD_BYTES)), "no package.json", id="package.json without a folder"),
        pytest.param(package(b"{"), "not JSON", id="broken JSON"),
        pytest.param(package(b"[" * 50_000), "not JSON", id="nested without end"),
        pytest.param(package(b"[]"), "not an object", id="a list"),
        pytest.param(package({"version": "1.0.0"}), "no name", id="nameless"),
        pytest.param(package({"name": "left-pad", "version": 1}), "no version", id="a number for a version"),
        pytest.param(package({"name": "left-pad", "version": "new"}), "is no version", id="a word for a version"),
        pytest.param(package({"name": "../x", "version": "1.0.0"}), "not an npm name", id="a path for a name"),
        pytest.param(tarball(entry("../x", b"x"), GOOD_ENTRY), "leave", id="up"),
        pytest.param(tarball(entry("package/../../x", b"x"), GOOD_ENTRY), "leave", id="down and up"),
        pytest.param(tarball(entry("package\\..\\..\\x", b"x"), GOOD_ENTRY), "leave", id="up by backslashes"),
        pytest.param(tarball(entry("/etc/passwd", b"x"), GOOD_ENTRY), "leave", id="absolute"),
        pytest.param(tarball(entry("C:/x", b"x"), GOOD_ENTRY), "leave", id="a drive"),
        pytest.param(tarball(entry("package/dev", type=tarfile.CHRTYPE), GOOD_ENTRY), "neither file nor folder", id="a character device"),
        pytest.param(tarball(entry("package/dev", type=tarfile.BLKTYPE), GOOD_ENTRY), "neither file nor folder", id="a block device"),
        pytest.param(tarball(entry("package/pipe", type=tarfile.FIFOTYPE), GOOD_ENTRY), "neither file nor folder", id="a pipe"),
        pytest.param(tarball(entry("package/l", type=tarfile.SYMTYPE, linkname="../../x"), GOOD_ENTRY), "points out", id="a link out"),
        pytest.param(tarball(entry("package/l", type=tarfile.SYMTYPE, linkname="a/../../x"), GOOD_ENTRY), "points out", id="a link down and out"),
        pytest.param(tarball(entry("package/l", type=tarfile.SYMTYPE, linkname="/etc"), GOOD_ENTRY), "points out", id="an absolute link"),
        pytest.param(tarball(entry("package/h", type=tarfile.LNKTYPE, linkname="../x"), GOOD_ENTRY), "points out", id="a hard link out"),
        pytest.param(tarball(entry("package/package.json", type=tarfile.SYMTYPE, linkname="x")), "not a file", id="package.json is a link"),
        pytest.param(tarball(GOOD_ENTRY, entry("package/package.json", b"{}")), "two different", id="two package.json"),
        pytest.param(tarball(GOOD_ENTRY, entry("other/package.json", b"{}")), "two different", id="two folders, one package.json each"),
        pytest.param(tarball(GOOD_ENTRY, entry("package/Package.JSON", b"{}")), "other letters", id="package.json in other letters"),
        pytest.param(negative_size(), "impossible size", id="a negative size"),
        pytest.param(gzip.compress(raw_header(size=8 << 30) + b"\0" * 1024), "gzipped tar", id="a size beyond the file"),
    ],
)  # fmt: skip
def test_a_tarball_that_lies_or_tries_a_trick_is_malformed(data: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        inspect(data)


def test_a_second_package_json_behind_an_empty_block_is_seen_as_npm_sees_it() -> None:
    def archive(content: bytes) -> bytes:
        info, _ = entry("package/package.json", content)
        return info.tobuf() + content.ljust(-(-len(content) // 512) * 512, b"\0")

    data = gzip.compress(archive(GOOD_BYTES) + b"\0" * 512 + archive(b"{}") + b"\0" * 1024)
    with pytest.raises(Malformed, match="two different"):
        inspect(data)


@pytest.mark.parametrize(
    ("limit", "value", "data", "says"),
    [
        pytest.param("MAX_READS", 5, tarball(*(entry(f"package/{i}") for i in range(9))), "more than 5 headers", id="entries"),
        pytest.param("MAX_READS", 5, gzip.compress(b"\0" * 512 * 9), "more than 5 headers", id="empty blocks"),
        pytest.param("MAX_UNPACKED", 4096, tarball(entry("package/x", b"\0" * 9000), GOOD_ENTRY), "unpacks to more", id="a bomb"),
        pytest.param("MAX_MANIFEST", 10, package(GOOD), "package.json is larger", id="a package.json without end"),
        pytest.param("MAX_HEADER", 512, tarball(entry("package/" + "d" * 3000, b""), GOOD_ENTRY), "beyond all measure", id="a header without end"),
    ],
)  # fmt: skip
def test_limits_hold(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, data: bytes, says: str) -> None:
    monkeypatch.setattr(f"registry.ecosystems.npm.contents.{limit}", value)
    with pytest.raises(Malformed, match=says):
        inspect(data)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_no_bytes_break_the_inspector(noise: bytes, at: int) -> None:
    plain = gzip.decompress(package(GOOD))
    for data in (noise, gzip.compress(noise), gzip.compress(plain[:at] + noise + plain[at + len(noise) :])):
        with contextlib.suppress(Malformed):
            inspect(data)
