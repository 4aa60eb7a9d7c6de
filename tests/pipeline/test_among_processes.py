"""One flight among processes, and nothing remembered that another process made untrue.

Each "process" is a part with leases of its own over the same folder: to the kernel that is another holder.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from registry.errors import Conflict, SourceFailed
from registry.model.artifacts import Holding
from registry.model.editions import OwnProjectEditions
from registry.model.events import Kind
from registry.model.publications import Findings
from registry.pipeline.currency import Current
from registry.pipeline.flight import Flight
from registry.pipeline.freshness import Freshness
from registry.pipeline.inspector import Inspector
from registry.pipeline.jobs import Jobs, Progress
from registry.pipeline.singleflight import Turn
from registry.pipeline.verify import FAILURE_LASTS, Verifier
from registry.storage.leases import FileLeases
from tests.fakes import BlobsInDirectory, CatalogueInMemory, DocumentsInMemory, FixedClock, LogInMemory
from tests.pipeline.test_freshness import PROJECT, Telling, learn
from tests.pipeline.test_verify import Pieces
from tests.specimens import FOO, artifact, sha

DATA = b"the bytes of a file" * 20_000
FILENAME = "foo-1.0.whl"


class Hangars:
    """The verifiers of two processes over one catalogue, one log and one volume."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.clock, self.log = FixedClock(), LogInMemory()
        self.catalogue = CatalogueInMemory(self.log)
        blobs = BlobsInDirectory(folder / "blobs")
        self.holding = Holding(
            artifact=artifact(FILENAME, sha(DATA), size=len(DATA)),
            origin="public",
            pin=sha(DATA),
            first_seen=self.clock.now(),
        )
        self.catalogue.rows[FOO, FILENAME] = self.holding
        self.verifiers = []
        for _ in range(2):
            leases = stack.enter_context(closing(FileLeases(folder / "leases")))
            origins = {"public": blobs}
            inspector = Inspector(
                origins, self.catalogue, self.log, self.clock, lambda _artifact, _path: Findings()
            )
            verifier = Verifier(origins, self.catalogue, self.log, self.clock, inspector, leases=leases)
            stack.push_async_callback(verifier.close)
            self.verifiers.append(verifier)

    def fetch(self, process: int, source: Pieces) -> Flight:
        return self.verifiers[process].fetch(self.holding, source, "revision")


@pytest.fixture
async def hangars(tmp_path: Path) -> AsyncIterator[Hangars]:
    async with AsyncExitStack() as stack:
        yield Hangars(tmp_path, stack)


async def test_a_file_that_another_process_fetches_is_followed_and_not_fetched(hangars: Hangars) -> None:
    source, unasked = Pieces(DATA[:300_000], DATA[300_000:]), Pieces(DATA)
    source.gate.clear()
    leading = hangars.fetch(0, source)
    await _until(lambda: source.opened == 1)
    following = hangars.fetch(1, unasked)
    source.gate.set()
    assert (await leading.done) == (await following.done)
    assert unasked.opened == 0
    assert len(hangars.log.of_kind(Kind.INGEST)) == 1


async def test_what_another_process_has_staged_can_be_read_already(hangars: Hangars) -> None:
    source = Pieces(DATA)
    source.gate.clear()
    hangars.fetch(0, source)
    await _until(lambda: source.opened == 1)
    following = hangars.fetch(1, Pieces(DATA))
    await _until(lambda: following.path is not None)
    assert following.path is not None
    following.path.write_bytes(DATA[:1_000])
    await _until(lambda: following.available == 1_000)
    assert not following.done.done()


async def test_its_failure_reaches_those_who_wait_in_other_processes(hangars: Hangars) -> None:
    source, unasked = Pieces(SourceFailed("It broke.")), Pieces(DATA)
    source.gate.clear()
    leading = hangars.fetch(0, source)
    await _until(lambda: source.opened == 1)
    following = hangars.fetch(1, unasked)
    source.gate.set()
    for flight in (leading, following):
        with pytest.raises(SourceFailed, match="It broke"):
            await flight.done
    assert unasked.opened == 0
    hangars.clock.advance(seconds=FAILURE_LASTS + 0.01)
    await _settled()
    assert (await hangars.fetch(1, unasked).done).size == len(DATA)


