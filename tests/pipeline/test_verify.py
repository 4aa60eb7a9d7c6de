"""A flight: begun once, ended for everybody, and nothing left of a failed one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from registry.errors import IntegrityFailed, NotFound, RegistryError, SourceFailed, Unavailable
from registry.model.artifacts import Artifact, Holding
from registry.model.events import Event, Kind
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.publications import Findings
from registry.pipeline.flight import Flight, Passenger
from registry.pipeline.inspector import Inspector
from registry.pipeline.verify import FAILURE_LASTS, Verifier
from tests.fakes import BlobsInDirectory, CatalogueInMemory, FixedClock, LogInMemory
from tests.specimens import FOO, artifact, event, sha

DATA = b"the bytes of a file"


class Pieces:
    """A source of one file, in pieces; an exception among them is raised there."""

    name = "the upstream"

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces: Sequence[bytes | Exception] = pieces
        self.opened = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        raise AssertionError("nobody asks for an index here")

    @asynccontextmanager
    async def artifact(self, artifact: Artifact) -> AsyncIterator[AsyncIterator[bytes]]:
        self.opened += 1
        yield self._flow()

    async def _flow(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await self.gate.wait()
            if isinstance(piece, Exception):
                raise piece
            yield piece


class Hangar:
    """A verifier over fakes, and one file to bring in."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.log = FixedClock(), LogInMemory()
        self.catalogue = CatalogueInMemory(self.log)
        self.blobs = BlobsInDirectory(folder / "blobs")
        self.findings = Findings()
        blobs = {"public": self.blobs}
        self.inspector = Inspector(blobs, self.catalogue, self.log, self.clock, self._inspect)
        self.verifier = Verifier(blobs, self.catalogue, self.log, self.clock, self.inspector)
        self.holding = Holding(
            artifact=artifact("foo-1.0.whl", sha(DATA), size=len(DATA)),
            origin="public",
            pin=sha(DATA),
            first_seen=self.clock.now(),
        )
        self.catalogue.rows[FOO, "foo-1.0.whl"] = self.holding

    def fetch(self, source: Pieces) -> Flight:
        return self.verifier.fetch(self.holding, source, "revision")

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.blobs.root.iterdir())

    def _inspect(self, artifact: Artifact, path: Path) -> Findings:
        assert path.read_bytes() == DATA
        return self.findings


def delivery(sha256: str) -> Event:
    return event(Kind.DELIVERY, sha256=sha256)


@pytest.fixture
async def hangar(tmp_path: Path) -> AsyncIterator[Hangar]:
    made = Hangar(tmp_path)
    yield made
    await made.verifier.close()


async def test_a_file_lands_kept_and_on_record(hangar: Hangar) -> None:
    landed = await hangar.fetch(Pieces(DATA[:5], DATA[5:])).done
    assert landed.path.read_bytes() == DATA
    (event,) = hangar.log.of_kind(Kind.INGEST)
    assert (event.sha256, event.detail["size"]) == (sha(DATA).hex, len(DATA))
    row = await hangar.catalogue.holding(FOO, "foo-1.0.whl")
    assert row is not None
    assert row.blob == sha(DATA).hex


async def test_who_waits_aboard_is_recorded_as_it_lands_and_who_left_or_takes_nothing_is_not(
    hangar: Hangar,
) -> None:
    source = Pieces(DATA)
    source.gate.clear()
    flight = hangar.fetch(source)
    waiting, leaving = Passenger(lambda *_: True, delivery), Passenger(lambda *_: True, delivery)
    content = Passenger(lambda sha256, size: (sha256, size) != (sha(DATA).hex, len(DATA)), delivery)
    with flight.carrying(waiting), flight.carrying(content):
        with flight.carrying(leaving):
            pass
        source.gate.set()
        await flight.done
    assert [each.recorded for each in (waiting, leaving, content)] == [True, False, False]
    assert [row.event.kind for row in hangar.log.rows] == [Kind.INGEST, Kind.DELIVERY]


async def test_of_a_file_that_contradicts_its_name_no_delivery_is_recorded_as_it_lands(
    hangar: Hangar,
) -> None:
    hangar.findings = Findings(mismatch="It is of another project.")
    flight, waiting = hangar.fetch(Pieces(DATA)), Passenger(lambda *_: True, delivery)
    with flight.carrying(waiting):
        await flight.done
    assert not waiting.recorded
    assert not hangar.log.of_kind(Kind.DELIVERY)


async def test_who_comes_while_it_flies_joins_it(hangar: Hangar) -> None:
    source = Pieces(DATA)
    source.gate.clear()
    first, second = hangar.fetch(source), hangar.fetch(source)
    assert first is second
    source.gate.set()
    await first.done
    assert source.opened == 1


FAILURES: dict[str, Sequence[bytes | Exception]] = {
    "other bytes": (b"X" * len(DATA),),
    "too few": (DATA[:5],),
    "too many": (DATA, b"!"),
    "the source fails": (DATA[:5], SourceFailed("It broke.")),
    "the file is gone": (NotFound("It is gone."),),
    "a defect": (DATA[:5], ZeroDivisionError("a defect")),
}


@pytest.mark.parametrize("pieces", FAILURES.values(), ids=FAILURES)
async def test_a_failed_flight_leaves_nothing_but_its_error(
    hangar: Hangar, pieces: Sequence[bytes | Exception], caplog: pytest.LogCaptureFixture
) -> None:
    flight = hangar.fetch(Pieces(*pieces))
    with pytest.raises(RegistryError):
        await flight.done
    await _settled()
    assert hangar.files == []
    assert not hangar.log.of_kind(Kind.INGEST)
    row = await hangar.catalogue.holding(FOO, "foo-1.0.whl")
    assert row is not None
    assert row.blob is None


