"""One writer, one commit for many, and nothing half done."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import apsw
import pytest

from registry.errors import ConfigurationError, NotFound, Unavailable
from registry.model.editions import OwnEdition
from registry.model.events import Kind
from registry.storage import connections
from registry.storage.catalogue import Catalogue
from registry.storage.connections import connect, migrate
from registry.storage.database import Database
from registry.storage.file_rows import ONE_LOOKED
from registry.storage.lock_holders import lock_holder
from registry.storage.provenance_log import ProvenanceLog
from registry.storage.schema import MIGRATIONS
from tests.locking import locked
from tests.specimens import FOO, NOW, artifact, event


def set_fact(connection: apsw.Connection, name: str) -> None:
    connection.execute("INSERT INTO fact (name, value) VALUES (?, 'x')", (name,))


def facts(database: Database) -> set[str]:
    return {name for (name,) in database.rows("SELECT name FROM fact")}


async def test_a_job_that_fails_takes_nothing_with_it(database: Database) -> None:
    def failing(connection: apsw.Connection) -> None:
        set_fact(connection, "half")
        raise NotFound("Not there.")

    outcomes = await asyncio.gather(
        database.write(lambda connection: set_fact(connection, "before")),
        database.write(failing),
        database.write(lambda connection: set_fact(connection, "after")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), NotFound, type(None)]
    assert facts(database) == {"before", "after"}


async def test_jobs_that_wait_together_share_a_commit(database: Database) -> None:
    release = threading.Event()
    commits: list[int] = []

    def count() -> bool:
        commits.append(1)
        return False

    database._writer._connection.set_commit_hook(count)

    def slow(connection: apsw.Connection) -> None:
        release.wait()

    first = asyncio.create_task(database.write(slow))
    await asyncio.sleep(0)
    others = [
        asyncio.create_task(database.write(lambda connection, n=n: set_fact(connection, str(n))))  # type: ignore[misc]
        for n in range(50)
    ]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, *others)
    assert len(facts(database)) == 50
    assert len(commits) <= 2


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "registry.db")
    await database.write(lambda connection: set_fact(connection, "kept"))
    database.post(lambda connection: set_fact(connection, "posted"))
    database.close()
    again = Database.open(tmp_path / "registry.db")
    assert facts(again) == {"kept", "posted"}
    again.close()


async def test_what_nobody_waits_for_shares_the_next_commit_or_has_its_own_soon(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.post(lambda connection: set_fact(connection, "alone"))
    while facts(database) != {"alone"}:  # noqa: ASYNC110  nobody is told
        await asyncio.sleep(0.01)
    monkeypatch.setattr("registry.storage.database._LINGER", 3_600)
    database.post(lambda connection: set_fact(connection, "posted"))
    await database.write(lambda connection: set_fact(connection, "waited for"))
    assert facts(database) == {"alone", "posted", "waited for"}


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "registry.db")
    database.close()
    with pytest.raises(Unavailable):
        await database.write(lambda connection: set_fact(connection, "late"))
    with pytest.raises(Unavailable):
        database.post(lambda connection: set_fact(connection, "late"))


async def test_reads_go_on_while_another_program_holds_the_lock_which_the_journal_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F18."""
    database = Database.open(tmp_path / "registry.db", busy_ms=1)
    log = ProvenanceLog(database)
    await log.record(event())
    with locked(tmp_path / "registry.db") as pid:
        with pytest.raises(Unavailable, match="locked"):
            await log.record(event())
        assert len(await log.events()) == 1
        database.check()
        comm = Path(f"/proc/{pid}/comm").read_text().strip()
        assert f"database is locked; process {pid} ({comm}) holds the lock" in caplog.text
    assert lock_holder(tmp_path / "registry.db") is None
    assert await log.record(event()) == 2
    database.close()


