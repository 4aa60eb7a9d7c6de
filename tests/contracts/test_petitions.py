"""Petitions: one open a refusal, bounded by address, answered once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from registry.errors import Conflict, NotFound, TooMany
from registry.model.events import Kind
from registry.model.petitions import Petition
from registry.model.ports import Petitions
from registry.storage.petitions import PER_ADDRESS
from tests.contracts.conftest import Ports
from tests.specimens import NOW, event

ACT = event(Kind.ADMIN, project=None)


def petition(refusal: str = "a" * 32, **facts: Any) -> Petition:
    said = {"subject": "pypi:foo@1.0", "message": "we need it", "name": "Ada", "actor": "anonymous"}
    return Petition(**{"refusal": refusal, "address": "10.0.0.1", "at": NOW, **said, **facts})


@pytest.fixture
def petitions(ports: Ports) -> Petitions:
    return ports.petitions


async def test_what_was_asked_waits_for_an_answer(petitions: Petitions, ports: Ports) -> None:
    made = await petitions.ask(petition(), ACT)
    assert (made.id, made.state) == (1, "open")
    assert await petitions.petitions("open") == (made,)
    assert await petitions.petition(1) == made
    assert await petitions.about("a" * 32) == made
    assert await petitions.about("b" * 32) is None
    assert len(await ports.log.events()) == 1


async def test_a_refusal_has_one_open_petition(petitions: Petitions, ports: Ports) -> None:
    made = await petitions.ask(petition(), ACT)
    assert await petitions.ask(petition(message="me too", address="10.0.0.2"), ACT) == made
    assert len(await ports.log.events()) == 1


async def test_one_address_asks_so_often_an_hour(petitions: Petitions) -> None:
    for number in range(PER_ADDRESS):
        await petitions.ask(petition(f"{number:032x}"), ACT)
    with pytest.raises(TooMany):
        await petitions.ask(petition(), ACT)
    await petitions.ask(petition(address="10.0.0.2"), ACT)
    await petitions.ask(petition("c" * 32, at=NOW + timedelta(hours=2)), ACT)


async def test_an_answer_is_given_once_and_then_it_can_be_asked_again(
    petitions: Petitions, ports: Ports
) -> None:
    await petitions.ask(petition(), ACT)
    declined = await petitions.answer(1, "declined", "use httpx", "root", NOW, ACT)
    assert (declined.state, declined.answer, declined.answered_by, declined.answered) == (
        "declined",
        "use httpx",
        "root",
        NOW,
    )
    with pytest.raises(Conflict):
        await petitions.answer(1, "granted", "well", "root", NOW, ACT)
    with pytest.raises(NotFound):
        await petitions.answer(2, "granted", "well", "root", NOW, ACT)
    with pytest.raises(NotFound):
        await petitions.petition(2)
    assert len(await ports.log.events()) == 2
    again = await petitions.ask(petition(), ACT)
    assert again.id == 2
    assert await petitions.about("a" * 32) == again
    assert await petitions.petitions() == (again, declined)
