"""Checkpoints: about the newest row, kept in order; rows leave below a base only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.errors import Conflict
from registry.model.checkpoints import Checkpoint
from registry.model.events import Kind
from registry.model.ports import Checkpoints
from registry.provenance.chain import GENESIS, canonical, row_hash
from registry.provenance.checkpoints import LogKey, new_key
from tests.contracts.conftest import Ports
from tests.specimens import NOW, event

KEY = LogKey(new_key())


def sign(seq: int, digest: str) -> Checkpoint:
    return KEY.checkpoint(seq, digest, NOW)


@pytest.fixture
def checkpoints(ports: Ports) -> Checkpoints:
    return ports.checkpoints


async def test_an_empty_log_has_nothing_to_sign(checkpoints: Checkpoints) -> None:
    assert await checkpoints.seal(sign) is None
    assert (await checkpoints.newest(), await checkpoints.base(), list(await checkpoints.links(0, 9))) == (
        0,
        None,
        [],
    )
    assert await checkpoints.newest_before("2999-01-01T00:00:00.000000Z") == 0


async def test_the_newest_row_is_signed_once(ports: Ports, checkpoints: Checkpoints) -> None:
    said = event()
    await ports.log.record(said)
    made = await checkpoints.seal(sign)
    assert made is not None
    assert (made.seq, made.hash) == (1, row_hash(GENESIS, canonical(said)))
    assert await checkpoints.seal(lambda *_: pytest.fail("signed twice")) == made
    await ports.log.record(said)
    second = await checkpoints.seal(sign)
    assert await checkpoints.newest() == 2
    assert await checkpoints.heads(0, 9) == (made, second)
    assert await checkpoints.heads(0, 1) == (made,)
    assert await checkpoints.heads(1, 9) == (second,)


async def test_rows_come_as_they_are_stored(ports: Ports, checkpoints: Checkpoints) -> None:
    for number in range(3):
        await ports.log.record(event(version=str(number)))
    links = list(await checkpoints.links(1, 1))
    assert [(link.seq, link.body) for link in links] == [(2, canonical(event(version="1")))]


async def test_only_what_comes_before_anything_younger_is_old(ports: Ports, checkpoints: Checkpoints) -> None:
    for hours in (0, 2, 1):
        await ports.log.record(event(at=NOW + timedelta(hours=hours)))

    async def older(hours: float) -> int:
        moment = (NOW + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return await checkpoints.newest_before(moment)

    assert [await older(hours) for hours in (0, 0.5, 1.5, 3)] == [0, 1, 1, 3]


async def test_a_base_takes_the_place_of_rows(ports: Ports, checkpoints: Checkpoints) -> None:
    for _ in range(3):
        await ports.log.record(event())
    links = list(await checkpoints.links(0, 9))
    base = KEY.checkpoint(2, links[1].hash, NOW, "base")
    with pytest.raises(Conflict):
        await checkpoints.prune(KEY.checkpoint(2, links[0].hash, NOW, "base"), event(Kind.ADMIN))
    assert await checkpoints.prune(base, event(Kind.ADMIN)) == 2
    assert await checkpoints.base() == base
    assert [link.seq for link in await checkpoints.links(0, 9)] == [3, 4]
    with pytest.raises(Conflict):
        await checkpoints.prune(KEY.checkpoint(9, links[0].hash, NOW, "base"), event(Kind.ADMIN))