async def test_a_commit_that_changes_a_table_raises_the_edition_and_one_of_the_log_alone_does_not(
    tmp_path: Path,
) -> None:
    changes = OwnEdition()
    database = Database.open(tmp_path / "registry.db", changes)
    seen = [changes.now()]
    await ProvenanceLog(database).record(event())
    seen.append(changes.now())
    await database.write(lambda connection: set_fact(connection, "one"))
    seen.append(changes.now())
    database.close()
    Database.open(tmp_path / "registry.db", changes).close()  # after one that died before it could raise it
    seen.append(changes.now())
    assert seen == [1, 1, 2, 3]


async def test_what_another_process_changed_is_seen_in_what_is_remembered(tmp_path: Path) -> None:
    """Two processes share the file and the edition; each remembers the rows that it gave."""
    changes = OwnEdition()
    databases = [Database.open(tmp_path / "registry.db", changes) for _ in range(2)]
    one, other = map(Catalogue, databases)
    await one.remember(FOO, [artifact("foo-1.0.tar.gz")], "public", NOW)
    for number in range(3):
        blob = f"{number}" * 64
        await one.hold(FOO, "foo-1.0.tar.gz", blob, 5, event(Kind.INGEST))
        for catalogue in (other, one, other):
            found = catalogue.at_once(FOO, "foo-1.0.tar.gz")
            assert found is not None
            assert found.blob == blob
    for database in databases:
        database.close()


async def test_a_row_is_not_read_again_while_no_table_changes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, log = Catalogue(database), ProvenanceLog(database)
    await catalogue.remember(FOO, [artifact("foo-1.0.tar.gz")], "public", NOW)
    await catalogue.hold(FOO, "foo-1.0.tar.gz", "a" * 64, 5, event(Kind.INGEST))
    first = catalogue.at_once(FOO, "foo-1.0.tar.gz")
    assert first is not None
    await log.record(event())
    monkeypatch.setattr(database, "rows", lambda *_: pytest.fail("it was read again"))
    assert catalogue.at_once(FOO, "foo-1.0.tar.gz") is first


async def test_what_nobody_waits_for_is_written_once_the_lock_is_gone(tmp_path: Path) -> None:
    """F18."""
    database = Database.open(tmp_path / "registry.db", busy_ms=1)
    with locked(tmp_path / "registry.db"):
        for name in ("one", "two"):
            database.post(lambda connection, name=name: set_fact(connection, name))  # type: ignore[misc]
            with pytest.raises(Unavailable, match="locked"):
                await database.write(lambda connection: set_fact(connection, "told that it failed"))
        assert facts(database) == set()
    while facts(database) != {"one", "two"}:  # noqa: ASYNC110  nobody is told
        await asyncio.sleep(0.01)
    database.close()


async def test_what_nobody_waits_for_is_tried_at_the_end_too_and_told_when_it_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.open(tmp_path / "registry.db", busy_ms=1)
    with locked(tmp_path / "registry.db"):
        database.post(lambda connection: set_fact(connection, "lost"))
        database.close()
    assert "1 writes that nobody waited for were never made" in caplog.text


def test_whoever_holds_no_lock_is_not_named(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "registry.db") is None
    path = tmp_path / "registry.db"
    Database.open(path).close()
    reader = connect(path, readonly=True)
    reader.execute("BEGIN; SELECT * FROM fact").fetchall()
    assert lock_holder(path) is None
    reader.close()


async def test_a_full_disk_fails_the_write_and_nothing_else(database: Database) -> None:
    """F5."""
    log, catalogue = ProvenanceLog(database), Catalogue(database)
    await log.record(event())
    await database.write(lambda connection: connection.pragma("max_page_count", 1))
    many = [artifact(f"foo-{number}.tar.gz") for number in range(2_000)]
    with pytest.raises(Unavailable, match="full"):
        await catalogue.remember(FOO, many, "public", NOW)
    assert await catalogue.holdings(FOO) == ()
    assert len(await log.events()) == 1
    await database.write(lambda connection: connection.pragma("max_page_count", 1 << 30))
    await catalogue.remember(FOO, many, "public", NOW)
    assert len(await catalogue.holdings(FOO)) == 2_000


