"""I3: no complete file leaves without a row that says to whom, and none comes in without one that says whence."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import apsw
import pytest

from registry.errors import Unavailable
from registry.pipeline.verify import FAILURE_LASTS
from registry.storage import provenance_log
from registry.web import flights
from tests.guarantees.house import House, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

WHEEL = make_wheel("demo", "1.0", padding=300_000)
SMALL = make_wheel("small", "1.0")
TARBALL = make_tarball("@team/tool", "1.0.0")


def _is_delivery(body: bytes) -> bool:
    return b'"kind":"delivery"' in body


@pytest.mark.parametrize("package", [WHEEL, SMALL, TARBALL], ids=["large", "small", "npm"])
async def test_an_ingest_says_whence_and_a_delivery_to_whom(
    house: House, upstream: LyingUpstream, package: Any
) -> None:
    upstream.add(package)
    await house.fetch(package, headers={"User-Agent": "pip/26.3"})
    await house.ask(path_of(package), headers={**house.admin, "User-Agent": "pip/26.3"})
    sha256 = hashlib.sha256(package.data).hexdigest()
    (ingest,) = house.rows("ingest")
    assert (ingest["filename"], ingest["version"], ingest["sha256"]) == (
        package.filename,
        package.version,
        sha256,
    )
    detail = ingest["detail"]
    assert detail["url"].startswith(upstream.origin)
    assert detail["pin"] in detail["announced"]
    assert set(detail["computed"].split()) == {
        f"sha256:{sha256}",
        f"sha512:{hashlib.sha512(package.data).hexdigest()}",
    }
    if package is TARBALL:
        assert detail["pin"].startswith("sha512:")
    assert (detail["size"], detail["policy"]) == (len(package.data), house.policy.current.revision)
    anonymous, named = house.rows("delivery")
    assert [anonymous["sha256"], named["sha256"]] == [sha256, sha256]
    assert (anonymous["actor"], anonymous["address"], anonymous["agent"]) == (
        "anonymous@127.0.0.1",
        "127.0.0.1",
        "pip/26.3",
    )
    assert (named["actor"], named["detail"]["token"]) == ("admin-token", "admin-token")


@pytest.mark.parametrize("stream_after", [0, 2.0], ids=["streamed", "waited for"])
async def test_the_row_is_there_before_the_last_byte(
    house: House, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch, stream_after: float
) -> None:
    """Cold and warm: at the moment of the row the client lacks the end of the file."""
    monkeypatch.setattr(flights, "STREAM_AFTER", stream_after)
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    append_all, received = provenance_log._append_all, bytearray()
    had: list[int] = []

    def recording(connection: apsw.Connection, bodies: Sequence[bytes]) -> int:
        had.extend(len(received) for body in bodies if _is_delivery(body))
        return append_all(connection, bodies)

    monkeypatch.setattr(provenance_log, "_append_all", recording)
    for _ in range(2):
        received.clear()
        response = await house.begin(path)
        async for chunk in response.content.iter_any():
            received.extend(chunk)
        assert bytes(received) == WHEEL.data
    assert len(had) == 2
    assert max(had) < len(WHEEL.data)
    assert len(house.rows("delivery")) == 2


@pytest.mark.parametrize("stream_after", [0, 2.0], ids=["streamed", "waited for"])
@pytest.mark.parametrize("kept", [False, True], ids=["cold", "kept"])
@pytest.mark.parametrize("package", [WHEEL, SMALL], ids=["large", "small"])
async def test_without_a_row_there_is_no_complete_delivery(
    house: House,
    upstream: LyingUpstream,
    monkeypatch: pytest.MonkeyPatch,
    stream_after: float,
    kept: bool,
    package: Any,
) -> None:
    """The database is full or locked: 503, or a connection that breaks, never silence."""
    monkeypatch.setattr(flights, "STREAM_AFTER", stream_after)
    upstream.add(package)
    path = await house.learn(package)
    if kept:
        await house.ask(path)
    before = len(house.rows("delivery"))
    with monkeypatch.context() as broken:

        def refusing(connection: apsw.Connection, bodies: Sequence[bytes]) -> int:
            if any(map(_is_delivery, bodies)):
                raise Unavailable("The log can't be written; the disk is full.")
            return append_all(connection, bodies)

        append_all = provenance_log._append_all
        broken.setattr(provenance_log, "_append_all", refusing)
        for headers in ({}, {"Range": "bytes=-1"}, {"Range": "bytes=0-"}):
            got = await house.ask(path, headers=headers)
            assert got.status == 503 or (got.status == 200 and not got.whole)
    assert len(house.rows("delivery")) == before
    house.clock.advance(seconds=FAILURE_LASTS)
    assert (await house.ask(path)).is_whole(package.data)
    assert len(house.rows("delivery")) == before + 1


async def test_all_who_wait_for_a_file_are_recorded_with_its_coming_in(
    house: House, upstream: LyingUpstream
) -> None:
    """One transaction for the ingest and the deliveries to those who get bytes of it."""
    upstream.add(SMALL)
    path = await house.learn(SMALL)
    etag = f'"{hashlib.sha256(SMALL.data).hexdigest()}"'
    asked: list[dict[str, str]] = [{}, {}, {"If-None-Match": etag}, {}]
    got = await asyncio.gather(*(house.ask(path, headers=headers) for headers in asked))
    assert [answer.status for answer in got] == [200, 200, 304, 200]
    logged = house.query("SELECT kind FROM log WHERE kind IN ('ingest', 'delivery') ORDER BY seq")
    assert [kind for (kind,) in logged] == ["ingest", *["delivery"] * 3]


async def test_what_gives_no_bytes_makes_no_delivery(house: House, upstream: LyingUpstream) -> None:
    """HEAD, 304 and 416, of a file that is here and of one that isn't."""
    upstream.add(WHEEL)
    path = await house.learn(WHEEL)
    etag = f'"{hashlib.sha256(WHEEL.data).hexdigest()}"'
    for _ in range(2):
        assert (await house.ask(path, method="HEAD")).status == 200
        assert (await house.ask(path, headers={"If-None-Match": etag})).status == 304
        assert (await house.ask(path, headers={"Range": "bytes=999999-"})).status == 416
    assert not house.rows("delivery")


async def test_a_client_that_leaves_before_the_end_is_on_record_all_the_same(
    house: House, upstream: LyingUpstream
) -> None:
    """The row says what was sent on its way, so it may say too much, never too little."""
    upstream.add(WHEEL)
    await house.fetch(WHEEL)
    response = await house.begin(path_of(WHEEL))
    response.close()
    assert len(house.rows("delivery")) == 2


async def test_the_log_is_a_chain(house: House, upstream: LyingUpstream) -> None:
    upstream.add(WHEEL, TARBALL)
    await house.fetch(WHEEL)
    await house.fetch(TARBALL)
    got = await house.ask("/api/v1/audit/verify", headers=house.admin)
    assert (got.status, got.json["intact"]) == (200, True)
    assert got.json["rows"] == len(house.query("SELECT seq FROM log"))
