"""The offline checker: were the promises kept?

It knows what the clients wrote down, the database, the blobs and the upstream's log, and nothing of the code. Each
broken promise is a sentence; an empty list is a good run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import msgspec

NOT_FRESH = 1200.0
"""Seconds after the upstream's last word when an index can't be called fresh any more: twice the setting."""


@dataclass(frozen=True)
class Got:
    """What one client wrote down about one answer."""

    at: float
    """By the appliance's clock, seconds."""
    path: str
    status: int
    whole: bool
    sha256: str
    """Of what was received."""
    cache: str = ""
    age: int = 0
    announced: Mapping[str, str] | None = None
    """Of an index: file name → sha256."""
    recorded: int = 0
    """Of a whole file: deliveries of it in the log at the moment when its last byte was here."""


@dataclass(frozen=True)
class Served:
    """What the upstream did: one answer."""

    at: float
    path: str
    status: int
    honest: bool


@dataclass(frozen=True)
class Evidence:
    """All there is."""

    clients: tuple[Got, ...]
    upstream: tuple[Served, ...]
    database: Path
    blobs: Path
    lost: Counter[str]
    """Files whose bytes were taken from the volume by the test, and how often: each may be fetched again."""


def broken_promises(evidence: Evidence) -> list[str]:
    """Every promise that wasn't kept, as a sentence."""
    connection = apsw.Connection(str(evidence.database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = _rows(connection)
        return [
            *_verified_and_immutable(evidence.clients, rows),
            *_recorded(evidence.clients, rows),
            *_kept(rows, evidence.blobs),
            *_fetched_once(evidence, rows),
            *_honest_about_age(evidence),
            *_chained(connection),
        ]
    finally:
        connection.close()


_ARTIFACTS = "SELECT filename, pin, blob FROM artifact"


@dataclass(frozen=True)
class _Rows:
    pins: Mapping[str, str]
    """File name → sha256 of first sight."""
    blobs: Mapping[str, str]
    events: tuple[Mapping[str, Any], ...]


def _rows(connection: apsw.Connection) -> _Rows:
    artifacts = [(str(name), pin, blob) for name, pin, blob in connection.execute(_ARTIFACTS)]
    rows = {name for name, _, _ in artifacts}
    for (entries,) in connection.execute("SELECT entries FROM listing"):
        for listed in msgspec.msgpack.decode(gzip.decompress(bytes(entries))):
            digests = {each["algorithm"]: each["hex"] for each in listed["digests"]}
            if listed["filename"] not in rows:
                artifacts.append((listed["filename"], f"sha256:{digests['sha256']}", None))
    events = tuple(
        json.loads(str(row[0])) for row in connection.execute("SELECT event FROM log ORDER BY seq")
    )
    return _Rows(
        pins={str(name): str(pin).removeprefix("sha256:") for name, pin, _ in artifacts if pin},
        blobs={str(name): str(blob) for name, _, blob in artifacts if blob},
        events=events,
    )


def _verified_and_immutable(clients: Iterable[Got], rows: _Rows) -> Iterable[str]:
    """I1, I2: one name, one digest, for ever, in every index and in every complete file."""
    first: dict[str, str] = {}
    for got in clients:
        for filename, sha256 in (got.announced or {}).items():
            if first.setdefault(filename, sha256) != sha256:
                yield f"I2: the index announced another digest of {filename} than before"
    for got in clients:
        filename = got.path.rpartition("/")[2]
        if got.announced is None and got.status == 200 and got.whole:
            if filename in first and first[filename] != got.sha256:
                yield f"I1: a client has a complete {filename} that isn't what was first announced"
            if rows.pins.get(filename) != got.sha256:
                yield f"I2: a client has a complete {filename} that isn't the pinned one"


def _recorded(clients: Iterable[Got], rows: _Rows) -> Iterable[str]:
    """I3: no complete file without its row, and not a moment before it."""
    delivered = Counter(e["filename"] for e in rows.events if e["kind"] == "delivery")
    ingested = {(e["filename"], e["sha256"]) for e in rows.events if e["kind"] == "ingest"}
    had: Counter[str] = Counter()
    for got in clients:
        if got.announced is not None or got.status != 200 or not got.whole:
            continue
        filename = got.path.rpartition("/")[2]
        had[filename] += 1
        if got.recorded < had[filename]:
            yield f"I3: {had[filename]} clients had {filename} when the log knew of {got.recorded}"
        if (filename, got.sha256) not in ingested:
            yield f"I3: {filename} was given away and never recorded as come in"
    for filename, count in had.items():
        if delivered[filename] < count:
            yield f"I3: {count} clients have {filename}, the log knows of {delivered[filename]}"


def _kept(rows: _Rows, blobs: Path) -> Iterable[str]:
    """I1, I4, I5: a row has its bytes, they are the pinned ones, and they are what they are called."""
    for filename, sha256 in rows.blobs.items():
        if rows.pins.get(filename) != sha256:
            yield f"I1: {filename} is kept with bytes that aren't the pinned ones"
        path = blobs / sha256[:2] / sha256
        if not path.is_file():
            yield f"I4: the row of {filename} has no bytes"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            yield f"I4: the bytes of {filename} aren't what its row says"


def _fetched_once(evidence: Evidence, rows: _Rows) -> Iterable[str]:
    """I11: an honest upstream is asked for a file once, and once more each time its bytes were lost."""
    honest = Counter(
        served.path.rpartition("/")[2]
        for served in evidence.upstream
        if served.honest and served.status == 200 and "/files/" in served.path
    )
    for filename, count in honest.items():
        allowed = 1 + evidence.lost[filename]
        if count > allowed:
            yield f"I11: {filename} was fetched {count} times, {allowed} would do"


def _honest_about_age(evidence: Evidence) -> Iterable[str]:
    """I10: nothing old is shown as fresh."""
    for got in evidence.clients:
        if got.announced is None or got.cache != "HIT":
            continue
        project = got.path.strip("/").rpartition("/")[2]
        words = [
            served.at
            for served in evidence.upstream
            if served.path == f"/simple/{project}/" and served.status in {200, 304} and served.at <= got.at
        ]
        if words and got.at - max(words) > NOT_FRESH:
            yield f"I10: the index of {project} was called fresh {got.at - max(words):.0f} s after the last word"
        if words and got.age + 2 < got.at - max(words):
            yield f"I10: the index of {project} was said to be {got.age} s old"


def _chained(connection: apsw.Connection) -> Iterable[str]:
    """I15: the log is one chain."""
    previous = bytes(32)
    rows = connection.execute("SELECT seq, previous, hash, event FROM log ORDER BY seq")
    for number, (seq, before, digest, body) in enumerate(rows, 1):
        expected = hashlib.sha256(previous.hex().encode() + b"\n" + str(body).encode()).digest()
        if (seq, before, digest) != (number, previous, expected):
            yield f"I15: row {number} of the log doesn't follow"
            return
        previous = expected
