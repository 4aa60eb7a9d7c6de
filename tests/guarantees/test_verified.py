"""I1, I2: no client ever holds a complete file that wasn't checked, and what was seen first stays.

Rows U1 to U4, U6 to U9 and U24 of the fault matrix. Whatever the upstream does, nothing wrong is kept, and the
next client is right once the upstream is.
"""

from __future__ import annotations

import hashlib

import pytest

from registry.pipeline.verify import HELD_BACK
from registry.storage import staging
from registry.web import flights
from tests.guarantees.house import House, path_of
from tests.upstream import Distribution, Fault, LyingUpstream, Tarball, faults, make_tarball, make_wheel

SMALL = make_wheel("demo", "1.0")
LARGE = make_wheel("demo", "1.0", padding=200_000)
TARBALL = make_tarball("@team/tool", "1.0.0", padding=300_000)

FAULTS: dict[str, tuple[Fault, bool | None]] = {
    # whether it raises an integrity alarm; None where that depends on which check meets it first
    "U1 wrong bytes, right length": (faults.wrong_bytes, True),
    "U1 one flipped bit": (faults.flipped_bit, True),
    "U2 cut off": (faults.truncated, False),
    "U2 length too large": (faults.length_off_by(1), None),
    "U3 chunked, ended early": (faults.early_chunked_end, True),
    "U4 length too small": (faults.length_off_by(-1), None),
    "U4 longer than announced": (faults.longer_by(1), True),
    "U5 two lengths": (faults.two_lengths, False),
    "U17 reset halfway": (faults.reset_halfway, False),
    "U24 gzip nobody asked for": (faults.coded("gzip"), False),
    "U24 gzip in gzip": (faults.coded("gzip, gzip"), False),
    "U24 brotli": (faults.coded("br"), False),
}