async def test_who_follows_a_process_that_ends_begins_anew(hangars: Hangars) -> None:
    abandoned, source = Pieces(DATA), Pieces(DATA)
    abandoned.gate.clear()
    hangars.fetch(0, abandoned)
    await _until(lambda: abandoned.opened == 1)
    following = hangars.fetch(1, source)
    await _until(lambda: following.path is not None)
    await hangars.verifiers[0].close()
    assert (await following.done).path.read_bytes() == DATA
    assert source.opened == 1


class Readers:
    """The freshness of two processes over the same kept documents."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.clock = FixedClock()
        self.source = Telling("upstream", b"one", self.clock)
        documents, editions = DocumentsInMemory(), OwnProjectEditions()
        self.both = []
        for _ in range(2):
            leases = stack.enter_context(closing(FileLeases(folder / "leases")))
            freshness = Freshness(documents, self.clock, 600, editions=editions, leases=leases)
            stack.push_async_callback(freshness.close)
            self.both.append(freshness)

    async def read(self, process: int, origin: str = "public") -> Current:
        return await self.both[process].current(PROJECT, origin, self.source, learn)


@pytest.fixture
async def readers(tmp_path: Path) -> AsyncIterator[Readers]:
    async with AsyncExitStack() as stack:
        yield Readers(tmp_path, stack)


async def test_a_document_is_asked_for_once_among_processes(readers: Readers) -> None:
    found = await asyncio.gather(readers.read(0), readers.read(1))
    assert [each.currency.sha256 for each in found] == [sha(b"one").hex] * 2
    assert len(readers.source.asked) == 1


async def test_a_new_document_of_another_process_counts_at_once(readers: Readers) -> None:
    for process in (0, 1):
        await readers.read(process)
    readers.source.body = b"two"
    readers.clock.advance(seconds=1_500)
    await readers.read(0)
    assert (await readers.read(1)).currency.sha256 == sha(b"two").hex
    assert (await readers.both[1].document(PROJECT, "public")).body == b"two"
    assert len(readers.source.asked) == 2


async def test_the_word_of_the_source_is_believed_whichever_process_heard_it(readers: Readers) -> None:
    for _ in range(3):
        for process in (0, 1):
            assert (await readers.read(process)).age == 0
        readers.clock.advance(seconds=1_500)
    assert len(readers.source.asked) == 3


async def test_what_was_published_in_another_process_is_known_here_at_once(readers: Readers) -> None:
    for process in (0, 1):
        await readers.read(process, "private")
    assert readers.both[1].glance(PROJECT, "private") is not None
    readers.source.body = b"two"
    await readers.both[0].forget(PROJECT)
    assert readers.both[1].glance(PROJECT, "private") is None
    await readers.read(1, "private")
    assert (await readers.both[1].document(PROJECT, "private")).body == b"two"


async def test_turns_are_kept_here_and_among_processes(tmp_path: Path) -> None:
    busy = most = 0

    async def work(turn: Turn) -> None:
        nonlocal busy, most
        async with turn:
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1

    with closing(FileLeases(tmp_path / "leases")) as one, closing(FileLeases(tmp_path / "leases")) as two:
        turns = [Turn(leases, "turn foo") for leases in (one, two)]
        await asyncio.gather(*(work(turn) for turn in turns * 5))
    assert most == 1


async def _settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def _until(true: Callable[[], bool]) -> None:
    """Wait for what happens in another process, which tells nobody; the suite's timeout is the guard."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_a_job_of_another_process_can_be_watched_and_called_off(tmp_path: Path) -> None:
    async def work(progress: Progress) -> None:
        progress.done = 7
        await asyncio.Event().wait()

    with closing(FileLeases(tmp_path / "leases")) as one, closing(FileLeases(tmp_path / "leases")) as two:
        here, there = Jobs(one), Jobs(two)
        job = here.start("scrub", work)
        with pytest.raises(Conflict):
            there.start("scrub", work)
        await _until(lambda: there.look(job.id).done == 7)
        assert (await there.cancel(job.id)).state == "cancelled"
        assert here.look(job.id).state == "cancelled"
        again = there.start("scrub", work)
        assert here.look(again.id).state == "running"
        await there.close()
        await here.close()


async def test_a_job_whose_process_was_killed_is_told_as_failed(tmp_path: Path) -> None:
    async def work(_: Progress) -> None:
        await asyncio.Event().wait()

    leases = FileLeases(tmp_path / "leases")
    killed = Jobs(leases)
    job = killed.start("scrub", work)
    leases.close()
    with closing(FileLeases(tmp_path / "leases")) as ours:
        assert Jobs(ours).look(job.id).state == "failed"
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
