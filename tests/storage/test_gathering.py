"""Who shares a commit with whom, and who waits for it."""

from __future__ import annotations

import asyncio

import pytest

from registry.errors import Unavailable
from registry.storage.database import ending
from registry.storage.gathering import Gathering, Told


class Disk:
    """Commits that end when the test says so."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.under_way: Told | None = None
        self.is_closed = False
        self.begun = asyncio.Event()
        self._count = 0

    def commit(self, bodies: list[bytes], told: Told) -> None:
        """Begin one."""
        if self.is_closed:
            raise Unavailable("closed")
        assert self.under_way is None
        self.batches.append(list(bodies))
        self.under_way = told
        self.begun.set()

    async def end(self, failure: Exception | None = None) -> None:
        """End the one that is under way."""
        told, self.under_way = self.under_way, None
        self.begun.clear()
        assert told is not None
        first = self._count + 1
        if failure is None:
            self._count += len(self.batches[-1])
        told(first, failure)


def add(gathering: Gathering, body: bytes) -> asyncio.Future[int]:
    """Have it appended; a future of its number."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    gathering.add(body, ending(future))
    return future


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience that a test can't see the end of."""
    monkeypatch.setattr("registry.storage.gathering.PATIENCE", 3600.0)


def sizes(disk: Disk) -> list[int]:
    return [len(batch) for batch in disk.batches]


@pytest.mark.usefixtures("endless")
async def test_who_asks_alone_never_waits(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    for number in range(1, 4):
        future = add(gathering, b"one")
        assert sizes(disk) == [1] * number
        await disk.end()
        assert await future == number


@pytest.mark.usefixtures("endless")
async def test_what_comes_during_a_commit_shares_the_next(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    futures = [add(gathering, b"%d" % number) for number in range(5)]
    assert disk.batches == [[b"0"]]
    await disk.end()
    assert disk.batches == [[b"0"], [b"1", b"2", b"3", b"4"]]
    await disk.end()
    assert await asyncio.gather(*futures) == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("endless")
async def test_as_many_as_came_together_are_waited_for_and_no_more(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    for _ in range(5):
        add(gathering, b"first")
    await disk.end()
    await disk.end()
    for waiting in range(4):
        assert sizes(disk) == [1, 4], f"with {waiting} of them"
        add(gathering, b"again")
    assert sizes(disk) == [1, 4, 4]


async def test_nobody_is_waited_for_longer_than_patience_lasts(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    for _ in range(3):
        add(gathering, b"first")
    await disk.end()
    await disk.end()
    future = add(gathering, b"alone now")
    await asyncio.wait_for(disk.begun.wait(), 20)
    await disk.end()
    assert await future == 4


async def test_those_who_stay_away_are_hoped_for_ever_less(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    for _ in range(4):
        add(gathering, b"first")
    await disk.end()
    await disk.end()
    for _ in range(2):
        add(gathering, b"alone now")
        await asyncio.wait_for(disk.begun.wait(), 20)
        await disk.end()
    add(gathering, b"not hoping any more")
    assert disk.under_way is not None


async def test_a_commit_that_fails_fails_for_all_in_it_and_nobody_else(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    futures = [add(gathering, b"first"), add(gathering, b"second"), add(gathering, b"third")]
    await disk.end()
    await disk.end(Unavailable("full"))
    later = add(gathering, b"fourth")
    await asyncio.wait_for(disk.begun.wait(), 20)
    await disk.end()
    outcomes = await asyncio.gather(*futures, later, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, Unavailable, Unavailable, int]


async def test_when_nothing_can_be_appended_any_more_everyone_is_told(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    disk.is_closed = True
    with pytest.raises(Unavailable):
        await add(gathering, b"too late")


async def test_who_gave_up_waiting_holds_nobody_up(disk: Disk) -> None:
    gathering = Gathering(disk.commit)
    futures = [add(gathering, b"first"), add(gathering, b"second"), add(gathering, b"third")]
    futures[1].cancel()
    await disk.end()
    await disk.end()
    assert await futures[2] == 3
