"""Refusals: explained for ever, logged once an hour."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from registry.model.decisions import Decision, Effect, Objection, Refusal, Subject, refuse
from registry.model.events import Client
from registry.model.ports import ProvenanceLog, Refusals
from tests.contracts.conftest import Ports
from tests.specimens import BAR, FOO, NOW

CLIENT = Client(address="10.0.0.1", agent="pip/26")
OBJECTION = Objection(rule="denylist", effect=Effect.DENY, reason="foo is on the denylist", until=NOW)
DECISION = Decision(
    subject=Subject(project=FOO, version="1.0"), revision="r1", mode="guarded", objections=(OBJECTION,)
)


def refusal(decision: Decision = DECISION) -> Refusal:
    return refuse(decision, "http://registry.test", b"secret")


@pytest.fixture
def refusals(ports: Ports) -> Refusals:
    return ports.refusals


@pytest.fixture
def log(ports: Ports) -> ProvenanceLog:
    return ports.log


async def logged(log: ProvenanceLog) -> int:
    return len(await log.events(kinds=["refusal"]))


async def test_a_refusal_is_explained_without_who_met_it(refusals: Refusals) -> None:
    await refusals.note(refusal(), CLIENT, NOW)
    await refusals.note(refusal(), CLIENT, NOW + timedelta(minutes=1))
    assert await refusals.explain(refusal().id) == (DECISION, NOW)


async def test_an_unknown_id_explains_nothing(refusals: Refusals) -> None:
    assert await refusals.explain("00" * 16) is None


async def test_a_client_in_a_loop_is_one_event_an_hour(refusals: Refusals, log: ProvenanceLog) -> None:
    for minute in range(0, 120, 5):
        await refusals.note(refusal(), CLIENT, NOW.replace(minute=0) + timedelta(minutes=minute))
    assert await logged(log) == 2


async def test_clients_and_reasons_are_told_apart(refusals: Refusals, log: ProvenanceLog) -> None:
    other = msgspec.structs.replace(DECISION, subject=Subject(project=BAR))
    await refusals.note(refusal(), CLIENT, NOW)
    await refusals.note(refusal(), Client(address="10.0.0.2"), NOW)
    await refusals.note(refusal(), Client(user="ada", address="10.0.0.1"), NOW)
    await refusals.note(refusal(other), CLIENT, NOW)
    assert await logged(log) == 4


async def test_the_event_says_who_what_and_where_to_read_on(refusals: Refusals, log: ProvenanceLog) -> None:
    await refusals.note(refusal(), CLIENT, NOW)
    (row,) = await log.events()
    assert (row.event.project, row.event.version) == (FOO, "1.0")
    assert (row.event.actor, row.event.address, row.event.agent) == (CLIENT.actor, "10.0.0.1", "pip/26")
    assert row.event.detail["why"] == refusal().id


async def test_what_an_index_withholds_is_explained_and_not_logged(
    refusals: Refusals, log: ProvenanceLog
) -> None:
    await refusals.disclose([refusal()], NOW)
    await refusals.disclose([refusal()], NOW + timedelta(days=1))
    assert await refusals.explain(refusal().id) == (DECISION, NOW)
    assert await logged(log) == 0
    await refusals.note(refusal(), CLIENT, NOW)
    assert await logged(log) == 1
