"""What a client gets by the age of what is kept: fresh, slightly old, old, stale, absent."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import hypothesis.strategies as st
import pytest
from hypothesis import given

from registry.ecosystems import ECOSYSTEMS
from registry.errors import NotFound, RegistryError, SourceFailed, SourceTimedOut, Unavailable
from registry.model.indexes import Document
from registry.pipeline.currency import Current
from registry.pipeline.freshness import ABSENT_FOR, RETRY_AFTER_FAILURE, Freshness
from tests.fakes import DocumentsInMemory, FixedClock
from tests.pipeline.line import FRESH, Saying

DEMO = ECOSYSTEMS["pypi"].parse_name("demo")
FAILURES = [SourceFailed("down"), SourceTimedOut("slow"), Unavailable("asked to wait")]


class Kept:
    """Freshness over one source."""

    def __init__(self) -> None:
        self.clock, self.documents = FixedClock(), DocumentsInMemory()
        self.source = Saying("the upstream", self.clock)
        self.source.say(DEMO, b"first")
        self.learned: list[bytes] = []
        self.freshness = Freshness(self.documents, self.clock, FRESH)

    def restart(self) -> None:
        self.freshness = Freshness(self.documents, self.clock, FRESH)

    async def current(self) -> Current:
        return await self.freshness.current(DEMO, "public", self.source, self.learn)

    async def learn(self, document: Document) -> None:
        if document.body == b"nonsense":
            raise SourceFailed("It can't be read.")
        self.learned.append(document.body)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def kept() -> AsyncIterator[Kept]:
    made = Kept()
    yield made
    await made.freshness.close()


async def test_what_was_never_seen_is_waited_for_and_learned_before_it_is_given(kept: Kept) -> None:
    current = await kept.current()
    assert (current.state, current.age) == ("MISS", 0)
    assert kept.learned == [b"first"]
    assert (await kept.documents.get(DEMO)) is not None


async def test_fresh_asks_nobody(kept: Kept) -> None:
    await kept.current()
    kept.clock.advance(seconds=FRESH)
    current = await kept.current()
    assert (current.state, current.age) == ("HIT", FRESH)
    assert len(kept.source.asked) == 1


async def test_slightly_old_is_served_while_one_flight_asks(kept: Kept) -> None:
    await kept.current()
    kept.clock.advance(seconds=FRESH + 1)
    kept.source.say(DEMO, b"second")
    assert [(await kept.current()).state for _ in range(3)] == ["HIT"] * 3
    await kept.settle()
    assert len(kept.source.asked) == 2
    assert kept.learned == [b"first", b"second"]
    assert (await kept.current()).age == 0


async def test_old_is_asked_for_first(kept: Kept) -> None:
    await kept.current()
    kept.clock.advance(seconds=2 * FRESH + 1)
    assert ((await kept.current()).state, len(kept.source.asked)) == ("REVALIDATED", 2)
    assert kept.learned == [b"first"]  # unchanged, so there was nothing to learn


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_failure_is_stale_where_something_is_kept(
    kept: Kept, failure: RegistryError, restarted: bool
) -> None:
    await kept.current()
    if restarted:
        kept.restart()
    kept.clock.advance(seconds=3 * FRESH)
    kept.source.failure = failure
    current = await kept.current()
    assert (current.state, current.age) == ("STALE", 3 * FRESH)
    kept.clock.advance(seconds=RETRY_AFTER_FAILURE / 2)
    assert (await kept.current()).state == "STALE"
    assert len(kept.source.asked) == 2  # not asked again at once
    kept.source.failure = None
    kept.clock.advance(seconds=RETRY_AFTER_FAILURE)
    assert (await kept.current()).state == "REVALIDATED"


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_a_failure_is_a_failure_where_nothing_is(kept: Kept, failure: RegistryError) -> None:
    kept.source.failure = failure
    with pytest.raises(type(failure)):
        await kept.current()
    kept.source.failure = None
    assert (await kept.current()).state == "MISS"


async def test_a_document_that_cannot_be_read_replaces_none(kept: Kept) -> None:
    await kept.current()
    kept.clock.advance(seconds=3 * FRESH)
    kept.source.say(DEMO, b"nonsense")
    assert (await kept.current()).state == "STALE"
    document = await kept.freshness.document(DEMO, "public")
    assert document.body == b"first"


async def test_an_absent_project_is_believed_for_a_while(kept: Kept) -> None:
    kept.source._said.clear()
    for _ in range(3):
        with pytest.raises(NotFound):
            await kept.current()
    assert len(kept.source.asked) == 1
    kept.source.say(DEMO, b"first")
    kept.clock.advance(seconds=ABSENT_FOR + 1)
    assert (await kept.current()).state == "MISS"


async def test_a_kept_document_that_rotted_is_fetched_again(kept: Kept) -> None:
    await kept.current()
    kept.documents.kept.clear()
    kept.freshness._latest.clear()
    with pytest.raises(Unavailable):
        await kept.freshness.document(DEMO, "public")
    assert (await kept.current()).state == "MISS"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, int(3 * FRESH))),
        st.tuples(st.just("say"), st.integers(0, 3)),
        st.tuples(st.just("fail"), st.booleans()),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=12,
)


@given(STEPS)
def test_old_is_never_given_for_fresh(steps: list[tuple[str, int]]) -> None:
    """Whatever happens: an age is never less than the time since the source said exactly that."""

    async def live() -> None:
        kept = Kept()
        said, failing = b"first", False
        bodies = [said, *(b"%d" % number for number in range(4))]
        confirmed: dict[bytes, float] = {}
        for step, value in [*steps, ("wait", 1)]:
            if step == "wait":
                kept.clock.advance(seconds=value)
            elif step == "say":
                said = b"%d" % value
                kept.source.say(DEMO, said)
            elif step == "fail":
                failing = bool(value)
                kept.source.failure = SourceFailed("down") if failing else None
            else:
                await kept.freshness.close()
                kept.restart()
            asked = len(kept.source.asked)
            try:
                current = await kept.current()
            except SourceFailed:
                continue
            body = next(
                each for each in bodies if hashlib.sha256(each).hexdigest() == current.currency.sha256
            )
            if current.state in {"MISS", "REVALIDATED"}:
                assert (body, current.age) == (said, 0)
            else:
                assert current.age >= int(kept.clock.monotonic() - confirmed[body])
            assert current.state == "STALE" or current.age <= 2 * FRESH
            await kept.settle()
            if len(kept.source.asked) > asked and not failing:
                confirmed[said] = kept.clock.monotonic()
        await kept.freshness.close()

    asyncio.run(live())
