"""Refusals: a scanner can't fill the disk, and a no stays a no without a database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from registry.model.decisions import Subject
from registry.model.events import Client
from registry.storage.connections import connect
from registry.storage.database import Database
from registry.storage.provenance_log import ProvenanceLog
from registry.storage.refusals import Refusals
from tests.contracts.test_refusals import CLIENT, DECISION, refusal
from tests.specimens import NOW


async def test_beyond_its_bound_a_client_is_only_counted(database: Database) -> None:
    refusals, log = Refusals(database, rows_per_client=3), ProvenanceLog(database)
    for number in range(20):
        subject = Subject(project=DECISION.subject.project, version=str(number))
        await refusals.note(refusal(msgspec.structs.replace(DECISION, subject=subject)), CLIENT, NOW)
    await refusals.note(refusal(), Client(address="10.0.0.2"), NOW)
    assert len(await log.events()) == 3 + 1 + 1
    refusals.flush()
    await database.write(lambda connection: None)
    counts = database.rows("SELECT refusal, count FROM refusal WHERE client LIKE '%10.0.0.1' ORDER BY count")
    assert [count for _, count in counts] == [1, 1, 1, 17]
    assert counts[-1][0] == "*"
    assert len(database.rows("SELECT id FROM explanation")) == 4


async def test_repetitions_are_counted(database: Database) -> None:
    refusals = Refusals(database)
    for _ in range(250):
        await refusals.note(refusal(), CLIENT, NOW)
    refusals.flush()
    await database.write(lambda connection: None)
    assert database.rows("SELECT count FROM refusal") == [(250,)]


async def test_workers_share_the_row_and_the_explanation(tmp_path: Path) -> None:
    databases = [Database.open(tmp_path / "registry.db") for _ in range(2)]
    workers = [Refusals(database) for database in databases]
    await asyncio.gather(*(worker.note(refusal(), CLIENT, NOW) for worker in workers))
    assert len(await ProvenanceLog(databases[0]).events()) == 1
    third = Database.open(tmp_path / "registry.db")
    assert await Refusals(third).explain(refusal().id) == (DECISION, NOW)
    assert third.rows("SELECT count FROM refusal") == [(2,)]
    for database in (*databases, third):
        database.close()


async def test_a_no_is_explained_while_the_database_is_locked_and_recorded_later(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "registry.db", busy_ms=1)
    refusals, log = Refusals(database), ProvenanceLog(database)
    other = connect(tmp_path / "registry.db")
    other.execute("BEGIN IMMEDIATE")
    await refusals.note(refusal(), CLIENT, NOW)
    assert await refusals.explain(refusal().id) == (DECISION, NOW)
    other.execute("ROLLBACK")
    other.close()
    while not await log.events():  # noqa: ASYNC110  nobody is told
        await asyncio.sleep(0.01)
    await refusals.note(refusal(), CLIENT, NOW)
    assert len(await log.events()) == 1
    database.close()
