"""F22: whoever holds a snapshot lets the -wal file grow; that is told, and our own readers are bounded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import apsw
import pytest

from registry.errors import Unavailable
from registry.pipeline.starvation import Starvation
from registry.storage import database as module
from registry.storage.connections import connect
from registry.storage.database import Database

FACT = "INSERT OR REPLACE INTO fact (name, value) VALUES ('large', ?)"


async def fill(database: Database, times: int) -> None:
    """So many MiB."""

    def job(connection: apsw.Connection) -> None:
        connection.execute(FACT, ("x" * 2**20,))

    for _ in range(times):
        await database.write(job)


async def test_a_reader_that_holds_a_snapshot_is_an_alarm_told_once(
    database: Database, tmp_path: Path
) -> None:
    told: list[tuple[str, str]] = []

    async def alarm(what: str, detail: Mapping[str, str]) -> None:
        told.append((what, detail["remedy"]))

    starvation = Starvation(database.backlog, alarm, too_much=8 << 20)
    stranger = connect(tmp_path / "registry.db", readonly=True)
    stranger.execute("BEGIN").execute("SELECT * FROM fact").fetchall()
    await starvation.look()
    assert told == []
    await fill(database, 12)
    assert database.backlog() > 8 << 20
    await starvation.look()
    await starvation.look()
    assert [what for what, _ in told] == ["checkpoint_starved"]
    stranger.close()


async def test_an_alarm_that_could_not_be_logged_is_tried_again(database: Database) -> None:
    told: list[str] = []

    async def alarm(what: str, _: Mapping[str, str]) -> None:
        told.append(what)
        if len(told) == 1:
            raise Unavailable("The log can't be written.")

    starvation = Starvation(lambda: 1, alarm, too_much=1)
    with pytest.raises(Unavailable):
        await starvation.look()
    await starvation.look()
    await starvation.look()
    assert len(told) == 2


async def test_the_file_is_small_again_when_nobody_holds_it_back(database: Database) -> None:
    await fill(database, 12)
    assert database.backlog() <= 8 << 20


async def test_a_reading_job_that_takes_too_long_is_broken_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_for_ever(connection: apsw.Connection) -> object:
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        return connection.execute(endless).fetchall()

    monkeypatch.setattr(module, "LONGEST_SCAN", 0.0)
    with pytest.raises(Unavailable):
        await database.scan(count_for_ever)
    monkeypatch.undo()
    assert await database.scan(lambda connection: connection.execute("SELECT 1").fetchall()) == [(1,)]