async def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    """I15."""
    databases = [Database.open(tmp_path / "registry.db") for _ in range(2)]
    logs = [ProvenanceLog(database) for database in databases]
    numbers = await asyncio.gather(*(logs[n % 2].record(event(version=str(n))) for n in range(40)))
    assert sorted(numbers) == list(range(1, 41))
    for database in databases:
        database.close()


async def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F17."""
    monkeypatch.setattr(connections, "filesystem_of", lambda path: "nfs4")
    with pytest.raises(ConfigurationError, match=r"network file system \(nfs4\).*REGISTRY_DATA"):
        Database.open(tmp_path / "registry.db")
    assert not (tmp_path / "registry.db").exists()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.17"])
def test_a_sqlite_with_the_wal_bug_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """F19."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    with pytest.raises(ConfigurationError, match=r"3\.51\.3"):
        Database.open(tmp_path / "registry.db")


async def test_a_damaged_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """F20."""
    path = tmp_path / "registry.db"
    database = Database.open(path)
    await Catalogue(database).remember(FOO, [artifact(f"{n}.whl") for n in range(500)], "public", NOW)
    database.close()
    assert not path.with_name("registry.db-wal").exists()
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xa5" * 100)
    with pytest.raises(ConfigurationError, match="restore"):
        Database.open(path)


def test_what_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(ConfigurationError, match="damaged"):
        Database.open(tmp_path / "registry.db")


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "registry.db")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(ConfigurationError, match="another program"):
        Database.open(tmp_path / "registry.db")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """F20."""
    path = tmp_path / "registry.db"
    Database.open(path).close()
    connection = connect(path)
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(ConfigurationError, match="newer release"):
        Database.open(path)


def test_an_older_schema_is_migrated_and_a_copy_kept(tmp_path: Path) -> None:
    """F20."""
    path = tmp_path / "registry.db"
    Database.open(path).close()
    connection = connect(path)
    connection.execute("INSERT INTO fact VALUES ('old', 'x')")
    steps = (*MIGRATIONS, "ALTER TABLE fact ADD COLUMN more TEXT; CREATE TABLE extra (x) STRICT")
    with pytest.raises(apsw.SQLError):  # STRICT wants a type: the whole step is undone
        migrate(connection, path, steps)
    assert connection.pragma("user_version") == len(MIGRATIONS)
    assert connection.execute("SELECT * FROM fact").fetchall() == [("old", "x")]
    migrate(connection, path, (*MIGRATIONS, "ALTER TABLE fact ADD COLUMN more TEXT"))
    assert connection.execute("SELECT * FROM fact").fetchall() == [("old", "x", None)]
    connection.close()
    copy = connect(tmp_path / f"registry.db.before-{len(MIGRATIONS) + 1}", readonly=True)
    assert copy.execute("SELECT * FROM fact").fetchall() == [("old", "x")]
    copy.close()


def test_only_its_owner_may_read_the_database(tmp_path: Path) -> None:
    Database.open(tmp_path / "registry.db").close()
    assert (tmp_path / "registry.db").stat().st_mode & 0o777 == 0o600


async def test_a_look_up_is_prepared_once_whatever_is_asked_for(database: Database) -> None:
    """Preparing the row of a file takes ten times as long as reading it."""
    connection = connect(database._path)
    prepared = 0

    def preparing(*_: object) -> int:
        nonlocal prepared
        prepared += 1
        return apsw.SQLITE_OK

    connection.authorizer = preparing
    counts = []
    for number in range(3):
        connection.execute(ONE_LOOKED, ("pypi", "foo", f"foo-{number}.tar.gz")).fetchall()
        counts.append(prepared)
    connection.close()
    assert counts == [counts[0]] * 3
