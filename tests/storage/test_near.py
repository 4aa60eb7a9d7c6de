"""Copies near: indexes go on without the volume, and the copies never take more than they may."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

import pytest

from registry.errors import Unavailable
from registry.storage.documents import Documents
from registry.storage.near import NearCopies
from tests.specimens import BAR, FOO, Storage
from tests.storage.test_documents import NEW, OLD, files


@pytest.fixture
def near(storage: Storage) -> Path:
    return storage.root / "near"


@pytest.fixture
def documents(storage: Storage, near: Path) -> Documents:
    volumes = {"public": storage.volume, "private": storage.volume}
    return Documents(volumes, storage.database, NearCopies(near))


@pytest.fixture
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can have names on both."""

    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "another disk", str(path), None, str(target))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


async def test_a_volume_that_is_gone_hides_no_document(storage: Storage, documents: Documents) -> None:
    """F7: neither one that was kept before nor one that comes meanwhile."""
    await documents.put(FOO, OLD)
    volume = storage.root / "volume"
    volume.rename(storage.root / "unmounted")
    volume.mkdir()
    assert await documents.get(FOO) == OLD
    await documents.put(FOO, NEW)
    await documents.put(BAR, OLD)
    assert (await documents.get(FOO), await documents.get(BAR)) == (NEW, OLD)
    assert list(volume.iterdir()) == []


async def test_a_volume_that_is_back_gets_what_came_meanwhile(
    storage: Storage, documents: Documents, near: Path
) -> None:
    await documents.put(FOO, OLD)
    storage.volume.root.rename(storage.root / "unmounted")
    await documents.put(FOO, NEW)
    (storage.root / "unmounted").rename(storage.volume.root)
    await documents.put(FOO, NEW)  # the source was asked again, and had no news
    for copy in near.iterdir():
        copy.unlink()
    assert await documents.get(FOO) == NEW


async def test_a_copy_that_is_lost_or_damaged_is_found_on_the_volume(
    documents: Documents, near: Path, two_disks: None
) -> None:
    for damage in (Path.unlink, lambda path: path.write_bytes(b"?"), lambda path: os.truncate(path, 20)):
        await documents.put(FOO, OLD)
        (copy,) = near.iterdir()
        damage(copy)
        assert await documents.get(FOO) == OLD
        await documents.put(FOO, NEW)


async def test_on_one_disk_a_copy_is_a_second_name_that_outlives_the_first(
    storage: Storage, documents: Documents, near: Path
) -> None:
    await storage.volume.start()
    await documents.put(FOO, OLD)
    [copy], [file] = near.iterdir(), files(storage)
    assert copy.samefile(file)
    file.unlink()
    assert await documents.get(FOO) == OLD


async def test_where_no_second_name_can_be_given_a_copy_is_one(
    storage: Storage, documents: Documents, near: Path, two_disks: None
) -> None:
    await storage.volume.start()
    await documents.put(FOO, OLD)
    [copy], [file] = near.iterdir(), files(storage)
    assert not copy.samefile(file)
    assert copy.read_bytes() == file.read_bytes()


async def test_what_is_replaced_or_dropped_leaves_no_copy(
    storage: Storage, documents: Documents, near: Path
) -> None:
    await documents.put(FOO, OLD)
    await documents.put(FOO, NEW)
    assert len(list(near.iterdir())) == len(files(storage)) == 1
    await documents.drop(FOO)
    assert list(near.iterdir()) == files(storage) == []


async def test_a_local_disk_that_takes_nothing_leaves_the_volume(
    storage: Storage, documents: Documents, near: Path
) -> None:
    near.write_text("not a directory")
    await documents.put(FOO, OLD)
    assert await documents.get(FOO) == OLD
    storage.volume.root.rename(storage.root / "unmounted")
    with pytest.raises(Unavailable):
        await documents.put(FOO, NEW)


def test_the_least_recently_used_copies_go_first(tmp_path: Path) -> None:
    near, names = NearCopies(tmp_path, most=16_000), [secrets.token_hex(4) for _ in range(40)]
    for number, name in enumerate(names):
        path = near.put(name, [b"x" * 500, b"y" * 500])
        assert path is not None
        os.utime(path, (number, number))
        assert near.find(names[0]) is not None, "was used a moment ago"
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 16_000
    assert near.find(names[1]) is None
    assert near.find(names[-1]) is not None
