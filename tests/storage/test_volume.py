"""The volume: known by its id, never written to when it isn't the right one."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from registry.errors import Unavailable
from registry.model.indexes import Document
from registry.storage import volume as volume_module
from registry.storage.adoptions import Adoptions
from registry.storage.database import Database
from registry.storage.durable import explain
from registry.storage.neighbours import Neighbours
from registry.storage.volume import Volume
from registry.storage.warehouse import Warehouse
from tests.specimens import FOO, NOW, Storage, event, opened


async def test_a_new_directory_becomes_a_volume(storage: Storage) -> None:
    await storage.volume.start()
    assert len((storage.root / "volume" / "volume-id").read_text().strip()) == 32
    assert storage.volume.local


async def test_an_empty_mount_point_becomes_a_volume(storage: Storage) -> None:
    (storage.root / "volume" / "lost+found").mkdir(parents=True)
    await storage.volume.start()
    assert (storage.root / "volume" / "blobs" / "sha256").is_dir()


async def test_a_directory_with_other_things_in_it_is_left_alone(storage: Storage) -> None:
    (storage.root / "volume").mkdir()
    (storage.root / "volume" / "photos").mkdir()
    with pytest.raises(Unavailable, match="other files"):
        await storage.volume.start()
    assert [path.name for path in (storage.root / "volume").iterdir()] == ["photos"]


async def test_the_same_volume_is_known_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as first:
        sha256 = await first.blobs.put(b"kept")
    async with opened(tmp_path) as second:
        await second.volume.start()
        assert await second.blobs.read(sha256) == b"kept"


async def test_another_database_adopts_a_volume_that_has_an_id(tmp_path: Path) -> None:
    """F13."""
    async with opened(tmp_path) as first:
        await first.volume.start()
    (tmp_path / "registry.db").rename(tmp_path / "lost.db")
    async with opened(tmp_path) as second:
        await second.volume.start()


async def test_an_empty_mount_point_is_never_written_to(storage: Storage) -> None:
    """F7."""
    sha256 = await storage.blobs.put(b"kept")
    root = storage.root / "volume"
    root.rename(storage.root / "unmounted")
    root.mkdir()
    for use in (storage.volume.check(), storage.blobs.put(b"new"), storage.blobs.find(sha256)):
        with pytest.raises(Unavailable, match="mount"):
            await use
    assert list(root.iterdir()) == []
    root.rmdir()
    with pytest.raises(Unavailable):
        await storage.volume.check()
    assert not root.exists()
    (storage.root / "unmounted").rename(root)
    await storage.volume.check()
    assert await storage.blobs.read(sha256) == b"kept"


async def test_a_missing_volume_at_start_is_used_once_it_is_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as first:
        sha256 = await first.blobs.put(b"kept")
    (tmp_path / "volume").rename(tmp_path / "unmounted")
    async with opened(tmp_path) as second:
        with pytest.raises(Unavailable, match="volume-id"):
            await second.volume.start()
        with pytest.raises(Unavailable):
            await second.blobs.put(b"new")
        (tmp_path / "unmounted").rename(tmp_path / "volume")
        assert await second.blobs.read(sha256) == b"kept"
        assert await second.blobs.put(b"new")


async def test_another_volume_is_refused_naming_both(storage: Storage) -> None:
    """F8."""
    await storage.volume.start()
    path = storage.root / "volume" / "volume-id"
    expected = path.read_text()[:8]
    path.write_text("f" * 32)
    for use in (storage.volume.check(), storage.blobs.put(b"new")):
        with pytest.raises(Unavailable, match=f"another one .id ffffffff, expected {expected}"):
            await use


async def test_another_volume_is_noticed_by_the_next_file_that_is_written(storage: Storage) -> None:
    """F8, by the look of its volume-id on a local disk."""
    await storage.blobs.put(b"kept")
    root = storage.root / "volume"
    root.rename(storage.root / "unmounted")
    shutil.copytree(storage.root / "unmounted", root)
    await storage.blobs.put(b"a copy has the same id")
    (root / "volume-id").write_text("f" * 32)
    with pytest.raises(Unavailable, match="another one"):
        await storage.blobs.put(b"new")
    (root / "volume-id").unlink()
    with pytest.raises(Unavailable, match="no volume-id"):
        await storage.blobs.put(b"new")


@pytest.mark.parametrize("text", ["", "not hex", "\x1b[2J" * 8])
async def test_a_damaged_volume_id_is_refused(storage: Storage, text: str) -> None:
    await storage.volume.start()
    (storage.root / "volume" / "volume-id").write_text(text)
    with pytest.raises(Unavailable, match="damaged") as caught:
        await storage.volume.check()
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("lost", ["blobs", "blobs/sha256", "tmp", "index", "bad"])
async def test_a_lost_tree_is_made_anew_on_the_right_volume(storage: Storage, lost: str) -> None:
    """F13."""
    sha256 = await storage.blobs.put(b"kept")
    shutil.rmtree(storage.root / "volume" / lost)
    assert (await storage.blobs.find(sha256) is None) == lost.startswith("blobs")
    assert await storage.blobs.put(b"kept") == sha256
    storage.volume.blob(sha256).write_bytes(b"rot")
    assert await storage.blobs.find(sha256) is None
    assert len(list((storage.root / "volume" / "bad").iterdir())) == 1
    document = Document(body=b"{}", content_type="text/plain", url="https://up.example/", checked=NOW)
    await storage.documents.put(FOO, document)
    assert await storage.documents.get(FOO)


async def test_a_lost_tree_is_not_made_anew_on_an_empty_mount_point(storage: Storage) -> None:
    root = storage.root / "volume"
    staging = await storage.blobs.stage()
    await staging.write(b"on its way")
    root.rename(storage.root / "unmounted")
    root.mkdir()
    with pytest.raises(Unavailable, match="mount"):
        await staging.commit(())
    assert list(root.iterdir()) == []


async def test_two_volumes_of_one_database_have_their_own_ids(tmp_path: Path, database: Database) -> None:
    volumes = [Volume(tmp_path / key, database, key=key) for key in ("lan", "private")]
    for each in volumes:
        await each.start()
        await each.check()
        each.close()
    assert len({(tmp_path / key / "volume-id").read_text() for key in ("lan", "private")}) == 2


async def test_orphaned_temp_files_are_swept_and_fresh_ones_are_not(storage: Storage) -> None:
    """F14."""
    await storage.volume.start()
    old, fresh = storage.volume.temp / "old", storage.volume.temp / "fresh"
    old.write_bytes(b"")
    fresh.write_bytes(b"")
    os.utime(old, (0, 0))
    (storage.volume.temp / "directory").mkdir()
    (storage.volume.temp / "link").symlink_to("/etc/passwd")
    await storage.volume.start()
    assert not old.exists()
    assert fresh.exists()


async def test_a_full_volume_takes_nothing_new_and_serves_the_old(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = await storage.blobs.put(b"kept")
    monkeypatch.setattr(volume_module, "_RESERVE", 1 << 80)
    monkeypatch.setattr(
        os, "statvfs", lambda path: os.statvfs_result((4096, 4096, 1000, 10, 10, 9, 9, 9, 0, 255))
    )
    for use in (storage.volume.check(), storage.blobs.put(b"new")):
        with pytest.raises(Unavailable, match="full"):
            await use
    assert await storage.blobs.read(sha256) == b"kept"


async def test_a_read_only_volume_serves_what_it_has(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = await storage.blobs.put(b"kept")
    figures = (4096, 4096, 10**9, 10**9, 10**9, 9, 9, 9, os.ST_RDONLY, 255)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(figures))
    for use in (storage.volume.check(), storage.blobs.put(b"new")):
        with pytest.raises(Unavailable, match="read-only"):
            await use
    assert await storage.blobs.read(sha256) == b"kept"


async def test_a_volume_that_hangs_costs_its_own_calls_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F9."""
    monkeypatch.setattr("registry.storage.pool._SHORT", 0.01)
    gate = threading.Event()
    async with opened(tmp_path, threads=1, patience=0.01) as storage:
        storage.volume.later(gate.wait)
        with pytest.raises(Unavailable, match="does not answer"):
            await storage.volume.start()
        with pytest.raises(Unavailable, match="does not answer"):
            await storage.blobs.find("00" * 32)
        assert await storage.log.record(event()) == 1
        assert await storage.catalogue.projects("pypi") == ()
        gate.set()
        while True:
            try:
                await storage.volume.start()
                break
            except Unavailable:
                await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "I/O error"),
        (errno.ESTALE, "mount it again"),
        (errno.EACCES, "user id"),
        (errno.ENOTCONN, "look at"),
    ],
)
def test_a_system_error_is_told_as_what_to_do(code: int, says: str) -> None:
    """F15."""
    message = str(explain(OSError(code, os.strerror(code), "/secret/path"), "the LAN volume"))
    assert says in message
    assert "/secret" not in message
    assert message.startswith("The LAN volume ")


