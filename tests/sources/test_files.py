"""Streaming a file: its bytes as they are, not one more than announced, from nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from registry.ecosystems.pypi import PYPI
from registry.errors import (
    IntegrityFailed,
    NotFound,
    RegistryError,
    SourceFailed,
    SourceTimedOut,
    Unavailable,
)
from registry.model.artifacts import Artifact
from registry.model.names import Project
from registry.sources.bodies import CHUNK
from registry.sources.registry_source import RegistrySource
from tests.sources.world import PATIENT, QUICK, make_artifact, make_client, make_source, read
from tests.upstream import Distribution, Fault, LyingUpstream, faults


async def test_a_file_arrives_as_it_is_in_chunks(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    async with source.artifact(file) as chunks:
        received = [chunk async for chunk in chunks]
    assert b"".join(received) == wheel.data
    assert max(map(len, received)) <= CHUNK
    (seen,) = upstream.requests
    assert set(seen.headers) == {"host", "accept", "accept-encoding", "user-agent"}
    assert seen.headers["accept-encoding"] == "identity"


async def test_a_file_without_an_announced_size_arrives_whole(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    upstream.lie(faults.chunked)
    url = f"{upstream.origin}/files/{wheel.filename}"
    assert await read(source, make_artifact(demo, wheel.filename, url, None)) == wheel.data


async def test_wrong_bytes_of_the_right_length_are_not_our_judgement(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.lie(faults.wrong_bytes)
    assert await read(source, file) == b"X" * len(wheel.data)


@pytest.mark.parametrize("code", [404, 410])
async def test_a_file_that_is_gone_is_not_found(
    source: RegistrySource, upstream: LyingUpstream, file: Artifact, code: int
) -> None:
    upstream.lie(faults.status(code))
    with pytest.raises(NotFound):
        await read(source, file)


async def test_a_passing_failure_before_the_first_byte_is_tried_once_more(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.lie(faults.status(503), times=1)
    assert await read(source, file) == wheel.data
    assert len(upstream.requests) == 2


BROKEN: dict[str, tuple[Fault, type[RegistryError], str]] = {
    "U2 truncated": (faults.truncated, SourceFailed, "before the end"),
    "U3 early chunked end": (faults.early_chunked_end, IntegrityFailed, "its index says"),
    "U4 length too small": (faults.length_off_by(-5), IntegrityFailed, "its index says"),
    "U4 length too large": (faults.length_off_by(5), IntegrityFailed, "its index says"),
    "U4 one byte too many, declared": (faults.longer_by(1), IntegrityFailed, "its index says"),
    "U4 too many bytes, undeclared": (
        lambda answer: replace(faults.longer_by(1)(answer), chunked=True),
        IntegrityFailed,
        "more than",
    ),
    "U5 two lengths": (faults.two_lengths, SourceFailed, "HTTP|two lengths"),
    "U5 length and chunks": (faults.length_and_chunks, SourceFailed, "HTTP|two lengths"),
    "U13 always 500": (faults.status(500), SourceFailed, "500"),
    "U14 429": (faults.status(429, retry_after="7"), Unavailable, "for 7 s"),
    "U17 reset after headers": (faults.reset_after_headers, SourceFailed, "before the end"),
    "U17 reset halfway": (faults.reset_halfway, SourceFailed, "before the end"),
    "U24 gzip unasked": (faults.coded("gzip"), SourceFailed, "coded"),
    "U24 gzip in name only": (faults.with_header("Content-Encoding", "gzip"), SourceFailed, "coded"),
    "U24 zstd": (faults.coded("zstd"), SourceFailed, "coded"),
    "206": (faults.status(206), SourceFailed, "206"),
}


@pytest.mark.parametrize(("fault", "error", "says"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_never_ends_as_if_it_were_whole(
    source: RegistrySource,
    upstream: LyingUpstream,
    wheel: Distribution,
    file: Artifact,
    fault: Fault,
    error: type[RegistryError],
    says: str,
) -> None:
    upstream.lie(fault)
    with pytest.raises(error, match=says):
        await read(source, file)


async def test_never_a_byte_more_than_announced_is_handed_on(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.lie(lambda answer: replace(faults.longer_by(5_000_000)(answer), chunked=True))
    got = b""

    async def keep_reading() -> None:
        nonlocal got
        async with source.artifact(file) as chunks:
            async for chunk in chunks:
                got += chunk

    with pytest.raises(IntegrityFailed):
        await keep_reading()
    assert len(got) <= len(wheel.data)


async def test_a_file_of_unknown_size_is_bounded_by_the_limit(
    upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    client = make_client(upstream.url_pypi, limits=replace(PATIENT, artifact_bytes=1000))
    source = make_source(PYPI, client)
    artifact = make_artifact(demo, wheel.filename, f"{upstream.origin}/files/{wheel.filename}", None)
    with pytest.raises(IntegrityFailed, match="more than one file may have"):
        await read(source, artifact)
    await client.close()


async def test_a_file_that_drips_is_given_up(
    upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.lie(faults.drip(1, 0.01))
    client = make_client(upstream.url_pypi, limits=replace(QUICK, window=0.1, rate=10_000))
    with pytest.raises(SourceFailed, match="slower"):
        await read(make_source(PYPI, client), file)
    await client.close()


async def test_a_body_that_stops_coming_is_given_up(
    upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    upstream.lie(faults.drip(1000, 3600))
    client = make_client(upstream.url_pypi, limits=replace(QUICK, window=0.1, rate=20_000))
    with pytest.raises(SourceFailed, match="slower"):
        await read(make_source(PYPI, client), file)
    await client.close()


async def test_a_file_server_that_never_answers_times_out(upstream: LyingUpstream, file: Artifact) -> None:
    upstream.lie(faults.silent)
    client = make_client(upstream.url_pypi, limits=replace(QUICK, connect=0.05, first_byte=0.05))
    with pytest.raises(SourceTimedOut):
        await read(make_source(PYPI, client), file)
    await client.close()


async def test_a_reader_that_takes_its_time_is_not_the_sources_fault(
    upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    client = make_client(upstream.url_pypi, limits=replace(QUICK, window=0.05, rate=10_000_000))
    got = b""
    async with make_source(PYPI, client).artifact(file) as chunks:
        async for chunk in chunks:
            got += chunk
            await asyncio.sleep(0.06)
    assert got == wheel.data
    await client.close()


async def test_a_reader_that_leaves_frees_the_connection(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, file: Artifact
) -> None:
    async with source.artifact(file) as chunks:
        await anext(aiter(chunks))
    assert await read(source, file) == wheel.data
