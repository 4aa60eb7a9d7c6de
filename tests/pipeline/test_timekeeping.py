"""F28: a clock that was set releases nothing, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.errors import Malformed, Unavailable
from registry.model.events import Client, Event, Kind
from registry.pipeline import timekeeping
from registry.pipeline.singleflight import NoOthers
from registry.pipeline.timekeeping import LEAP, SLEEP, TOLERANCE, Timekeeper
from tests.fakes import ClockMarksInMemory, FixedClock, LogInMemory

ADMIN = Client(user="ada", admin=True)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


class World:
    """A machine, what is remembered of its time, and what was alarmed."""

    def __init__(self) -> None:
        self.machine = FixedClock()
        self.log = LogInMemory()
        self.marks = ClockMarksInMemory(self.log)
        self.alarms: list[str] = []
        self.start()

    def start(self) -> None:
        self.keeper = Timekeeper(self.machine, self.marks, NoOthers())

    async def tended(self, keeper: Timekeeper | None = None) -> None:
        """One look."""

        async def alarm(what: str, detail: Mapping[str, str]) -> None:
            assert "clock accept" in detail["remedy"]
            self.alarms.append(what)

        tending = asyncio.create_task((keeper or self.keeper).tend(alarm))
        for _ in range(5):
            await asyncio.sleep(0)
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)

    @property
    def acts(self) -> list[Event]:
        return self.log.of_kind(Kind.ADMIN)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_clock_that_goes_is_right(world: World) -> None:
    for step in (SECOND, HOUR, 400 * DAY):
        world.machine.advance(seconds=step.total_seconds())
        assert world.keeper.now() == world.machine.now()
        await world.tended()
    assert (world.keeper.status().state, await world.keeper.probe(), world.alarms) == ("right", None, [])


async def test_time_stands_still_while_the_clock_is_behind_and_that_is_alarmed_once(world: World) -> None:
    before = world.keeper.now()
    world.machine.set(hours=-1)
    assert world.keeper.now() == before
    await world.tended()
    world.machine.advance(minutes=59)
    await world.tended()
    assert world.keeper.now() == before
    assert world.alarms == ["clock_behind"]
    problem = await world.keeper.probe()
    assert problem == (
        "The machine's clock says 2026-11-21 11:59:00 UTC, but it was 2026-11-21 12:00:00 UTC before. Until then"
        ' nothing is released by time. Set the clock; if it is right, `registry clock accept --reason "…"` says'
        " so."
    )
    world.machine.advance(minutes=2)
    await world.tended()
    assert world.keeper.now() == world.machine.now() > before
    assert await world.keeper.probe() is None
    world.machine.set(hours=-1)
    await world.tended()
    assert world.alarms == ["clock_behind", "clock_behind"]


async def test_a_clock_that_is_set_right_again_goes_on_at_once(world: World) -> None:
    world.machine.set(days=-3)
    world.machine.advance(hours=2)
    assert world.keeper.status().state == "behind"
    world.machine.set(days=3)
    assert world.keeper.status().state == "right"
    assert world.keeper.now() == world.machine.now()


async def test_a_leap_of_ten_years_moves_nothing_and_time_goes_on_as_the_machine_runs(world: World) -> None:
    before = world.keeper.now()
    world.machine.set(days=3_650)
    assert world.keeper.now() == before
    await world.tended()
    world.machine.advance(hours=3)
    assert world.keeper.now() == before + 3 * HOUR
    world.machine.advance(days=300)
    await world.tended()
    assert world.keeper.now() == before + 3 * HOUR + 300 * DAY
    assert world.alarms == ["clock_ahead"]
    assert "by how long the machine has run it is 2027-09-17 15:00:00 UTC" in str(await world.keeper.probe())
    world.machine.set(days=-3_650)
    assert world.keeper.status().state == "right"
    assert world.keeper.now() == world.machine.now()


@pytest.mark.parametrize("state", ["behind", "ahead"])
async def test_a_restart_forgets_nothing(world: World, state: str) -> None:
    world.machine.advance(hours=1)
    await world.tended()
    before = world.keeper.now()
    world.machine.set(days=-2 if state == "behind" else 4)
    world.start()
    assert world.keeper.status().state == state
    assert world.keeper.now() == before
    await world.tended()
    world.start()
    assert (world.keeper.status().state, world.keeper.now()) == (state, before)


async def test_a_row_of_the_log_is_seen_where_the_mark_is_older(world: World) -> None:
    await world.tended()
    world.machine.advance(seconds=59)
    world.log.append(Event(kind=Kind.ALARM, at=world.keeper.now(), actor="gateway"))
    before = world.keeper.now()
    world.machine.boot()
    world.machine.set(seconds=-30)
    world.start()
    assert (world.keeper.status().state, world.keeper.now()) == ("behind", before)


async def test_after_a_boot_the_machine_may_have_been_off_for_months_but_not_for_years(world: World) -> None:
    await world.tended()
    world.machine.boot()
    world.machine.set(days=90)
    world.start()
    assert world.keeper.status().state == "right"
    await world.tended()
    before = world.keeper.now()
    world.machine.boot()
    world.machine.set(days=3_650)
    world.start()
    assert (world.keeper.status().state, world.keeper.now()) == ("ahead", before)
    world.machine.advance(hours=1)
    assert world.keeper.now() == before + HOUR


async def test_a_sleep_that_went_unnoticed_is_believed_after_a_day(world: World) -> None:
    world.machine.set(hours=8)
    await world.tended()
    world.machine.advance(hours=23)
    await world.tended()
    assert world.keeper.status().state == "ahead"
    world.machine.advance(hours=2)
    await world.tended()
    assert (world.keeper.status().state, world.keeper.now()) == ("right", world.machine.now())
    assert [(act.actor, act.detail["reason"]) for act in world.acts] == [
        ("gateway", "it has stood for a day")
    ]


async def test_the_day_begins_anew_with_another_leap(world: World) -> None:
    world.machine.set(hours=8)
    await world.tended()
    world.machine.advance(hours=23)
    world.machine.set(days=20)
    await world.tended()
    world.machine.advance(hours=2)
    await world.tended()
    assert world.keeper.status().state == "ahead"


async def test_a_longer_leap_is_never_believed_without_an_admin(world: World) -> None:
    world.machine.set(seconds=SLEEP.total_seconds() + 1)
    await world.tended()
    world.machine.advance(days=20)
    await world.tended()
    assert (world.keeper.status().state, world.acts) == ("ahead", [])


@pytest.mark.parametrize(("days", "state"), [(3_650, "ahead"), (-3_650, "behind")])
async def test_an_admin_declares_the_clock_right(world: World, days: int, state: str) -> None:
    world.machine.set(days=days)
    assert world.keeper.status().state == state
    assert (await world.keeper.accept(reason="it is", by=ADMIN)).state == "right"
    assert world.keeper.now() == world.machine.now()
    (act,) = world.acts
    assert (act.actor, act.at) == ("ada", world.machine.now())
    assert act.detail == {
        "action": "clock.accept",
        "subject": "the machine's clock",
        "before": f"2026-11-21 12:00:00 UTC, the clock {state}",
        "after": f"{world.machine.now():%Y-%m-%d} 12:00:00 UTC",
        "reason": "it is",
    }
    world.start()
    assert (world.keeper.status().state, world.keeper.now()) == ("right", world.machine.now())


async def test_declaring_a_right_clock_right_does_nothing_and_a_reason_is_needed(world: World) -> None:
    await world.keeper.accept(reason="for nothing", by=ADMIN)
    assert world.acts == []
    for reason in ("", " ", "x" * 201, "a\nb"):
        with pytest.raises(Malformed):
            await world.keeper.accept(reason=reason, by=ADMIN)


async def test_another_process_follows_and_does_not_bring_back_what_was_wrong(world: World) -> None:
    other = Timekeeper(world.machine, world.marks, NoOthers())
    world.machine.set(days=3_650)
    await world.keeper.accept(reason="I believed it", by=ADMIN)
    await world.tended(other)
    assert other.now() == world.machine.now()
    world.machine.set(days=-3_650)
    await world.keeper.accept(reason="it was wrong", by=ADMIN)
    await other.close()
    await world.tended(other)
    assert other.now() == world.machine.now()
    assert other.status().state == "right"


async def test_a_mark_is_kept_once_a_minute_and_at_the_end(world: World) -> None:
    kept = []
    for _ in range(180):
        world.machine.advance(seconds=1)
        await world.tended()
        kept.append(world.marks.kept())
    assert len(set(kept)) == 3
    world.machine.advance(seconds=7)
    await world.keeper.close()
    mark = world.marks.kept()
    assert mark is not None
    assert mark.moment == world.machine.now()


async def test_what_cannot_be_told_is_tried_again(world: World) -> None:
    world.machine.set(days=-1)
    told: list[str] = []

    async def alarm(what: str, _: Mapping[str, str]) -> None:
        told.append(what)
        if len(told) == 1:
            raise Unavailable("The log can't be written.")
        tending.cancel()

    tending = asyncio.create_task(world.keeper.tend(alarm))
    for _ in range(5):
        await asyncio.sleep(0)
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)
    tending = asyncio.create_task(world.keeper.tend(alarm))
    await asyncio.gather(tending, return_exceptions=True)
    assert told == ["clock_behind", "clock_behind"]


steps = st.one_of(
    st.tuples(st.just("advance"), st.floats(0, 100_000)),
    st.tuples(st.just("set"), st.floats(-1e8, 1e8)),
    st.tuples(st.just("boot"), st.floats(0, 1e6)),
    st.tuples(st.just("restart"), st.just(0.0)),
    st.tuples(st.just("tend"), st.just(0.0)),
)


@given(st.lists(steps, max_size=25))
@example([("set", 1.0), ("set", 3600.0), ("restart", 0.0)])
def test_time_never_goes_back_nor_on_faster_than_the_machine_has_run(moves: list[tuple[str, float]]) -> None:
    """Whatever a clock is set to: without a boot and without an admin, no more time goes by than did."""

    async def live() -> None:
        world, slack = World(), TOLERANCE
        last = first = world.keeper.now()
        ran = timedelta()
        for move, amount in moves:
            if move == "advance":
                world.machine.advance(seconds=amount)
                ran += timedelta(seconds=amount)
            elif move == "set":
                world.machine.set(seconds=amount)
                slack += LEAP
            elif move == "boot":
                await world.keeper.close()
                world.machine.boot()
                world.machine.set(seconds=amount)
                slack += timekeeping.ABSENCE
                world.start()
            elif move == "restart":
                await world.keeper.close()
                world.start()
            else:
                await world.tended()
            time: datetime = world.keeper.now()
            assert last <= time
            if not world.acts:
                assert time - first <= ran + slack
            last = time

    asyncio.run(live())
