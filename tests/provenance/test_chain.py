"""The chain's law: no row can be edited, removed, added or moved without the chain breaking there."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from registry.model.events import Event, Kind, LoggedEvent
from registry.model.names import Project
from registry.provenance.chain import GENESIS, canonical, read, row_hash
from tests.provenance.chains import first_break

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
EVENTS = st.builds(
    Event,
    kind=st.sampled_from(Kind),
    at=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    actor=TEXT,
    project=st.none() | st.builds(Project, ecosystem=st.sampled_from(["pypi", "npm"]), name=TEXT),
    version=st.none() | TEXT,
    sha256=st.none() | TEXT,
    agent=TEXT,
    detail=st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT, max_size=3),
)


def chained(events: list[Event]) -> list[LoggedEvent]:
    rows: list[LoggedEvent] = []
    for number, event in enumerate(events, 1):
        previous = rows[-1].hash if rows else GENESIS
        rows.append(
            LoggedEvent(seq=number, previous=previous, hash=row_hash(previous, canonical(event)), event=event)
        )
    return rows


CHAINS = st.lists(EVENTS, min_size=2, max_size=6).map(chained)


@given(EVENTS)
def test_an_event_is_read_back_as_it_was(event: Event) -> None:
    assert read(canonical(event)) == event


@given(EVENTS)
def test_canonical_bytes_are_what_any_json_library_makes_of_them(event: Event) -> None:
    body = canonical(event)
    assert json.loads(body)["kind"] == event.kind.value
    assert (
        json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        == body
    )


def test_canonical_bytes_stay_what_they_are() -> None:
    event = Event(
        kind=Kind.DELIVERY,
        at=NOW.astimezone(timezone(timedelta(hours=2))),
        actor="ada",
        project=Project("pypi", "foo"),
        version="1.0",
        detail={"size": 7, "held": None},
    )
    body = (
        b'{"actor":"ada","at":"2026-11-21T12:00:00.000000Z","detail":{"held":null,"size":7},"kind":"delivery",'
        b'"project":{"ecosystem":"pypi","name":"foo"},"version":"1.0"}'
    )
    assert canonical(event) == body
    assert row_hash(GENESIS, body) == hashlib.sha256(b"0" * 64 + b"\n" + body).hexdigest()


@given(CHAINS)
def test_an_untouched_chain_is_unbroken_from_any_row_on(rows: list[LoggedEvent]) -> None:
    assert first_break(rows) is None
    assert first_break(rows[1:], after=1, previous=rows[0].hash) is None


@given(CHAINS, st.data())
def test_any_edit_is_found_where_it_was_made(rows: list[LoggedEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    edited = msgspec.structs.replace(rows[place].event, actor=rows[place].event.actor + "!")
    rows[place] = msgspec.structs.replace(rows[place], event=edited)
    found = first_break(rows)
    assert found is not None
    assert found.seq == place + 1


@given(CHAINS, st.data())
def test_an_edit_with_a_new_hash_is_found_at_the_next_row(
    rows: list[LoggedEvent], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(rows) - 2))
    edited = msgspec.structs.replace(rows[place].event, actor=rows[place].event.actor + "!")
    again = row_hash(rows[place].previous, canonical(edited))
    rows[place] = msgspec.structs.replace(rows[place], event=edited, hash=again)
    found = first_break(rows)
    assert found is not None
    assert found.seq == place + 2


@given(CHAINS, st.data())
def test_any_deletion_is_found(rows: list[LoggedEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 2))
    del rows[place]
    found = first_break(rows)
    assert found is not None
    assert found.seq == place + 1


@given(CHAINS, st.data())
def test_any_swap_is_found(rows: list[LoggedEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 2))
    one, two = rows[place], rows[place + 1]
    rows[place] = msgspec.structs.replace(two, seq=one.seq)
    rows[place + 1] = msgspec.structs.replace(one, seq=two.seq)
    found = first_break(rows)
    assert found is not None
    assert found.seq == place + 1


@given(CHAINS, EVENTS, st.data())
def test_any_insertion_is_found(rows: list[LoggedEvent], event: Event, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    previous = rows[place - 1].hash if place else GENESIS
    forged = LoggedEvent(
        seq=place + 1, previous=previous, hash=row_hash(previous, canonical(event)), event=event
    )
    moved = [msgspec.structs.replace(row, seq=row.seq + 1) for row in rows[place:]]
    assert first_break([*rows[:place], forged, *moved]) is not None


def test_text_that_is_not_unicode_is_kept_with_replacements() -> None:
    event = Event(kind=Kind.ALARM, at=NOW, actor="a\ud800", detail={"reason": "\udcff"})
    found = read(canonical(event))
    assert found is not None
    assert (found.actor, found.detail["reason"]) == ("a?", "?")


def test_bytes_that_canonical_does_not_write_are_no_event() -> None:
    body = canonical(Event(kind=Kind.ALARM, at=NOW, actor="ada"))
    assert read(body) is not None
    for forged in (body.replace(b",", b", "), body[:-1], b"[]", b"", body.replace(b"ada", b"\xff")):
        assert read(forged) is None
