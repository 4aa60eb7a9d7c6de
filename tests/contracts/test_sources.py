"""The ports `Source` and `Publisher`: upstreams and back ends over HTTP, and what the line's tests have instead."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from registry.ecosystems.npm import NPM
from registry.ecosystems.pypi import PYPI
from registry.errors import NotFound, SourceFailed
from registry.model.artifacts import Artifact, Digest
from registry.model.events import Event, Kind
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.ports import Publisher, Source
from registry.model.publications import Publication
from registry.sources.private_npm import VerdaccioPublisher, VerdaccioSource
from registry.sources.private_pypi import PypiserverPublisher, PypiserverSource
from tests.fakes import CatalogueInMemory, FixedClock, LogInMemory
from tests.guarantees.back_ends import Pypiserver, Verdaccio
from tests.pipeline.line import Saying, Taking
from tests.pipeline.test_verify import Pieces
from tests.sources.test_private_npm import publication as npm_publication
from tests.sources.world import make_client, make_source
from tests.upstream import LyingUpstream, faults, make_tarball, make_wheel

pytestmark = pytest.mark.loopback

WHEELS = [make_wheel("acme-app", version, padding=200_000) for version in ("1.0", "2.0")]
TARBALLS = [make_tarball("acme-app", version, padding=200_000) for version in ("1.0.0", "2.0.0")]
Act = Callable[[], Awaitable[None]]


@dataclass
class World:
    """One implementation, and how to make its source say something."""

    clock: FixedClock
    source: Source
    project: Project
    add: Callable[[int], Awaitable[Artifact]]
    """Have the first or the second version there."""
    data: Callable[[int], bytes]
    fail: Act
    publisher: Publisher | None = None
    offer: Callable[[int, Path], Publication] | None = None


async def upstream_index(clock: FixedClock, stack: AsyncExitStack, _: Path) -> World:
    upstream = await stack.enter_async_context(LyingUpstream())
    client = make_client(upstream.url_pypi, clock=clock)
    stack.push_async_callback(client.close)

    async def add(number: int) -> Artifact:
        upstream.add(WHEELS[number])
        return wheel(number, f"{upstream.origin}/files/{WHEELS[number].filename}")

    async def fail() -> None:
        upstream.lie(faults.status(504))

    project = PYPI.parse_name("acme-app")
    return World(clock, make_source(PYPI, client, clock=clock), project, add, lambda n: WHEELS[n].data, fail)


async def upstream_registry(clock: FixedClock, stack: AsyncExitStack, _: Path) -> World:
    upstream = await stack.enter_async_context(LyingUpstream())
    client = make_client(upstream.url_npm, clock=clock)
    stack.push_async_callback(client.close)

    async def add(number: int) -> Artifact:
        upstream.add(TARBALLS[number])
        return tarball(number, f"{upstream.url_npm}acme-app/-/{TARBALLS[number].filename}")

    async def fail() -> None:
        upstream.lie(faults.status(504))

    project = NPM.parse_name("acme-app")
    return World(clock, make_source(NPM, client, clock=clock), project, add, lambda n: TARBALLS[n].data, fail)


async def pypiserver(clock: FixedClock, stack: AsyncExitStack, _: Path) -> World:
    back_end, catalogue = Pypiserver(), CatalogueInMemory(LogInMemory())
    await stack.enter_async_context(back_end.serving())
    client = make_client(back_end.url, clock=clock)
    stack.push_async_callback(client.close)

    async def add(number: int) -> Artifact:
        back_end.files[WHEELS[number].filename] = WHEELS[number].data
        artifact = wheel(number, "")
        event = Event(kind=Kind.PUBLISH, at=clock.now(), actor="admin", project=artifact.project)
        await catalogue.publish(artifact, None, event)
        return artifact

    async def fail() -> None:
        back_end.broken = True

    def offer(number: int, spool: Path) -> Publication:
        spool.write_bytes(WHEELS[number].data)
        artifact = wheel(number, "")
        return Publication(project=artifact.project, artifact=artifact)

    source = PypiserverSource(PYPI, client, catalogue, clock=clock)
    publisher = PypiserverPublisher(client)
    return World(clock, source, wheel(0, "").project, add, lambda n: WHEELS[n].data, fail, publisher, offer)


async def verdaccio(clock: FixedClock, stack: AsyncExitStack, folder: Path) -> World:
    back_end = Verdaccio()
    await stack.enter_async_context(back_end.serving())
    client = make_client(back_end.url, clock=clock)
    stack.push_async_callback(client.close)
    publisher = VerdaccioPublisher(NPM, client, clock=clock)

    def offer(number: int, spool: Path) -> Publication:
        spool.write_bytes(TARBALLS[number].data)
        return npm_publication(TARBALLS[number])

    async def add(number: int) -> Artifact:
        path = folder / f"spool-{number}"
        made = offer(number, path)
        await publisher.publish(made, path)
        return made.artifact

    async def fail() -> None:
        back_end.broken = True

    source = VerdaccioSource(NPM, client, clock=clock)
    return World(
        clock, source, NPM.parse_name("acme-app"), add, lambda n: TARBALLS[n].data, fail, publisher, offer
    )


async def fake(clock: FixedClock, _: AsyncExitStack, __: Path) -> World:
    saying, pieces = Saying("the fake", clock), Pieces()
    project = PYPI.parse_name("acme-app")

    class Both:
        """The line's tests need one of them at a time."""

        name = "the fake"
        index = saying.index

        def artifact(self, artifact: Artifact) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
            if saying.failure is not None:
                raise saying.failure
            if artifact.filename not in {made.filename for made in WHEELS}:
                raise NotFound("There is no such file.")
            return pieces.artifact(artifact)

    async def add(number: int) -> Artifact:
        saying.say(project, b"as of %d" % number)
        pieces.pieces = (WHEELS[number].data[:1000], WHEELS[number].data[1000:])
        return wheel(number, "")

    async def fail() -> None:
        saying.failure = SourceFailed("The fake is broken.")

    return World(clock, Both(), project, add, lambda n: WHEELS[n].data, fail)