async def test_strangers_on_the_volume_are_left_alone_and_never_followed(storage: Storage) -> None:
    """F14."""
    volume, outside = storage.root / "volume", storage.root / "outside"
    warehouse = Warehouse(
        storage.volume,
        storage.database,
        storage.blobs,
        Adoptions(storage.volume, storage.database, storage.blobs),
        Neighbours(storage.volume, storage.database),
    )
    sha256 = await storage.blobs.put(b"")
    assert await storage.blobs.read(sha256) == b"", "nothing can be a blob too"
    (outside / "ab").mkdir(parents=True)
    target = outside / "ab" / ("ab" * 32)
    target.write_bytes(b"of somebody else")
    strangers = [
        volume / "Thumbs.db",
        volume / "tmp" / ".nfs0000000000000001",
        volume / "blobs" / "sha256" / "desktop.ini",
        volume / "blobs" / "sha256" / sha256[:2] / ".nfs0000000000000002",
        volume / "index" / "Thumbs.db",
    ]
    for path in strangers:
        path.write_bytes(b"?")
    folder = volume / "blobs" / "sha256" / sha256[:2] / ("cd" * 32)
    folder.mkdir()
    links = [volume / "blobs" / "sha256" / "ab", volume / "index" / ("ef" * 32), volume / "tmp" / ("0" * 32)]
    for link, leads in zip(links, (outside / "ab", target, target), strict=True):
        link.symlink_to(leads)
    for path in (*strangers, target, folder):
        os.utime(path, (0, 0))
    kept = await warehouse.measure()
    assert (kept.files, kept.orphans, kept.documents) == (0, 1, 0), "the empty blob alone"
    assert await warehouse.unnamed() == ((sha256, 0),)
    assert (await warehouse.collect(dry_run=False)).files == 0
    await storage.volume.start()
    for path in (volume / "Thumbs.db", *strangers[2:], target, folder, *links):
        assert path.exists(), path
    assert await storage.blobs.find(target.name) is None
    assert target.read_bytes() == b"of somebody else"
