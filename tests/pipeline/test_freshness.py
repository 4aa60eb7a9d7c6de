from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from registry.ecosystems.npm import NPM
from registry.errors import NotFound
from registry.model.artifacts import Artifact
from registry.model.indexes import Document
from registry.model.names import Project
from registry.pipeline.freshness import Freshness
from tests.fakes import DocumentsInMemory, FixedClock

PROJECT = NPM.parse_name("osprey")


class Telling:
    """A source with one document, or none."""

    def __init__(self, name: str, body: bytes | None, clock: FixedClock) -> None:
        self.name = name
        self.body = body
        self.asked: list[Document | None] = []
        self._clock = clock

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        self.asked.append(previous)
        if self.body is None:
            return None
        sha256 = hashlib.sha256(self.body).hexdigest()
        now = self._clock.now()
        return Document(body=self.body, content_type="", url="", sha256=sha256, checked=now)

    def artifact(self, artifact: Artifact) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise AssertionError("nobody asks for a file here")


async def learn(document: Document) -> None:
    """Nothing."""


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_upstream_said_is_never_served_once_the_name_is_ours(restarted: bool) -> None:
    clock, documents = FixedClock(), DocumentsInMemory()
    freshness = Freshness(documents, clock, 600)
    upstream, back_end = Telling("upstream", b"theirs", clock), Telling("back end", None, clock)
    await freshness.current(PROJECT, "public", upstream, learn)
    if restarted:
        freshness = Freshness(documents, clock, 600)
    assert freshness.glance(PROJECT, "private") is None
    with pytest.raises(NotFound):
        await freshness.current(PROJECT, "private", back_end, learn)
    back_end.body = b"ours"
    await freshness.forget(PROJECT)
    current = await freshness.current(PROJECT, "private", back_end, learn)
    assert current.document is not None
    assert (current.document.body, current.document.origin) == (b"ours", "private")
    assert back_end.asked == [None, None]
    assert len(upstream.asked) == 1


async def test_a_name_that_is_given_back_is_asked_upstream_again() -> None:
    clock = FixedClock()
    freshness = Freshness(DocumentsInMemory(), clock, 600)
    upstream, back_end = Telling("upstream", b"theirs", clock), Telling("back end", b"ours", clock)
    await freshness.current(PROJECT, "private", back_end, learn)
    current = await freshness.current(PROJECT, "public", upstream, learn)
    assert current.document is not None
    assert current.document.body == b"theirs"
    assert upstream.asked == [None]