def wheel(number: int, url: str) -> Artifact:
    made = WHEELS[number]
    return Artifact(
        project=PYPI.parse_name("acme-app"),
        filename=made.filename,
        version=made.version,
        url=url,
        size=len(made.data),
        digests=(Digest("sha256", hashlib.sha256(made.data).hexdigest()),),
    )


def tarball(number: int, url: str) -> Artifact:
    made = TARBALLS[number]
    return Artifact(
        project=NPM.parse_name("acme-app"),
        filename=made.filename,
        version=made.version,
        url=url,
        digests=(Digest("sha512", hashlib.sha512(made.data).hexdigest()),),
    )


@pytest.fixture(
    params=[upstream_index, upstream_registry, pypiserver, verdaccio, fake], ids=lambda made: made.__name__
)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield await request.param(FixedClock(), stack, tmp_path)


async def index(world: World, previous: Document | None = None) -> Document:
    found = await world.source.index(world.project, previous)
    assert found is not None
    return found


async def test_a_project_that_is_not_there_is_none(world: World) -> None:
    assert await world.source.index(world.project, None) is None


async def test_a_document_is_of_this_moment_and_hashed(world: World) -> None:
    await world.add(0)
    found = await index(world)
    assert found.checked == world.clock.now()
    assert found.sha256 == hashlib.sha256(found.body).hexdigest()


async def test_what_did_not_change_comes_back_the_same_and_newly_checked(world: World) -> None:
    await world.add(0)
    first = await index(world)
    world.clock.advance(seconds=60)
    again = await index(world, first)
    assert again.checked == world.clock.now()
    assert again == msgspec.structs.replace(
        first, checked=again.checked, etag=again.etag, last_modified=again.last_modified
    )


async def test_what_changed_is_another_document(world: World) -> None:
    await world.add(0)
    first = await index(world)
    await world.add(1)
    assert (await index(world, first)).sha256 != first.sha256


async def test_a_file_comes_in_pieces_as_it_is(world: World) -> None:
    artifact = await world.add(0)
    async with world.source.artifact(artifact) as chunks:
        received = [chunk async for chunk in chunks]
    assert b"".join(received) == world.data(0)
    assert len(received) > 1 or len(received[0]) == len(world.data(0))


async def test_a_file_that_is_not_there_is_not_found(world: World) -> None:
    artifact = await world.add(0)
    other = msgspec.structs.replace(
        artifact,
        filename=artifact.filename.replace("app", "other"),
        url=artifact.url.replace("app-1", "other-1"),
    )
    with pytest.raises(NotFound):
        async with world.source.artifact(other) as chunks:
            await anext(aiter(chunks))


async def test_what_fails_is_the_sources_failure(world: World) -> None:
    artifact = await world.add(0)
    await world.fail()
    if not isinstance(world.source, PypiserverSource):  # whose index is our own record
        with pytest.raises(SourceFailed):
            await world.source.index(world.project, None)
    with pytest.raises(SourceFailed):
        async with world.source.artifact(artifact) as chunks:
            await anext(aiter(chunks))


# publishers


def taking() -> tuple[Publisher, Act]:
    publisher = Taking()

    async def fail() -> None:
        publisher.failure = SourceFailed("The fake is broken.")

    return publisher, fail


@pytest.fixture(params=[pypiserver, verdaccio, None], ids=["pypiserver", "verdaccio", "fake"])
async def publishing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Publisher, Callable[[int, Path], Publication], Act]]:
    async with AsyncExitStack() as stack:
        clock = FixedClock()
        made: World = await (request.param or pypiserver)(clock, stack, tmp_path)
        assert made.publisher is not None
        assert made.offer is not None
        publisher, fail = (made.publisher, made.fail) if request.param else taking()
        yield publisher, made.offer, fail


async def test_the_same_publication_twice_is_no_failure(
    publishing: tuple[Publisher, Callable[[int, Path], Publication], Act], tmp_path: Path
) -> None:
    publisher, offer, _ = publishing
    for _ in range(2):
        await publisher.publish(offer(0, tmp_path / "upload"), tmp_path / "upload")


async def test_a_publication_that_is_not_taken_is_the_sources_failure(
    publishing: tuple[Publisher, Callable[[int, Path], Publication], Act], tmp_path: Path
) -> None:
    publisher, offer, fail = publishing
    await fail()
    with pytest.raises(SourceFailed):
        await publisher.publish(offer(0, tmp_path / "upload"), tmp_path / "upload")
