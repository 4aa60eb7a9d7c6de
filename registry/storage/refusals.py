"""Refusals, summed up so that a client in a loop can't fill the disk.

The id behind /why/ comes with the refusal (`model.decisions.refuse`), the same for the same subject and
objections in every process, also while the database can't be written. One client's refusals for one subject,
and reason within an hour are one row and one event; a client that is refused very many subjects in an hour
gets one more row for all the rest.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import apsw
import msgspec

from registry.errors import Unavailable
from registry.model.decisions import Decision, Refusal
from registry.model.events import Client, Event, Kind
from registry.storage.database import Database, Row
from registry.storage.moments import micros, moment_of
from registry.storage.provenance_log import append

_LOG = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(Decision)

_HOUR = 3_600_000_000
_IN_MEMORY = 10_000
_FLUSH_COUNT = 100
_FLUSH_AFTER = 60_000_000
"""Repetitions are counted in memory and written when there are so many, or after so many microseconds."""
_REST = "*"


class _Key(NamedTuple):
    """What shares a row."""

    hour: int
    """Since 1970."""
    client: str
    refusal_id: str


class Refusals:
    """The port's implementation over the `explanation` and `refusal` tables."""

    def __init__(self, database: Database, *, rows_per_client: int = 200) -> None:
        """`rows_per_client`: with how many subjects one client is noted in an hour, one by one."""
        self._database = database
        self._bound = rows_per_client
        self._explained: OrderedDict[str, tuple[Decision, datetime]] = OrderedDict()
        self._noted: OrderedDict[_Key, None] = OrderedDict()
        self._repeated: Counter[_Key] = Counter()
        self._flushed = 0

    async def note(self, refusal: Refusal, client: Client, now: datetime) -> None:
        """Count a refusal that a client met; the first of this client and refusal id within an hour makes the
        log's event.

        A no stays a no while the database can't be written: then it is explained from memory, and recorded
        once it can be.
        """
        self._remember(refusal, now)
        key = _Key(micros(now) // _HOUR, f"{client.actor} {client.address}", refusal.id)
        rest = key._replace(refusal_id=_REST)
        for counted in (key, rest):
            if counted in self._noted:
                self._repeated[counted] += 1
                self._flush_when_due(micros(now))
                return

        def job(connection: apsw.Connection) -> _Key:
            return self._first(connection, key, refusal, client, now)

        try:
            counted = await self._database.write(job)
        except Unavailable as error:
            _LOG.error("a refusal could not be recorded yet: %s", error)
            with contextlib.suppress(Unavailable):  # shutting down
                self._database.post(job)
            return
        self._noted[counted] = None
        if len(self._noted) > _IN_MEMORY:
            self._noted.popitem(last=False)

    async def explain(self, refusal_id: str) -> tuple[Decision, datetime] | None:
        """The decision behind a /why/ id and when it was first made; never who asked."""
        if known := self._explained.get(refusal_id):
            return known
        row = self._database.row("SELECT decision, first FROM explanation WHERE id = ?", (refusal_id,))
        return None if row is None else (_DECODER.decode(row[0]), moment_of(row[1]))

    async def disclose(self, refusals: Sequence[Refusal], now: datetime) -> None:
        """Keep refusals that an index shows, so that their /why/ pages exist; no client has met them yet."""
        fresh = [refusal for refusal in refusals if refusal.id not in self._explained]
        for refusal in fresh:
            self._remember(refusal, now)

        def job(connection: apsw.Connection) -> None:
            for refusal in fresh:
                _explain(connection, refusal, now)

        if fresh:
            self._database.post(job)

    def flush(self) -> None:
        """Write the counts of repeated refusals with the next commit; call it before closing."""
        repeated, self._repeated = self._repeated, Counter()

        def job(connection: apsw.Connection) -> None:
            for key, count in repeated.items():
                _count(connection, key, count)

        if repeated:
            self._database.post(job)

    def _flush_when_due(self, now: int) -> None:
        if self._repeated.total() >= _FLUSH_COUNT or now - self._flushed >= _FLUSH_AFTER:
            self._flushed = now
            self.flush()

    def _first(
        self, connection: apsw.Connection, key: _Key, refusal: Refusal, client: Client, now: datetime
    ) -> _Key:
        """Make the row, its explanation and its event, unless another process has; gives the key that this
        refusal was counted under."""
        if _count(connection, key, 1):
            return key
        rows: list[Row] = connection.execute(
            "SELECT count(*) FROM refusal WHERE hour = ? AND client = ?", (key.hour, key.client)
        ).fetchall()
        if rows[0][0] < self._bound:
            _explain(connection, refusal, now)
            _insert(connection, key, now)
            append(connection, _event(refusal, client, now))
            return key
        rest = key._replace(refusal_id=_REST)
        if not _count(connection, rest, 1):
            _insert(connection, rest, now)
            append(connection, _overflow(client, now))
        return rest

    def _remember(self, refusal: Refusal, now: datetime) -> None:
        if refusal.id not in self._explained:
            self._explained[refusal.id] = (refusal.decision, now)
            if len(self._explained) > _IN_MEMORY:
                self._explained.popitem(last=False)


def _count(connection: apsw.Connection, key: _Key, count: int) -> bool:
    """Add to a row; whether there is one."""
    return bool(
        connection.execute(
            "UPDATE refusal SET count = count + ?"
            " WHERE hour = ? AND client = ? AND refusal = ? RETURNING count",
            (count, *key),
        ).fetchall()
    )


def _insert(connection: apsw.Connection, key: _Key, now: datetime) -> None:
    connection.execute(
        "INSERT INTO refusal (hour, client, refusal, count, first) VALUES (?, ?, ?, 1, ?)",
        (*key, micros(now)),
    )


def _explain(connection: apsw.Connection, refusal: Refusal, now: datetime) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO explanation (id, decision, first) VALUES (?, ?, ?)",
        (refusal.id, _ENCODER.encode(refusal.decision).decode(), micros(now)),
    )


def _event(refusal: Refusal, client: Client, now: datetime) -> Event:
    decision = refusal.decision
    subject, leading = decision.subject, decision.leading
    return Event(
        kind=Kind.REFUSAL,
        at=now,
        actor=client.actor,
        project=subject.project,
        version=subject.version,
        filename=subject.filename,
        address=client.address,
        agent=client.agent,
        detail={
            "rule": leading.rule if leading else None,
            "effect": leading.effect.value if leading else None,
            "reason": leading.reason if leading else None,
            "objections": "; ".join(f"{o.rule} ({o.effect.value}): {o.reason}" for o in decision.objections),
            "revision": decision.revision,
            "mode": decision.mode,
            "why": refusal.id,
        },
    )


def _overflow(client: Client, now: datetime) -> Event:
    return Event(
        kind=Kind.REFUSAL,
        at=now,
        actor=client.actor,
        address=client.address,
        agent=client.agent,
        detail={"reason": "Refused very many subjects within this hour; the rest are only counted."},
    )
