"""PolicyStore: what operators decided, each act logged."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from registry.errors import NotFound
from registry.model.accounts import PolicyEntry
from registry.model.events import Kind
from registry.model.ports import PolicyStore, ProvenanceLog
from tests.contracts.conftest import Ports
from tests.specimens import NOW, event

ENTRY = PolicyEntry(
    ecosystem="npm",
    kind="deny",
    pattern="@acme/*",
    versions="<2",
    reason="leaks",
    author="ada",
    created=NOW,
    until=NOW + timedelta(days=7),
)
ACT = event(Kind.ADMIN, project=None)


@pytest.fixture
def store(ports: Ports) -> PolicyStore:
    return ports.policy_store


@pytest.fixture
def log(ports: Ports) -> ProvenanceLog:
    return ports.log


async def test_an_added_entry_is_in_force_with_an_id(store: PolicyStore, log: ProvenanceLog) -> None:
    added = await store.add(ENTRY, ACT)
    assert added == msgspec.structs.replace(ENTRY, id=added.id)
    assert added.id > 0
    assert await store.entries() == (added,)
    assert len(await log.events()) == 1


async def test_entries_come_oldest_first(store: PolicyStore) -> None:
    first, second = await store.add(ENTRY, ACT), await store.add(ENTRY, ACT)
    assert await store.entries() == (first, second)


async def test_a_removed_entry_is_out_of_force(store: PolicyStore, log: ProvenanceLog) -> None:
    added = await store.add(ENTRY, ACT)
    assert await store.remove(added.id, ACT) == added
    assert await store.entries() == ()
    assert len(await log.events()) == 2


async def test_ids_are_never_used_again(store: PolicyStore) -> None:
    first = await store.add(ENTRY, ACT)
    await store.remove(first.id, ACT)
    assert (await store.add(ENTRY, ACT)).id > first.id


async def test_what_is_not_in_force_can_not_be_removed(store: PolicyStore, log: ProvenanceLog) -> None:
    added = await store.add(ENTRY, ACT)
    await store.remove(added.id, ACT)
    for number in (added.id, 99):
        with pytest.raises(NotFound):
            await store.remove(number, ACT)
    assert len(await log.events()) == 2


async def test_many_are_added_as_one_act(store: PolicyStore, log: ProvenanceLog) -> None:
    other = msgspec.structs.replace(ENTRY, pattern="react")
    await store.add_all([ENTRY, other], ACT)
    assert [(entry.id > 0, entry.pattern) for entry in await store.entries()] == [
        (True, "@acme/*"),
        (True, "react"),
    ]
    assert len(await log.events()) == 1
