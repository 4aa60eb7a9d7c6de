"""ProvenanceLog: append-only, in order, chained."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from registry.model.events import Event, Kind, LoggedEvent
from registry.model.ports import ProvenanceLog
from tests.contracts.conftest import Ports
from tests.provenance.chains import first_break
from tests.specimens import BAR, FOO, NOW, event

FULL = event(
    Kind.INGEST,
    version="1.0",
    filename="foo-1.0.tar.gz",
    sha256="ab" * 32,
    address="10.0.0.1",
    agent='pip/26 "quoted" ünïcode',
    detail={"size": 7, "url": "https://example.invalid/", "held": False, "none": None, "rate": 0.5},
)


@pytest.fixture
def log(ports: Ports) -> ProvenanceLog:
    return ports.log


async def replayed(log: ProvenanceLog, after: int = 0) -> list[LoggedEvent]:
    return [row async for row in log.replay(after)]


async def test_events_are_numbered_from_one_without_gaps(log: ProvenanceLog) -> None:
    assert [await log.record(event()) for _ in range(3)] == [1, 2, 3]


async def test_an_event_comes_back_as_it_was(log: ProvenanceLog) -> None:
    bare = Event(kind=Kind.ADMIN, at=NOW, actor="ada")
    await log.record(FULL)
    await log.record(bare)
    assert [row.event for row in await replayed(log)] == [FULL, bare]


async def test_all_rows_are_one_chain(log: ProvenanceLog) -> None:
    await asyncio.gather(*(log.record(event(version=str(number))) for number in range(30)))
    rows = await replayed(log)
    assert len(rows) == 30
    assert first_break(rows) is None


async def test_a_replay_can_go_on_where_another_ended(log: ProvenanceLog) -> None:
    for number in range(5):
        await log.record(event(version=str(number)))
    assert [row.seq for row in await replayed(log, after=3)] == [4, 5]
    assert await replayed(log, after=5) == []


async def test_a_replay_of_an_empty_log_is_empty(log: ProvenanceLog) -> None:
    assert await replayed(log) == []


async def test_events_are_told_newest_first_a_page_at_a_time(log: ProvenanceLog) -> None:
    for _ in range(5):
        await log.record(event())
    page = await log.events(limit=2)
    assert [row.seq for row in page] == [5, 4]
    assert [row.seq for row in await log.events(before=page[-1].seq, limit=2)] == [3, 2]


async def test_each_filter_keeps_what_it_says(log: ProvenanceLog) -> None:
    await log.record(event(Kind.DELIVERY, version="1.0"))
    await log.record(event(Kind.DELIVERY, version="2.0", actor="bob"))
    await log.record(event(Kind.REFUSAL, project=BAR, at=NOW + timedelta(hours=1)))
    await log.record(event(Kind.ADMIN, project=None, at=NOW + timedelta(hours=2)))

    async def found(**filters: object) -> list[int]:
        return [row.seq for row in await log.events(**filters)]  # type: ignore[arg-type]

    assert await found(kinds=["delivery"]) == [2, 1]
    assert await found(kinds=["refusal", "admin"]) == [4, 3]
    assert await found(project=FOO) == [2, 1]
    assert await found(project=FOO, version="2.0") == [2]
    assert await found(actor="bob") == [2]
    assert await found(since=NOW + timedelta(hours=1)) == [4, 3]
    assert await found(kinds=["admin"], project=FOO) == []


async def test_text_that_is_not_unicode_does_not_keep_an_event_out(log: ProvenanceLog) -> None:
    assert await log.record(event(agent="pip \udcff", detail={"reason": "\ud800", "nul": "\x00"})) == 1
    rows = await replayed(log)
    assert first_break(rows) is None
