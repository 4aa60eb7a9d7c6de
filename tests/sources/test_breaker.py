"""After failures in a row nothing is asked for a while, then one probe decides."""

from __future__ import annotations

import asyncio

import pytest

from registry.errors import SourceFailed, SourceTimedOut, Unavailable
from registry.sources.breaker import Breaker
from registry.sources.failures import Outage
from registry.sources.limits import Limits
from tests.fakes import FixedClock

LIMITS = Limits(failures=3, breaker_pause=10, breaker_longest=25)


def fail(breaker: Breaker, error: BaseException | None = None) -> None:
    error = error or Outage("down")
    with pytest.raises(type(error)), breaker.attempt():
        raise error


def succeed(breaker: Breaker) -> None:
    with breaker.attempt():
        pass


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def breaker(clock: FixedClock) -> Breaker:
    return Breaker("The upstream", clock, LIMITS)


def is_open(breaker: Breaker) -> bool:
    try:
        succeed(breaker)
    except Unavailable:
        return True
    return False


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    for error in (Outage("down"), SourceTimedOut("slow"), Outage("down")):
        assert not breaker_is_shut(breaker)
        fail(breaker, error)
    assert is_open(breaker)


def breaker_is_shut(breaker: Breaker) -> bool:
    return breaker._until is not None


def test_a_success_between_failures_starts_the_count_again(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker)
        fail(breaker)
        succeed(breaker)
    assert not is_open(breaker)


def test_an_answer_that_we_dislike_is_no_outage(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, SourceFailed("too large"))
    assert not is_open(breaker)


def test_while_open_it_says_when_to_come_back(breaker: Breaker, clock: FixedClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(seconds=4)
    with pytest.raises(Unavailable) as caught:
        succeed(breaker)
    assert caught.value.retry_after == 6


def test_one_probe_at_a_time(breaker: Breaker, clock: FixedClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(seconds=10)
    with breaker.attempt():
        assert is_open(breaker)
    assert not is_open(breaker)


def test_failed_probes_pause_longer_and_longer_up_to_a_limit(breaker: Breaker, clock: FixedClock) -> None:
    for _ in range(3):
        fail(breaker)
    for pause in (10, 20, 25, 25):
        clock.advance(seconds=pause - 0.5)
        assert is_open(breaker)
        clock.advance(seconds=0.5)
        fail(breaker)
    clock.advance(seconds=25)
    succeed(breaker)
    assert not is_open(breaker)


def test_a_cancelled_probe_lets_the_next_one_try(breaker: Breaker, clock: FixedClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(seconds=10)
    fail(breaker, asyncio.CancelledError())
    assert not is_open(breaker)


def test_an_attempt_from_before_the_opening_has_no_say(breaker: Breaker) -> None:
    with breaker.attempt():
        for _ in range(3):
            fail(breaker)
    assert is_open(breaker)


def test_a_pause_that_the_source_asked_for_is_kept_by_all(breaker: Breaker, clock: FixedClock) -> None:
    breaker.rest(3600)
    clock.advance(seconds=3599)
    assert is_open(breaker)
    clock.advance(seconds=1)
    assert not is_open(breaker)
