"""ClockMarks: the latest time that was believed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from registry.model.events import Kind
from registry.model.moments import Mark
from registry.model.ports import ClockMarks
from tests.contracts.conftest import Ports
from tests.specimens import NOW, event

MARK = Mark(moment=NOW, boot="boot 1", uptime=100.0, leapt=90.5, lead=7200.25, accepted=1)
LATER = replace(MARK, moment=NOW + timedelta(hours=1), uptime=3_700.0)
DECREE = event(Kind.ADMIN, project=None, detail={"action": "clock.accept"})


@pytest.fixture
def marks(ports: Ports) -> ClockMarks:
    return ports.marks


async def settled(ports: Ports) -> Mark | None:
    """What is kept once everything that was to be kept soon is."""
    await ports.log.record(event())
    return ports.marks.kept()


async def test_nothing_is_known_at_first(marks: ClockMarks) -> None:
    assert (marks.kept(), marks.logged()) == (None, None)


async def test_the_last_mark_is_kept_whole(ports: Ports, marks: ClockMarks) -> None:
    marks.keep(MARK)
    assert await settled(ports) == MARK
    marks.keep(LATER)
    assert await settled(ports) == LATER


async def test_the_newest_rows_time_is_told(ports: Ports, marks: ClockMarks) -> None:
    for hours in (0, 5, 2):
        await ports.log.record(replace(event(), at=NOW + timedelta(hours=hours)))
    assert marks.logged() == NOW + timedelta(hours=2)


async def test_what_an_admin_declared_is_kept_and_logged_and_nobody_who_missed_it_undoes_it(
    ports: Ports, marks: ClockMarks
) -> None:
    marks.keep(LATER)
    declared = replace(MARK, accepted=2)
    await marks.settle(declared, DECREE)
    assert marks.kept() == declared
    assert [row.event.detail for row in await ports.log.events()] == [DECREE.detail]
    marks.keep(LATER)
    assert await settled(ports) == declared
