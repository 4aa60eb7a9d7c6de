"""Blobs and Staging: verified bytes or nothing."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import IntegrityFailed
from registry.model.artifacts import STRENGTH, Digest
from registry.model.ports import Blobs
from tests.contracts.conftest import Ports
from tests.specimens import sha

DATA = b"the bytes of a wheel" * 100


@pytest.fixture
def blobs(ports: Ports) -> Blobs:
    return ports.blobs


async def test_committed_bytes_are_found_under_their_sha256(blobs: Blobs) -> None:
    staging = await blobs.stage(len(DATA))
    await staging.write(DATA[:7])
    await staging.write(DATA[7:])
    sha256 = await staging.commit([sha(DATA)], len(DATA))
    path = await blobs.find(sha256)
    assert sha256 == sha(DATA).hex
    assert path is not None
    assert path.read_bytes() == DATA


async def test_a_blob_that_was_never_committed_is_not_there(blobs: Blobs) -> None:
    staging = await blobs.stage()
    await staging.write(DATA)
    assert await blobs.find(sha(DATA).hex) is None
    assert await blobs.read(sha(DATA).hex) is None
    await staging.discard()


async def test_a_dropped_blob_is_gone_and_can_come_again(blobs: Blobs) -> None:
    sha256 = await blobs.put(DATA)
    assert await blobs.read(sha256) == DATA
    for _ in range(2):
        await blobs.drop(sha256)
        assert await blobs.find(sha256) is None
    assert await blobs.put(DATA) == sha256
    assert await blobs.read(sha256) == DATA


@pytest.mark.parametrize("algorithm", STRENGTH)
async def test_every_kind_of_digest_is_checked(blobs: Blobs, algorithm: str) -> None:
    staging = await blobs.stage()
    await staging.write(DATA)
    assert await staging.commit([sha(DATA, algorithm)])
    staging = await blobs.stage()
    await staging.write(DATA + b"!")
    with pytest.raises(IntegrityFailed) as caught:
        await staging.commit([sha(DATA, algorithm)])
    assert sha(DATA, algorithm).hex in str(caught.value)
    assert await blobs.find(sha(DATA + b"!").hex) is None


async def test_all_digests_must_fit_not_one(blobs: Blobs) -> None:
    staging = await blobs.stage()
    await staging.write(DATA)
    with pytest.raises(IntegrityFailed):
        await staging.commit([sha(DATA), sha(b"other", "sha512")])
    assert await blobs.find(sha(DATA).hex) is None


async def test_a_digest_that_can_not_be_computed_is_not_believed(blobs: Blobs) -> None:
    staging = await blobs.stage()
    await staging.write(DATA)
    with pytest.raises(IntegrityFailed):
        await staging.commit([Digest("crc32", "00000000")])


@pytest.mark.parametrize("size", [0, len(DATA) - 1, len(DATA) + 1])
async def test_a_wrong_size_is_refused(blobs: Blobs, size: int) -> None:
    staging = await blobs.stage()
    await staging.write(DATA)
    with pytest.raises(IntegrityFailed):
        await staging.commit([sha(DATA)], size)
    assert await blobs.find(sha(DATA).hex) is None


async def test_nothing_is_left_of_what_was_discarded(blobs: Blobs) -> None:
    staging = await blobs.stage()
    await staging.write(DATA)
    await staging.discard()
    await staging.discard()
    assert not staging.path.exists()


async def test_discarding_after_the_commit_changes_nothing(blobs: Blobs) -> None:
    staging = await blobs.stage()
    await staging.write(DATA)
    sha256 = await staging.commit([])
    await staging.discard()
    assert await blobs.read(sha256) == DATA


async def test_what_was_staged_can_be_read_while_it_grows(blobs: Blobs) -> None:
    staging = await blobs.stage()
    await staging.write(b"x" * 600_000)
    await staging.write(b"y" * 600_000)
    with staging.path.open("rb") as file:
        seen = file.read(staging.size)
    assert 0 < staging.size == len(seen) <= 1_200_000
    assert seen == (b"x" * 600_000 + b"y" * 600_000)[: len(seen)]
    await staging.discard()


async def test_computed_digests_are_told_after_the_commit(blobs: Blobs) -> None:
    staging = await blobs.stage()
    assert staging.digests == ()
    await staging.write(DATA)
    await staging.commit([])
    assert set(staging.digests) == {sha(DATA), sha(DATA, "sha512")}
    assert staging.size == len(DATA)


async def test_the_same_bytes_twice_are_one_blob(blobs: Blobs) -> None:
    assert await blobs.put(DATA) == await blobs.put(DATA) == sha(DATA).hex
    assert await blobs.read(sha(DATA).hex) == DATA


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    assert await blobs.read(await blobs.put(b"")) == b""


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=200), max_size=8), scale=st.sampled_from([1, 3_000]))
async def test_any_chunking_gives_the_same_blob(blobs: Blobs, chunks: list[bytes], scale: int) -> None:
    data = b"".join(chunk * scale for chunk in chunks)
    staging = await blobs.stage()
    for chunk in chunks:
        await staging.write(chunk * scale)
    assert await staging.commit([sha(data, "sha512")], len(data)) == hashlib.sha256(data).hexdigest()
    assert await blobs.read(sha(data).hex) == data


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, len(DATA) * 8 - 1), algorithm=st.sampled_from(["sha512", "sha256", "md5"]))
async def test_any_flipped_bit_fails_the_commit(blobs: Blobs, bit: int, algorithm: str) -> None:
    damaged = bytearray(DATA)
    damaged[bit // 8] ^= 1 << bit % 8
    staging = await blobs.stage()
    await staging.write(bytes(damaged))
    with pytest.raises(IntegrityFailed):
        await staging.commit([sha(DATA, algorithm)])
    assert await blobs.find(hashlib.sha256(damaged).hexdigest()) is None
