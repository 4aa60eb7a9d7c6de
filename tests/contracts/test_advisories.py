"""Advisories: kept by id, looked up by project, news only when newer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from registry.model.advisories import AdvisoryStanding, Affected, Record, Span
from registry.model.events import Kind
from registry.model.ports import Advisories, ProvenanceLog
from tests.contracts.conftest import Ports
from tests.specimens import BAR, FOO, NOW, event

ACT = event(Kind.ADMIN, project=None)
LATER = NOW + timedelta(days=1)


def record(id_: str = "MAL-1", **facts: Any) -> Record:
    affected = (Affected(ecosystem="pypi", project="foo", versions=("1.0",), spans=(Span(fixed="2"),)),)
    return Record(**{"id": id_, "modified": NOW, "malware": True, "affected": affected, **facts})


@pytest.fixture
def advisories(ports: Ports) -> Advisories:
    return ports.advisories


async def test_what_was_put_is_found_by_project(advisories: Advisories) -> None:
    assert await advisories.put([record(), record("MAL-0", severity="high", summary="bad")]) == 2
    first, second = advisories.about(FOO)
    assert (first.id, first.severity, first.summary, second.id) == ("MAL-0", "high", "bad", "MAL-1")
    assert (second.malware, second.versions, second.spans) == (True, ("1.0",), (Span(fixed="2"),))
    assert advisories.about(BAR) == ()


async def test_only_what_was_modified_since_is_news(advisories: Advisories) -> None:
    await advisories.put([record()])
    older = record(modified=NOW - timedelta(days=1), summary="older")
    assert await advisories.put([record(), older]) == 0
    moved = (Affected(ecosystem="pypi", project="bar"),)
    assert await advisories.put([record(modified=LATER, affected=moved)]) == 1
    assert advisories.about(FOO) == ()
    assert [each.id for each in advisories.about(BAR)] == ["MAL-1"]


async def test_a_withdrawn_advisory_says_nothing_and_doesnt_come_back(advisories: Advisories) -> None:
    await advisories.put([record()])
    assert await advisories.put([record(modified=LATER, withdrawn=True)]) == 1
    assert advisories.about(FOO) == ()
    assert await advisories.put([record()]) == 0
    assert advisories.about(FOO) == ()


async def test_several_entries_about_one_project_count_together(advisories: Advisories) -> None:
    one = Affected(ecosystem="pypi", project="foo", versions=("1.0",))
    await advisories.put([record(affected=(one, msgspec.structs.replace(one, versions=("2.0",))))])
    (found,) = advisories.about(FOO)
    assert found.versions == ("1.0", "2.0")
    everything = Affected(ecosystem="pypi", project="foo")
    await advisories.put([record(modified=LATER, affected=(one, everything))])
    (found,) = advisories.about(FOO)
    assert (found.versions, found.spans) == ((), ())


async def test_an_import_is_settled_and_logged(advisories: Advisories, ports: Ports) -> None:
    assert advisories.standing() == AdvisoryStanding()
    await advisories.put([record(), record("MAL-2", modified=LATER)])
    standing = await advisories.settle(LATER, ACT)
    assert standing == AdvisoryStanding(generation=1, advisories=2, newest=LATER, imported=LATER)
    assert advisories.standing() == standing
    assert advisories.generation == 1
    log: ProvenanceLog = ports.log
    assert len(await log.events()) == 1
    assert (await advisories.settle(LATER, ACT)).generation == 2