async def test_an_integrity_failure_is_alarmed_before_anybody_hears_of_it(hangar: Hangar) -> None:
    flight = hangar.fetch(Pieces(b"X" * len(DATA)))
    with pytest.raises(IntegrityFailed):
        await flight.done
    assert [event.detail["alarm"] for event in hangar.log.of_kind(Kind.ALARM)] == ["integrity"]


@pytest.mark.parametrize("failure", [Unavailable("full"), ZeroDivisionError("a defect")])
async def test_an_alarm_that_cannot_be_written_hangs_nobody(hangar: Hangar, failure: Exception) -> None:
    hangar.log.failure = failure
    flight = hangar.fetch(Pieces(b"X" * len(DATA)))
    with pytest.raises(IntegrityFailed):
        await flight.done
    await _settled()


async def test_a_failure_is_remembered_for_a_moment_and_then_forgotten(hangar: Hangar) -> None:
    source = Pieces(SourceFailed("It broke."))
    with pytest.raises(SourceFailed):
        await hangar.fetch(source).done
    await _settled()
    for _ in range(3):
        with pytest.raises(SourceFailed, match="It broke") as raised:
            hangar.fetch(source)
        assert len(raised.traceback) < 5  # the error doesn't grow with every client that is told
    assert source.opened == 1
    hangar.clock.advance(seconds=FAILURE_LASTS + 0.01)
    assert (await hangar.fetch(Pieces(DATA)).done).size == len(DATA)
    assert not hangar.verifier._failures


@pytest.mark.parametrize("failing", ["hold", "stage"])
async def test_without_a_row_or_room_nothing_lands(
    hangar: Hangar, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(hangar.catalogue if failing == "hold" else hangar.blobs, failing, full)
    flight = hangar.fetch(Pieces(DATA))
    with pytest.raises(Unavailable):
        await flight.done
    assert not hangar.log.of_kind(Kind.INGEST)


async def test_the_metadata_inside_is_kept_before_anybody_has_the_file(hangar: Hangar) -> None:
    hangar.findings = Findings(metadata=b"Name: foo")
    await hangar.fetch(Pieces(DATA)).done
    row = await hangar.catalogue.holding(FOO, "foo-1.0.whl")
    assert row is not None
    assert await hangar.blobs.read(row.metadata_blob or "") == b"Name: foo"


async def test_metadata_that_cannot_be_kept_spoils_no_file(
    hangar: Hangar, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(data: bytes) -> str:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(hangar.blobs, "put", full)
    hangar.findings = Findings(metadata=b"Name: foo")
    await hangar.fetch(Pieces(DATA)).done
    row = await hangar.catalogue.holding(FOO, "foo-1.0.whl")
    assert row is not None
    assert (row.blob, row.metadata_blob) == (sha(DATA).hex, None)


async def test_what_contradicts_its_name_is_noted_and_alarmed_before_it_lands(hangar: Hangar) -> None:
    hangar.findings = Findings(mismatch="It is something else.")
    landed = await hangar.fetch(Pieces(DATA)).done
    assert landed.mismatched
    row = await hangar.catalogue.holding(FOO, "foo-1.0.whl")
    assert row is not None
    assert (row.artifact.mismatch, row.blob) == ("It is something else.", sha(DATA).hex)
    said = [(event.kind, event.detail.get("alarm")) for event in (row.event for row in hangar.log.rows)]
    assert said == [(Kind.ALARM, "content_mismatch"), (Kind.INGEST, None)]


async def test_a_second_look_can_clear_a_file(hangar: Hangar) -> None:
    hangar.findings = Findings(mismatch="It is something else.")
    await hangar.fetch(Pieces(DATA)).done
    row = await hangar.catalogue.holding(FOO, "foo-1.0.whl")
    assert row is not None
    hangar.findings = Findings(metadata=b"Name: foo")
    assert await hangar.inspector.examine(row)
    row = await hangar.catalogue.holding(FOO, "foo-1.0.whl")
    assert row is not None
    assert row.artifact.mismatch == ""
    assert hangar.log.of_kind(Kind.ALARM)[-1].detail["alarm"] == "content_mismatch_cleared"


async def test_metadata_beside_a_file_that_is_not_that_inside_is_alarmed(hangar: Hangar) -> None:
    announced = msgspec.structs.replace(hangar.holding.artifact, metadata=sha(b"Name: evil"))
    hangar.holding = msgspec.structs.replace(hangar.holding, artifact=announced)
    hangar.findings = Findings(metadata=b"Name: foo")
    await hangar.fetch(Pieces(DATA)).done
    assert [event.detail["alarm"] for event in hangar.log.of_kind(Kind.ALARM)] == ["metadata_mismatch"]


async def test_closing_ends_what_flies_and_throws_it_away(hangar: Hangar) -> None:
    source = Pieces(DATA[:5], DATA[5:])
    flight = hangar.fetch(source)
    await flight.news()
    source.gate.clear()
    await hangar.verifier.close()
    with pytest.raises(Unavailable):
        await flight.done
    assert hangar.files == []


async def test_a_file_without_a_pin_is_not_even_asked_for(hangar: Hangar) -> None:
    hangar.holding = Holding(
        artifact=hangar.holding.artifact, origin="public", pin=None, first_seen=hangar.clock.now()
    )
    source = Pieces(DATA)
    with pytest.raises(IntegrityFailed):
        await hangar.fetch(source).done
    assert source.opened == 0


async def _settled(true: object = None) -> None:
    """Let tasks get as far as they can."""
    for _ in range(100):
        await asyncio.sleep(0)
        if callable(true):
            if true():
                return
            await asyncio.sleep(0.001)
