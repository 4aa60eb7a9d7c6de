r"""The hash chain that makes the log tamper-evident. Anyone can check it with sha256 and a JSON parser.

    body   the event as JSON: UTF-8, keys sorted, no spaces, fields without a value left out,
           `at` as 2026-11-21T22:37:00.000000Z
    hash   sha256(previous in lower-case hex + "\n" + body), in hex
    first  its `previous` is 64 zeros; numbers run 1, 2, 3 ... without gaps

A field that is added to events later is left out of older bodies, so their hashes stay what they were.
Edits, deletions, insertions and swaps are found row by row (`misfit`), a cut that takes the newest rows by
comparing with a checkpoint that is kept elsewhere (`checkpoints`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from registry.model.checkpoints import Link
from registry.model.events import Event
from registry.model.names import Project

GENESIS = "0" * 64
"""`previous` of the first row."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(Event)


class _Body(msgspec.Struct, omit_defaults=True):
    """The fields of an event as they are written: what has no value is left out."""

    actor: str
    at: datetime | str
    kind: str
    address: str = ""
    agent: str = ""
    detail: Mapping[str, Any] = {}
    filename: str | None = None
    project: Project | None = None
    sha256: str | None = None
    version: str | None = None


class Break(msgspec.Struct, frozen=True):
    """Where a chain stops being one."""

    seq: int
    """Number of the first row that can't be trusted."""
    reason: str


def canonical(event: Event) -> bytes:
    """The event's canonical bytes, the JSON that its hash is over.

    Text that isn't valid Unicode (lone surrogates out of a header or a foreign document) is kept with
    replacement characters: hostile text must not keep an event out of the log.
    """
    body = _Body(
        actor=event.actor,
        at=_written(event.at.astimezone(UTC)),
        kind=event.kind.value,
        address=event.address,
        agent=event.agent,
        detail=event.detail,
        filename=event.filename,
        project=event.project,
        sha256=event.sha256,
        version=event.version,
    )
    try:
        return _ENCODER.encode(body)
    except UnicodeEncodeError:
        return _ENCODER.encode(_printable(msgspec.to_builtins(body)))


def read(body: bytes | str) -> Event | None:
    """The event whose canonical bytes these are; None when they are not what `canonical` writes."""
    data = body.encode() if isinstance(body, str) else body
    try:
        event = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if canonical(event) == data else None


def row_hash(previous: str, body: bytes) -> str:
    """The hash of a row, from the hash of the row before and its own canonical bytes."""
    return hashlib.sha256(previous.encode("ascii") + b"\n" + body).hexdigest()


def misfit(link: Link, after: int, previous: str) -> Break | None:
    """Why a row doesn't follow on row number `after` with the hash `previous`; None when it does."""
    expected = after + 1
    if link.seq != expected:
        reason = (
            f"row {expected} is missing."
            if link.seq > expected
            else f"row {link.seq} stands in the wrong place."
        )
        return Break(min(expected, link.seq), reason)
    if link.previous != previous:
        return Break(link.seq, f"row {link.seq} doesn't name the hash of the row before it.")
    if link.hash != row_hash(previous, link.body):
        return Break(link.seq, f"row {link.seq} was changed after it was written.")
    return None


def unreadable(seq: int) -> Event:
    """Stands for a row whose bytes are no event any more, so that a replay can name it and go on."""
    return _DECODER.decode(
        _ENCODER.encode(
            {
                "kind": "alarm",
                "at": datetime.fromtimestamp(0, UTC),
                "actor": "log",
                "detail": {"reason": f"Row {seq} of the log is not readable; run `registry audit verify`."},
            }
        )
    )


def _written(at: datetime) -> datetime | str:
    """What the encoder writes with six digits of a second, in a fraction of the time that formatting takes; a
    whole second it would write without any."""
    return at if at.microsecond else at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(entry) for key, entry in value.items()}
    return value