@pytest.mark.parametrize("package", [SMALL, LARGE, TARBALL], ids=["small", "large, streamed", "npm"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_wrong_file_is_never_complete_nor_kept_and_the_next_one_is_right(
    house: House,
    upstream: LyingUpstream,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    package: Distribution | Tarball,
) -> None:
    if package is LARGE:
        monkeypatch.setattr(flights, "STREAM_AFTER", 0)
        monkeypatch.setattr(staging, "_BUFFER", 1_000)  # so that followers are close behind
    upstream.add(package)
    path = await house.learn(package)
    lie, alarming = FAULTS[fault]
    upstream.lie(lie, f"*{package.filename}")
    for more in ({}, {"Range": "bytes=-10"}, {"Range": f"bytes={len(package.data) - 10}-"}):
        got = await house.ask(path, headers=more)
        assert got.status == 502 or (got.status == 200 and not got.whole)
        assert got.status == 502 or len(got.body) <= len(package.data) - HELD_BACK
    assert not house.blobs()
    assert not house.temp_files()
    assert not house.rows("delivery")
    if alarming is not None:
        assert ("integrity" in house.alarms()) == alarming
    upstream.heal()
    house.clock.advance(seconds=60)
    assert (await house.ask(path)).is_whole(package.data)
    house.require_sound()


async def test_an_integrity_alarm_names_both_digests(house: House, upstream: LyingUpstream) -> None:
    upstream.add(SMALL)
    path = await house.learn(SMALL)
    upstream.lie(faults.wrong_bytes, "/files/*")
    await house.ask(path)
    message = house.rows("alarm")[-1]["detail"]["message"]
    assert hashlib.sha256(SMALL.data).hexdigest() in message
    assert hashlib.sha256(b"X" * len(SMALL.data)).hexdigest() in message


def changed(package: Distribution | Tarball) -> Distribution | Tarball:
    """Other bytes under the same file name, honestly announced."""
    if isinstance(package, Distribution):
        return make_wheel(package.project, package.version, modules={"evil.py": "import os\n"})
    return make_tarball(package.name, package.version, scripts={"postinstall": "node evil.js"})


@pytest.mark.parametrize("package", [SMALL, TARBALL], ids=["pypi", "npm"])
async def test_other_bytes_under_a_kept_name_are_not_let_in_and_alarmed(
    house: House, upstream: LyingUpstream, package: Distribution | Tarball
) -> None:
    """U6 with the file here: the old one stays, its digest stays announced."""
    upstream.add(package)
    assert (await house.fetch(package)).is_whole(package.data)
    upstream.add(changed(package))
    house.clock.advance(hours=1)
    assert (await house.fetch(package)).is_whole(package.data)
    assert "changed-digest" in house.alarms()
    if isinstance(package, Distribution):
        (file,) = (await house.index("demo"))["files"]
        assert file["hashes"]["sha256"] == hashlib.sha256(package.data).hexdigest()
        assert not file.get("yanked")


@pytest.mark.parametrize("package", [SMALL, TARBALL], ids=["pypi", "npm"])
async def test_other_bytes_under_a_seen_name_are_refused_with_the_reason(
    house: House, upstream: LyingUpstream, package: Distribution | Tarball
) -> None:
    """U6 with the file not here."""
    upstream.add(package)
    path = await house.learn(package)
    upstream.add(changed(package))
    house.clock.advance(hours=1)
    await house.ask("/pypi/simple/demo/" if package is SMALL else "/npm/@team%2ftool")
    got = await house.ask(path)
    assert (got.status, "another digest than at first sight" in got.reason) == (403, True)
    assert (await house.ask(path, method="HEAD")).status == 403
    if package is SMALL:
        beside = (f"{path}.metadata", f"/pypi/integrity/demo/{SMALL.version}/{SMALL.filename}/provenance")
        assert [(await house.ask(each)).status for each in beside] == [403, 403]
    else:
        assert (await house.ask("/npm/-/npm/v1/attestations/@team%2ftool@1.0.0")).status == 403
    assert house.alarms().count("changed-digest") == 1
    upstream.add(package)  # it was a mistake of the upstream's, and is mended
    house.clock.advance(hours=1)
    assert (await house.fetch(package)).is_whole(package.data)


@pytest.mark.parametrize("hashes", [{"md5": "0" * 32}, {"sha1": "0" * 40}], ids=str)
async def test_a_file_without_a_strong_digest_is_refused(
    house: House, upstream: LyingUpstream, hashes: dict[str, str]
) -> None:
    """U7 at first sight."""
    weak = make_wheel("demo", "1.0")
    weak.hashes = hashes
    upstream.add(weak)
    got = await house.fetch(weak)
    assert (got.status, "sha256" in got.reason) == (403, True)
    assert not upstream.asked("/files/*")


async def test_a_digest_never_becomes_weaker(house: House, upstream: LyingUpstream) -> None:
    """U7 later: announced with sha256 at first, with md5 alone now."""
    upstream.add(SMALL)
    path = await house.learn(SMALL)
    weak = make_wheel("demo", "1.0")
    weak.hashes = {"md5": hashlib.md5(weak.data).hexdigest()}
    upstream.add(weak, make_wheel("demo", "2.0"))
    house.clock.advance(hours=1)
    yanked = {file["filename"]: file.get("yanked") for file in (await house.index("demo"))["files"]}
    assert "sha256" in str(yanked[weak.filename])
    got = await house.ask(path)
    assert (got.status, "at first sight" in got.reason) == (403, True)
    assert not upstream.asked("/files/*")


async def test_one_name_with_two_digests_is_no_file_at_all(house: House, upstream: LyingUpstream) -> None:
    """U8."""
    good = make_wheel("demo", "2.0")
    upstream.add(SMALL, good)
    twin = make_wheel("demo", "1.0", modules={"other.py": ""})
    upstream.python["demo"].append(twin)
    assert [file["filename"] for file in (await house.index("demo"))["files"]] == [good.filename]
    assert (await house.ask(path_of(SMALL))).status == 404
    assert "index" in house.alarms()


async def test_a_file_of_another_project_is_dropped(house: House, upstream: LyingUpstream) -> None:
    """U9, Python: the name in a file's name is not the project's."""
    stranger = make_wheel("other", "1.0")
    upstream.add(SMALL)
    upstream.python["demo"].append(stranger)
    assert [file["filename"] for file in (await house.index("demo"))["files"]] == [SMALL.filename]
    assert "index" in house.alarms()


async def test_a_packument_of_another_package_is_a_failure_of_the_upstream(
    house: House, upstream: LyingUpstream
) -> None:
    """U9, npm."""
    upstream.add(TARBALL)
    upstream.lie(faults.rewritten('"name": "@team/tool", "dist-tags"', '"name": "@team/evil", "dist-tags"'))
    assert (await house.ask("/npm/@team%2ftool")).status == 502
