"""A file door has indexes revalidated behind the client's back, so that a takedown reaches locked installs."""

from __future__ import annotations

import asyncio

from registry.ecosystems import ECOSYSTEMS
from registry.errors import SourceFailed
from registry.model.artifacts import Artifact
from registry.model.indexes import Document
from registry.model.names import Project
from registry.pipeline.freshness import Freshness
from tests.fakes import DocumentsInMemory, FixedClock

SIX = ECOSYSTEMS["pypi"].parse_name("six")


class CountingSource:
    """A source that confirms what is kept, and counts how often it is asked."""

    name = "a counting source"

    def __init__(self, clock: FixedClock) -> None:
        self.asked = 0
        self._clock = clock

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        self.asked += 1
        return document(self._clock)

    def artifact(self, artifact: Artifact) -> object:
        raise SourceFailed("no files here")


def document(clock: FixedClock) -> Document:
    return Document(
        body=b"{}", content_type="application/json", url="https://up/", sha256="0" * 64, checked=clock.now()
    )


async def learned(document: Document) -> None:
    """Nothing to keep."""


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def restarted(age: float) -> CountingSource:
    """A file hit right after a restart, with a kept index of `age` seconds."""
    clock, documents = FixedClock(), DocumentsInMemory()
    await documents.put(SIX, document(clock))
    clock.advance(seconds=age)
    source = CountingSource(clock)
    freshness = Freshness(documents, clock, fresh_for=600)
    freshness.refresh(SIX, "public", source, learned)  # type: ignore[arg-type]  # of a source only `index` is asked
    await settle()
    freshness.refresh(SIX, "public", source, learned)  # type: ignore[arg-type]
    await settle()
    await freshness.close()
    return source


async def test_an_old_index_is_asked_about_after_a_restart_and_once() -> None:
    assert (await restarted(age=700)).asked == 1


async def test_a_fresh_index_is_not_asked_about_after_a_restart() -> None:
    assert (await restarted(age=500)).asked == 0
