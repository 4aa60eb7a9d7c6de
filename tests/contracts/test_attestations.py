"""Attestations: who built which file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from registry.model.attestations import Attested, Judgement
from registry.model.ports import Attestations
from registry.storage.attestations import Attestations as StoredAttestations
from tests import fakes
from tests.specimens import BAR, FOO, NOW, opened


@pytest.fixture(params=["real", "fake"])
async def attestations(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Attestations]:
    if request.param == "fake":
        yield fakes.AttestationsInMemory()
        return
    async with opened(tmp_path) as storage:
        yield StoredAttestations(storage.database)


async def test_what_is_known_of_a_files_builder_is_replaced_as_a_whole(attestations: Attestations) -> None:
    first = Attested(
        filename="foo-1.0.tar.gz",
        version="1.0",
        judgement=Judgement(verdict="unchecked", reason="nobody answered"),
        checked=NOW,
    )
    verified = Judgement(verdict="verified", publisher="GitHub acme/foo release.yml")
    second = msgspec.structs.replace(first, judgement=verified, provenance="ab" * 32)
    other = msgspec.structs.replace(second, filename="foo-2.0.tar.gz", version="2.0")
    assert await attestations.attested(FOO) == {}
    for attested in (first, second, other):
        await attestations.attest(FOO, attested)
    assert await attestations.attested(FOO) == {second.filename: second, other.filename: other}
    assert await attestations.attested(BAR) == {}
