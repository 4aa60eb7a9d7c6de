"""F20: whatever is done to the files of a stopped database, it has every durable row, or it doesn't open."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import ConfigurationError
from registry.storage.database import Database
from registry.storage.provenance_log import ProvenanceLog
from tests.specimens import event

ROWS = 40


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
async def killed(tmp_path: Path) -> Path:
    """The files as a kill leaves them: some rows in the database proper, the others in the -wal file alone."""
    live = tmp_path / "live" / "registry.db"
    live.parent.mkdir()
    database = Database.open(live)
    await write(database, ROWS // 2)
    database.close()
    shutil.copy(live, tmp_path / "older.db")
    database = Database.open(live)
    await write(database, ROWS // 2)
    shutil.copytree(live.parent, tmp_path / "killed")
    database.close()
    return tmp_path / "killed" / "registry.db"


async def write(database: Database, rows: int) -> None:
    log = ProvenanceLog(database)
    await asyncio.gather(*(log.record(event()) for _ in range(rows)))


async def rows(path: Path) -> int:
    database = Database.open(path)
    try:
        found = len(await ProvenanceLog(database).events(limit=10 * ROWS))
        await write(database, 1)
    finally:
        database.close()
    return found


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        Database.open(path)
    return " ".join(refused.value.problems)


@pytest.mark.parametrize("gone", [(), ("-shm",)], ids=["nothing", "shm"])
async def test_a_killed_database_has_all_its_rows_with_or_without_its_shared_memory(
    killed: Path, gone: tuple[str, ...]
) -> None:
    for name in gone:
        remove(killed.with_name(killed.name + name))
    assert await rows(killed) == ROWS


@pytest.mark.parametrize("damage", [remove, empty, cut, flip])
@pytest.mark.parametrize("without_shm", [False, True])
async def test_rows_that_went_with_the_wal_are_missed(
    killed: Path, damage: Callable[[Path], None], without_shm: bool
) -> None:
    wal = killed.with_name("registry.db-wal")
    kept = shutil.copy(wal, killed.parent / "aside")
    damage(wal)
    if without_shm:
        remove(killed.with_name("registry.db-shm"))
    said = refusal(killed)
    assert f"row {ROWS} was written: commits are missing" in said
    assert f"`mv {killed.parent} {killed.parent}.damaged && registry backup restore ARCHIVE`" in said
    for leftover in killed.parent.glob("registry.db-*"):
        leftover.unlink()
    shutil.copy(kept, wal)
    assert await rows(killed) == ROWS, "what was taken away can be put back"


@pytest.mark.parametrize("damage", [remove, empty])
async def test_a_database_that_is_gone_is_not_begun_anew(
    killed: Path, damage: Callable[[Path], None]
) -> None:
    kept = shutil.copy(killed, killed.parent / "aside")
    damage(killed)
    for _ in range(2):
        assert "is empty or gone, and it had rows" in refusal(killed)
    shutil.copy(kept, killed)
    assert await rows(killed) == ROWS, "its -wal file was left alone"


async def test_an_emptied_database_is_told_by_its_wal_alone(killed: Path) -> None:
    remove(killed.with_name("registry.db.head"))
    empty(killed)
    assert "is empty or gone, and it had rows" in refusal(killed)
    assert killed.with_name("registry.db-wal").stat().st_size


async def test_an_older_copy_in_its_place_is_noticed(killed: Path) -> None:
    for leftover in killed.parent.glob("registry.db-*"):
        leftover.unlink()
    shutil.copy(killed.parents[1] / "older.db", killed)
    assert f"ends at row {ROWS // 2}, but row {ROWS} was written" in refusal(killed)


async def test_whoever_deletes_the_head_goes_on_without_the_rows(killed: Path) -> None:
    remove(killed.with_name("registry.db-wal"))
    remove(killed.with_name("registry.db.head"))
    assert await rows(killed) == ROWS // 2
    assert await rows(killed) == ROWS // 2 + 1


async def test_after_a_clean_stop_nothing_is_needed_but_the_database(killed: Path) -> None:
    assert await rows(killed) == ROWS
    assert sorted(path.name for path in killed.parent.glob("registry.db*")) == [
        "registry.db",
        "registry.db.head",
    ]
    remove(killed.with_name("registry.db.head"))
    assert await rows(killed) == ROWS + 1
