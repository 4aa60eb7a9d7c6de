"""What can't be fetched again comes back from one archive, made while everything runs; an edited one doesn't."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.errors import Conflict, Malformed
from registry.provenance.checkpoints import LogKey, new_key
from registry.storage import backup
from registry.storage.connections import connect
from tests.guarantees.house import House, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OURS, PUBLIC = make_wheel("ours", "1.0"), make_wheel("demo", "1.0")
OURS_JS = make_tarball("@acme/tool", "1.0.0")


def key_of(house: House) -> LogKey:
    return LogKey((house.data / "keys" / "log-key").read_text())


def create(house: House, target: Path) -> backup.Manifest:
    return backup.create(
        house.data, house.volume, [house.policy_file], target, key=key_of(house), release="1", now=NOW
    )


@pytest.fixture
async def stocked(house: House, upstream: LyingUpstream) -> House:
    upstream.add(PUBLIC)
    assert (await house.upload(OURS)).status == 200
    assert (await house.publish(OURS_JS)).status == 201
    for package in (OURS, OURS_JS, PUBLIC):
        assert (await house.fetch(package)).is_whole(package.data)
    return house


async def test_private_packages_log_and_keys_come_back(stocked: House, tmp_path: Path) -> None:
    house, archive = stocked, tmp_path / "backup.tar.gz"
    made = await asyncio.to_thread(create, house, archive)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert await asyncio.to_thread(backup.verify, archive, key_of(house).public) == made
    deliveries = len(house.rows("delivery"))
    token = house.admin
    await house.stop()
    shutil.rmtree(house.data)
    await asyncio.to_thread(backup.restore, archive, house.data, new_volume=True)
    assert (house.data / "restored" / "policy.toml").read_text() == house.policy_file.read_text()
    assert (house.data / "keys" / "log-key").stat().st_mode & 0o777 == 0o600
    await house.start()
    assert house.admin == token
    for package in (OURS, OURS_JS, PUBLIC):
        assert (await house.ask(path_of(package))).is_whole(package.data)
    assert len(house.rows("delivery")) == deliveries + 3
    verified = await house.ask("/api/v1/audit/verify", headers=house.admin)
    assert verified.json["intact"]


async def test_a_backup_under_load_is_of_one_moment(stocked: House, tmp_path: Path) -> None:
    house = stocked

    ended = False

    async def load() -> None:
        while not ended:
            await house.ask(path_of(OURS))

    clients = [asyncio.create_task(load()) for _ in range(4)]
    try:
        for number in range(3):
            archive = tmp_path / f"{number}.tar.gz"
            made = await asyncio.to_thread(create, house, archive)
            assert (await asyncio.to_thread(backup.verify, archive)).rows == made.rows > 0
    finally:
        ended = True
        await asyncio.gather(*clients)


async def test_whatever_is_published_meanwhile_every_row_in_a_backup_has_its_bytes(
    stocked: House, tmp_path: Path
) -> None:
    """F23: the archives are of moments between publications, never of the middle of one."""
    house, published, news = stocked, 0, asyncio.Event()
    archives: list[Path] = []

    async def publish(name: str) -> None:
        nonlocal published
        number = 0
        while len(archives) < 3:
            number += 1
            wheel = make_wheel(name, f"1.{number}", padding=30_000)
            tarball = make_tarball(f"@acme/{name}", f"1.{number}.0")
            assert (await house.upload(wheel)).status == 200
            assert (await house.publish(tarball)).status == 201
            for package in (wheel, tarball):
                assert (await house.fetch(package)).is_whole(package.data)
            published += 2
            news.set()

    publishing = [asyncio.create_task(publish(name)) for name in ("acme-a", "acme-b")]
    for number in range(3):
        before = published
        while published < before + 2:
            news.clear()
            await news.wait()
        archive = tmp_path / f"{number}.tar.gz"
        await asyncio.to_thread(create, house, archive)
        archives.append(archive)
    await asyncio.gather(*publishing)

    counts = []
    for archive in archives:
        restored = tmp_path / f"restored-{archive.name}"
        await asyncio.to_thread(backup.restore, archive, restored)
        connection = connect(restored / "registry.db")
        held = connection.execute(
            "SELECT blob FROM artifact WHERE origin = 'private' AND blob IS NOT NULL"
        ).fetchall()
        connection.close()
        for (name,) in held:
            blob = str(name)
            path = restored / "private" / "blobs" / "blobs" / "sha256" / blob[:2] / blob
            assert hashlib.sha256(path.read_bytes()).hexdigest() == blob
        counts.append(len(held))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1], "something was published in between"


async def test_the_public_cache_is_not_in_it_and_nothing_is_left_beside_it(
    stocked: House, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (stocked.data / "processes").mkdir(exist_ok=True)
    (stocked.data / "processes" / "leases").write_bytes(b"of those that run now")
    made = await asyncio.to_thread(create, stocked, folder / "b.tar.gz")
    left_out = ("volume", "spool", "indexes", "shelf", "processes")
    assert not [
        name
        for name in made.files
        if name.startswith(tuple(f"data/{each}/" for each in left_out)) or name.endswith("-wal")
    ]
    assert [path.name for path in folder.iterdir()] == ["b.tar.gz"]


Edit = Callable[[dict[str, bytes]], dict[str, bytes]]
EDITS: dict[str, Edit] = {
    "a file changed": lambda files: files | {"data/keys/why-key": b"0" * 64},
    "a file taken out": lambda files: {n: d for n, d in files.items() if n != "data/htpasswd"},
    "a file added": lambda files: files | {"data/private/npm/evil": b"evil"},
    "the manifest changed": lambda files: (
        files | {"manifest.json": files["manifest.json"].replace(b'"release":"1"', b'"release":"2"')}
    ),
    "the manifest taken out": lambda files: {n: d for n, d in files.items() if n != "manifest.json"},
    "the signature taken out": lambda files: {n: d for n, d in files.items() if n != "manifest.sig"},
    "a path that leads out": lambda files: files | {"data/../../evil": b"evil"},
    "an absolute path": lambda files: files | {"/absolute/evil": b"evil"},
    "a stranger": lambda files: files | {"evil": b"evil"},
}


@pytest.mark.parametrize("name", EDITS)
async def test_an_edited_archive_is_refused_and_nothing_is_restored(
    stocked: House, tmp_path: Path, name: str
) -> None:
    """F23."""
    archive, target = tmp_path / "backup.tar.gz", tmp_path / "elsewhere" / "data"
    await asyncio.to_thread(create, stocked, archive)
    _write(archive, EDITS[name](_read(archive)))
    with pytest.raises(Malformed):
        await asyncio.to_thread(backup.verify, archive)
    with pytest.raises(Malformed):
        await asyncio.to_thread(backup.restore, archive, target)
    assert list(target.parent.iterdir()) == []
    assert not (tmp_path / "evil").exists()


async def test_a_damaged_or_cut_off_archive_is_refused(stocked: House, tmp_path: Path) -> None:
    """F23."""
    archive = tmp_path / "backup.tar.gz"
    await asyncio.to_thread(create, stocked, archive)
    whole = archive.read_bytes()
    for at in (len(whole) // 10, len(whole) // 2, len(whole) - 5):
        archive.write_bytes(whole[:at])
        with pytest.raises(Malformed):
            await asyncio.to_thread(backup.verify, archive)
        flipped = bytearray(whole)
        flipped[at] ^= 0xFF  # one bit alone might be one of those that fill up a byte of gzip
        archive.write_bytes(bytes(flipped))
        with pytest.raises(Malformed):
            await asyncio.to_thread(backup.verify, archive)


async def test_an_archive_of_somebody_else_is_noticed_by_who_has_the_key(
    stocked: House, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    await asyncio.to_thread(create, stocked, archive)
    with pytest.raises(Malformed, match="isn't signed"):
        await asyncio.to_thread(backup.verify, archive, LogKey(new_key()).public)


async def test_a_log_that_was_changed_before_the_backup_is_noticed_at_the_backup(
    stocked: House, tmp_path: Path
) -> None:
    house, archive = stocked, tmp_path / "backup.tar.gz"
    connection = connect(house.data / "registry.db")
    connection.execute(
        "DROP TRIGGER log_is_never_changed;"
        " UPDATE log SET event = replace(event, 'anonymous', 'nobody') WHERE kind = 'delivery'"
    ).fetchall()
    connection.close()
    await asyncio.to_thread(create, house, archive)
    with pytest.raises(Malformed, match="was changed after it was written"):
        await asyncio.to_thread(backup.verify, archive)


async def test_nothing_is_overwritten(stocked: House, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    await asyncio.to_thread(create, stocked, archive)
    before = archive.read_bytes()
    with pytest.raises(Conflict):
        await asyncio.to_thread(create, stocked, archive)
    with pytest.raises(Conflict):
        await asyncio.to_thread(backup.restore, archive, stocked.data)
    assert archive.read_bytes() == before
    empty = tmp_path / "empty"
    empty.mkdir()
    await asyncio.to_thread(backup.restore, archive, empty)
    assert (empty / "registry.db").exists()


def _read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def _write(archive: Path, files: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    archive.write_bytes(gzip.compress(buffer.getvalue()))
