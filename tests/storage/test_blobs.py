"""Blobs on a real disk: every way a file can go bad, and the order of the calls that keep it."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import IntegrityFailed, Unavailable
from registry.model.blobs import Blob
from registry.storage import blobs as blobs_module
from registry.storage import durable
from registry.storage.small_files import SMALL
from tests.specimens import Storage, opened, sha

DATA = b"the bytes of a wheel" * 1_000
SHA256 = sha(DATA).hex


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def flip_in_silence(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate(path: Path) -> None:
    os.truncate(path, 10)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def replace(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"x" * len(DATA))


@pytest.fixture
async def blob(storage: Storage) -> Path:
    await storage.blobs.put(DATA)
    return storage.volume.blob(SHA256)


def count_hashing(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    hashed: list[Path] = []

    def counting(path: Path, algorithm: str) -> str:
        hashed.append(path)
        return durable.digest_of(path, algorithm)

    monkeypatch.setattr(blobs_module, "digest_of", counting)
    return hashed


@pytest.mark.parametrize("damage", [flip, truncate, empty, replace])
async def test_a_damaged_blob_is_never_found_and_is_an_alarm(
    storage: Storage, blob: Path, damage: Callable[[Path], None]
) -> None:
    """F11."""
    damage(blob)
    assert await storage.blobs.find(SHA256) is None
    assert not blob.exists()
    assert [path.name[:64] for path in (storage.root / "volume" / "bad").iterdir()] == [SHA256]
    (alarm,) = await storage.alarms()
    assert (alarm.sha256, alarm.detail["alarm"]) == (SHA256, "damaged-blob")
    await storage.blobs.put(DATA)
    assert await storage.blobs.read(SHA256) == DATA


async def test_damage_that_no_stat_shows_is_found_when_we_read_the_blob_ourselves(
    storage: Storage, blob: Path
) -> None:
    flip_in_silence(blob)
    assert await storage.blobs.read(SHA256) is None
    assert len(await storage.alarms()) == 1


async def test_damage_that_no_stat_shows_is_found_when_a_small_blob_is_read_into_memory(
    storage: Storage, blob: Path
) -> None:
    await storage.database.write(lambda _: None)  # how it looked is in the table now
    flip_in_silence(blob)
    assert storage.blobs.at_once(SHA256) is None
    assert await storage.blobs.find(SHA256) is None
    assert len(await storage.alarms()) == 1
    assert not blob.exists()
    await storage.blobs.put(DATA)
    assert storage.blobs.at_once(SHA256) == Blob(blob, DATA)


async def test_a_small_blob_is_read_once_as_long_as_its_file_looks_the_same(
    storage: Storage, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def reading(path: Path) -> bytes:
        read.append(path)
        return durable.read_whole(path)

    monkeypatch.setattr(blobs_module, "read_whole", reading)
    for _ in range(3):
        assert storage.blobs.at_once(SHA256) == Blob(blob, DATA)
    assert read == [blob]
    replace(blob)
    assert storage.blobs.at_once(SHA256) is None


async def test_a_large_blob_stays_on_the_disk(storage: Storage) -> None:
    data = b"x" * (SMALL + 1)
    sha256 = await storage.blobs.put(data)
    assert storage.blobs.at_once(sha256) == Blob(storage.volume.blob(sha256), None)


async def test_a_missing_blob_is_missing_and_no_alarm(storage: Storage, blob: Path) -> None:
    """F12."""
    blob.unlink()
    assert await storage.blobs.find(SHA256) is None
    assert await storage.alarms() == []


async def test_a_link_or_a_directory_is_no_blob(storage: Storage, blob: Path) -> None:
    """F14."""
    blob.rename(storage.root / "elsewhere")
    blob.symlink_to(storage.root / "elsewhere")
    assert await storage.blobs.find(SHA256) is None
    blob.unlink()
    blob.mkdir()
    assert await storage.blobs.find(SHA256) is None


async def test_a_blob_is_not_written_through_a_linked_directory(storage: Storage) -> None:
    await storage.volume.start()
    outside = storage.root / "outside"
    outside.mkdir()
    storage.volume.blob(SHA256).parent.symlink_to(outside)
    with pytest.raises(Unavailable):
        await storage.blobs.put(DATA)
    assert list(outside.iterdir()) == []


async def test_a_touched_blob_is_hashed_once_and_trusted_again(
    storage: Storage, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = count_hashing(monkeypatch)
    os.utime(blob, (1, 1))
    found = await asyncio.gather(*(storage.blobs.find(SHA256) for _ in range(5)))
    assert found == [blob] * 5
    assert await storage.blobs.find(SHA256) == blob
    assert hashed == [blob]


async def test_what_was_committed_is_not_hashed_again_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as first:
        await first.blobs.put(DATA)
    hashed = count_hashing(monkeypatch)
    async with opened(tmp_path) as second:
        await second.volume.start()
        assert await second.blobs.find(SHA256)
        os.utime(second.volume.blob(SHA256), (1, 1))
    async with opened(tmp_path) as third:
        await third.volume.start()
        assert await third.blobs.find(SHA256)
        assert len(hashed) == 1


async def test_a_blob_that_no_row_knows_is_hashed_before_it_is_believed(
    storage: Storage, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = storage.volume.blob("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"anything")
    assert await storage.blobs.find("ab" * 32) is None
    assert not stray.exists()


async def test_a_blob_is_kept_by_these_calls_in_this_order(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.volume.start()
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def recording_fsync(descriptor: int) -> None:
        calls.append("fsync " + str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(root)))
        fsync(descriptor)

    def recording_rename(source: Path, name: str, **options: int) -> None:
        calls.append(f"rename to {name}")
        rename(source, name, **options)

    root = storage.root / "volume"
    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "rename", recording_rename)
    staging = await storage.blobs.stage()
    await staging.write(DATA)
    temp = staging.path.relative_to(root)
    await staging.commit([])
    shard = f"blobs/sha256/{SHA256[:2]}"
    assert calls == [
        f"fsync {temp}",
        "fsync blobs/sha256",
        f"rename to {SHA256}",
        f"fsync {shard}",
    ]


@pytest.mark.parametrize("call", ["fsync", "rename", "write", "close", "mkdir"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.ESTALE])
async def test_a_call_that_fails_leaves_nothing_and_the_next_try_works(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """F3, F4."""
    staging = await storage.blobs.stage()
    await staging.write(DATA)
    real = getattr(os, call)

    def failing(*arguments: object, **options: object) -> object:
        if call == "close":
            real(*arguments)
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(Unavailable):
            await staging.commit([sha(DATA)])
    assert await storage.blobs.find(SHA256) is None
    assert list(storage.volume.temp.iterdir()) == []
    assert await storage.blobs.put(DATA) == SHA256


async def test_a_disk_that_fails_is_an_alarm_once_until_it_keeps_something_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3."""

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def alarms() -> list[object]:
        return [row.event.detail["alarm"] for row in await storage.log.events(kinds=["alarm"])]

    await storage.volume.start()
    for expected in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            for _ in range(3):
                with pytest.raises(Unavailable, match="I/O error"):
                    await storage.blobs.put(DATA)
        assert await alarms() == ["write-failed"] * expected
        sha256 = await storage.blobs.put(DATA)
        await storage.blobs.drop(sha256)


