"""Seeded storms, checked offline; and six mutants that the checker has to catch."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from registry.app import sources
from registry.model.artifacts import Artifact, Holding, strongest
from registry.pipeline.currency import Currency, Current
from registry.pipeline.freshness import Freshness
from registry.pipeline.gateway import Gateway
from registry.pipeline.verify import Verifier
from registry.storage import pinning, staging
from tests.chaos.checker import broken_promises
from tests.chaos.storm import Storm


@pytest.fixture(autouse=True)
def _no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here speaks TLS, and reading the system's store takes long."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(sources, "tls_context", lambda *_: context)


async def test_promises_are_kept_in_a_storm(tmp_path: Path) -> None:
    evidence = await Storm(tmp_path, seed=1).rage(4)
    assert len([got for got in evidence.clients if got.whole and got.announced is None]) > 100
    assert broken_promises(evidence) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
async def test_promises_are_kept_in_long_storms(tmp_path: Path, seed: int) -> None:
    assert broken_promises(await Storm(tmp_path, seed).rage(12)) == []


# mutants: what the checker is worth

Patch = pytest.MonkeyPatch


def no_fsync(patch: Patch) -> None:
    """Files are closed and never made durable."""
    patch.setattr(staging, "seal", os.close)


def no_digest_check(patch: Patch) -> None:
    """Whatever arrives is kept."""
    real = staging.FileStaging.commit

    async def commit(self: Any, expected: Any, size: int | None = None) -> str:
        return await real(self, (), None)

    patch.setattr(staging.FileStaging, "commit", commit)


def no_single_flight(patch: Patch) -> None:
    """Each client has a fetch of its own."""
    real = Verifier.fetch

    def fetch(self: Any, *arguments: Any) -> Any:
        self._flights.clear()
        return real(self, *arguments)

    patch.setattr(Verifier, "fetch", fetch)


def no_pin(patch: Patch) -> None:
    """What is announced last is believed."""

    def seen_again(known: Holding, artifact: Artifact) -> Holding:
        return msgspec.structs.replace(
            known, artifact=artifact, pin=strongest(artifact.digests), gone=False, conflict=None, blob=None
        )

    patch.setattr(pinning, "seen_again", seen_again)


def record_after_send(patch: Patch) -> None:
    """The log hears of a delivery some time later."""
    real = Gateway._deliver
    later: set[asyncio.Task[None]] = set()

    async def deliver(self: Any, *arguments: Any) -> None:
        async def soon() -> None:
            await asyncio.sleep(0.3)
            await real(self, *arguments)

        task = asyncio.create_task(soon())
        later.add(task)
        task.add_done_callback(later.discard)

    patch.setattr(Gateway, "_deliver", deliver)


def stale_as_fresh(patch: Patch) -> None:
    """Nobody is told how old an index is."""
    real = Freshness._give

    def give(self: Any, project: Any, currency: Currency, state: str) -> Current:
        found = real(self, project, currency, state)
        return Current(found.currency, found.document, "HIT" if state == "STALE" else state, 0)

    patch.setattr(Freshness, "_give", give)


MUTANTS: Mapping[Callable[[Patch], None], str] = {
    no_fsync: "I4",
    no_digest_check: "I1",
    no_single_flight: "I11",
    no_pin: "I2",
    record_after_send: "I3",
    stale_as_fresh: "I10",
}
"""Mutant → the promise that it breaks."""


@contextmanager
def mutated(mutant: Callable[[Patch], None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        yield


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
async def test_the_checker_catches_every_mutant(tmp_path: Path, mutant: Callable[[Patch], None]) -> None:
    with mutated(mutant):
        evidence = await Storm(tmp_path, seed=1).rage(2)
    found = broken_promises(evidence)
    assert [promise for promise in found if promise.startswith(f"{MUTANTS[mutant]}:")], found
