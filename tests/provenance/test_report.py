"""Who got what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from registry.model.events import Event, Kind, LoggedEvent
from registry.model.names import Project
from registry.provenance.report import Receipt, receipts

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOO = Project("pypi", "foo")


def row(seq: int, kind: Kind = Kind.DELIVERY, **facts: object) -> LoggedEvent:
    known = {
        "actor": "ada",
        "address": "10.0.0.1",
        "project": FOO,
        "version": "1.0",
        "filename": "foo-1.0.tar.gz",
        "at": NOW + timedelta(minutes=seq),
    }
    event = Event(kind=kind, **(known | facts))  # type: ignore[arg-type]
    return LoggedEvent(seq=seq, previous="", hash="", event=event)


def test_deliveries_of_one_client_are_summed_up() -> None:
    rows = [row(3), row(1), row(2, filename="foo-1.0-py3-none-any.whl")]
    assert receipts(rows) == (
        Receipt(
            actor="ada",
            address="10.0.0.1",
            project=FOO,
            version="1.0",
            filenames=("foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"),
            first=NOW + timedelta(minutes=1),
            last=NOW + timedelta(minutes=3),
            count=3,
        ),
    )


def test_clients_addresses_and_versions_are_told_apart_the_latest_first() -> None:
    rows = [row(1), row(2, actor="bob"), row(3, address="10.0.0.2"), row(4, version="2.0")]
    found = [(receipt.actor, receipt.address, receipt.version) for receipt in receipts(rows)]
    assert found == [
        ("ada", "10.0.0.1", "2.0"),
        ("ada", "10.0.0.2", "1.0"),
        ("bob", "10.0.0.1", "1.0"),
        ("ada", "10.0.0.1", "1.0"),
    ]


def test_only_deliveries_of_a_project_count() -> None:
    assert receipts([row(1, Kind.REFUSAL), row(2, Kind.INGEST), row(3, project=None)]) == ()