async def test_a_volume_that_can_not_sync_directories_is_lived_with(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F15."""
    await storage.volume.start()
    monkeypatch.setattr(durable, "_tolerated", set())
    fsync = os.fsync

    def fsync_of_smb(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_of_smb)
    for data in (b"one", b"two"):
        await storage.blobs.put(data)
    assert caplog.text.count("can't fsync directories") == 1


async def test_nothing_stays_in_temp_after_a_failed_check(storage: Storage) -> None:
    staging = await storage.blobs.stage()
    await staging.write(DATA)
    with pytest.raises(IntegrityFailed):
        await staging.commit([sha(b"other")])
    assert list(storage.volume.temp.iterdir()) == []


async def test_a_given_up_staging_takes_no_more_bytes(storage: Storage) -> None:
    staging = await storage.blobs.stage()
    await staging.write(DATA)
    await staging.discard()
    with pytest.raises(Unavailable):
        await staging.commit([])
    assert await storage.blobs.find(SHA256) is None


async def test_a_staging_that_came_too_late_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, threads=1, patience=5) as storage:
        await storage.volume.start()
        gate = threading.Event()
        storage.volume.later(gate.wait)
        leaving = asyncio.create_task(storage.blobs.put(DATA))
        await asyncio.sleep(0)
        leaving.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await storage.volume.run(lambda: None)
        assert list(storage.volume.temp.iterdir()) == []


async def test_nothing_of_a_small_file_is_on_disk_before_it_is_committed(storage: Storage) -> None:
    staging = await storage.blobs.stage(len(DATA))
    await staging.write(DATA[:7])
    await staging.write(DATA[7:])
    assert list(storage.volume.temp.iterdir()) == []
    assert await staging.commit([sha(DATA)], len(DATA)) == SHA256
    assert staging.path == storage.volume.blob(SHA256)


async def test_a_slow_download_can_be_read_along(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.storage.staging._LINGER", 0.0)
    staging = await storage.blobs.stage()
    await staging.write(b"a few bytes")
    assert staging.path.read_bytes() == b"a few bytes"
    assert staging.size == 11
    await staging.discard()
