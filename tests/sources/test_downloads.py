"""U17: a download that breaks is taken up again, and never becomes another file on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import NotFound, RegistryError, SourceFailed
from registry.model.artifacts import Artifact
from registry.sources import download
from registry.sources.registry_source import RegistrySource
from tests.sources.world import read
from tests.upstream import Answer, Distribution, Fault, LyingUpstream, faults

BREAKS: dict[str, Fault] = {
    "reset halfway": faults.reset_halfway,
    "reset after the headers": faults.reset_after_headers,
    "closed halfway": faults.truncated,
}


def breaking_at(*cuts: int) -> Sequence[Fault]:
    """A fault for each answer in turn: so many bytes, then a reset."""

    def cut(size: int) -> Fault:
        return lambda answer: replace(answer, stop_after=size, reset=True)

    return [cut(size) for size in cuts]


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
async def test_the_rest_is_asked_for_where_the_source_can_tell_that_it_is_the_same(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact, fault: Fault
) -> None:
    upstream.lie(fault, times=1)
    assert await read(source, file) == wheel.data
    first, second = upstream.requests
    assert "range" not in first.headers
    if fault is faults.truncated:  # of what a reset follows the system may drop some
        assert second.headers["range"] == f"bytes={len(wheel.data) // 2}-"
    assert ("range" in second.headers) == ("if-range" in second.headers)
    assert second.headers["accept-encoding"] == "identity"


async def test_the_whole_is_asked_for_where_the_source_gives_no_parts(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.ranges = False
    upstream.lie(faults.reset_halfway, times=1)
    assert await read(source, file) == wheel.data
    assert len(upstream.requests) == 2


async def test_nothing_is_asked_of_a_source_by_a_validator_that_it_never_gave(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.validators = False
    upstream.lie(faults.reset_halfway, times=1)
    assert await read(source, file) == wheel.data
    assert [seen.headers.get("range") for seen in upstream.requests] == [None, None]


async def test_a_weak_validator_is_no_reason_to_ask_for_a_part(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.validators = False
    upstream.lie(faults.with_header("ETag", 'W/"1"'))
    upstream.lie(faults.reset_halfway, times=1)
    assert await read(source, file) == wheel.data
    assert "range" not in upstream.requests[1].headers


async def test_another_file_under_the_name_is_not_mixed_with_the_first(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    """The size is the same, so only its ETag tells."""

    def break_and_replace(answer: Answer) -> Answer:
        upstream.add(replace(wheel, data=bytes(reversed(wheel.data))))
        return faults.reset_halfway(answer)

    upstream.lie(break_and_replace, times=1)
    with pytest.raises(SourceFailed, match="changed a file while it was fetched"):
        await read(source, file)


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-9/10", "bytes 7-{end}/{size}", "bytes {half}-{end}/{more}", "bytes */{size}", ""],
)
async def test_a_part_that_is_not_the_rest_is_not_taken_for_it(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact, content_range: str
) -> None:
    size = len(wheel.data)
    said = content_range.format(half=size // 2, end=size - 1, size=size, more=size + 1)

    def elsewhere(answer: Answer) -> Answer:
        if answer.status != 206:
            return faults.reset_halfway(answer)
        kept = tuple(header for header in answer.headers if header[0] != "Content-Range")
        return replace(answer, headers=(*kept, ("Content-Range", said)))

    upstream.lie(elsewhere)
    with pytest.raises(SourceFailed, match="changed a file"):
        await read(source, file)


@pytest.mark.parametrize(
    ("then", "error", "says"),
    [
        (faults.status(404), NotFound, "no such file"),
        (faults.status(416), SourceFailed, "416"),
        (faults.status(500), SourceFailed, "500"),
        (faults.with_header("Content-Encoding", "gzip"), SourceFailed, "coded"),
    ],
    ids=["gone", "416", "500", "coded"],
)
async def test_what_comes_instead_of_the_rest_is_the_end(
    source: RegistrySource,
    upstream: LyingUpstream,
    file: Artifact,
    then: Fault,
    error: type[RegistryError],
    says: str,
) -> None:
    upstream.lie(lambda answer: then(answer) if answer.status == 206 else faults.reset_halfway(answer))
    with pytest.raises(error, match=says):
        await read(source, file)


async def test_a_source_that_keeps_breaking_off_is_given_up(
    source: RegistrySource, upstream: LyingUpstream, file: Artifact
) -> None:
    upstream.lie(faults.reset_halfway)
    with pytest.raises(SourceFailed, match="before the end"):
        await read(source, file)
    assert len(upstream.requests) == 1 + download.MOST_RESUMED


async def test_a_large_file_may_break_more_often_than_a_small_one(
    source: RegistrySource,
    upstream: LyingUpstream,
    wheel: Distribution,
    file: Artifact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "PROGRESS", len(wheel.data) // 10)
    for fault in breaking_at(*[len(wheel.data) // 8] * 5):
        upstream.lie(fault, times=1)
    assert await read(source, file) == wheel.data


async def test_a_file_that_is_too_slow_is_not_taken_up_again(
    upstream: LyingUpstream, source: RegistrySource, file: Artifact
) -> None:
    source._client.limits = replace(source._client.limits, window=0.05, rate=10_000_000)
    upstream.lie(faults.drip(10, 0.02))
    with pytest.raises(SourceFailed, match="slower"):
        await read(source, file)
    assert len(upstream.requests) == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.integers(0, 5_000), max_size=download.MOST_RESUMED), ranges=st.booleans())
async def test_wherever_it_breaks_the_bytes_are_the_same(
    source: RegistrySource,
    upstream: LyingUpstream,
    wheel: Distribution,
    file: Artifact,
    cuts: list[int],
    ranges: bool,
) -> None:
    upstream.ranges = ranges
    upstream.requests.clear()
    upstream.heal()

    def break_off(answer: Answer) -> Answer:
        number = len(upstream.requests) - 1
        return breaking_at(cuts[number])[0](answer) if number < len(cuts) else answer

    upstream.lie(break_off)
    async with asyncio.timeout(30):
        assert await read(source, file) == wheel.data
