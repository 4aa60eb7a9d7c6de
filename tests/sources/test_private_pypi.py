"""pypiserver keeps the private Python files; the catalogue knows what they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.appliance import back_ends
from registry.ecosystems.pypi import PYPI
from registry.errors import NotAllowed, NotFound, SourceFailed
from registry.model.artifacts import Artifact, Digest
from registry.model.events import Event, Kind
from registry.model.publications import Publication, Stocked
from registry.sources.client import Client
from registry.sources.private_pypi import PypiserverPublisher, PypiserverSource, PypiserverStock
from tests.fakes import CatalogueInMemory, FixedClock, LogInMemory
from tests.sources.private import back_end_client, free_port, make_folders, running
from tests.sources.world import body_of
from tests.upstream import Distribution, make_sdist, make_wheel

DEMO = PYPI.parse_name("acme-demo")
CLOCK = FixedClock()


@dataclass(frozen=True)
class Running:
    port: int
    credentials: Path
    files: Path


@pytest.fixture(scope="module")
def pypiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    private = make_folders(tmp_path_factory.mktemp("pypiserver"))
    port = free_port()
    credentials = back_ends.make_credentials(private, "pypiserver")
    with running(back_ends.pypiserver(private, port), f"http://127.0.0.1:{port}/health"):
        yield Running(port, credentials, private / "pypi")


@pytest.fixture
async def client(pypiserver: Running) -> AsyncIterator[Client]:
    made = back_end_client(pypiserver.credentials, pypiserver.port)
    yield made
    await made.close()


@pytest.fixture
def catalogue() -> CatalogueInMemory:
    return CatalogueInMemory(LogInMemory())


@pytest.fixture
def source(client: Client, catalogue: CatalogueInMemory) -> PypiserverSource:
    return PypiserverSource(PYPI, client, catalogue, clock=CLOCK)


def publication(made: Distribution) -> Publication:
    artifact = Artifact(
        project=DEMO,
        filename=made.filename,
        version=made.version,
        digests=(Digest("sha256", made.hashes["sha256"]),),
        size=len(made.data),
        published=CLOCK.now(),
    )
    return Publication(project=DEMO, artifact=artifact)


async def publish(client: Client, made: Distribution, spool: Path) -> Artifact:
    await asyncio.to_thread(spool.write_bytes, made.data)
    await PypiserverPublisher(client).publish(publication(made), spool)
    return publication(made).artifact


async def fetch(source: PypiserverSource, artifact: Artifact) -> bytes:
    async with source.artifact(artifact) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize(
    "made",
    [
        make_wheel("acme-demo", "1.0", padding=1_000_000),
        make_wheel("acme-demo", "1.0+local.1"),
        make_sdist("acme-demo", "1!2.0"),
    ],
    ids=lambda made: made.filename,
)
async def test_a_published_file_comes_back_byte_for_byte(
    client: Client, source: PypiserverSource, tmp_path: Path, made: Distribution
) -> None:
    artifact = await publish(client, made, tmp_path / "spool")
    assert await fetch(source, artifact) == made.data


async def test_publishing_again_changes_nothing_and_heals_a_torn_file(
    client: Client, source: PypiserverSource, pypiserver: Running, tmp_path: Path
) -> None:
    made = make_wheel("acme-demo", "3.0")
    artifact = await publish(client, made, tmp_path / "spool")
    (pypiserver.files / made.filename).write_bytes(b"torn")
    await publish(client, made, tmp_path / "spool")
    assert await fetch(source, artifact) == made.data


async def test_a_file_that_is_not_there_is_not_found(source: PypiserverSource) -> None:
    with pytest.raises(NotFound):
        await fetch(source, publication(make_wheel("acme-demo", "9.9")).artifact)


async def test_without_the_credential_nothing_is_given_or_taken(
    pypiserver: Running, catalogue: CatalogueInMemory, tmp_path: Path
) -> None:
    stranger = back_end_client(pypiserver.credentials, pypiserver.port, password="wrong")
    made = make_wheel("acme-demo", "4.0")
    with pytest.raises(SourceFailed, match="did not take"):
        await publish(stranger, made, tmp_path / "spool")
    with pytest.raises(SourceFailed, match="credentials"):
        await fetch(PypiserverSource(PYPI, stranger, catalogue, clock=CLOCK), publication(made).artifact)
    await stranger.close()
    assert not (pypiserver.files / made.filename).exists()


async def test_a_probe_tells_whether_it_is_up(client: Client, source: PypiserverSource) -> None:
    assert await source.probe() is None


async def test_nothing_is_changed_in_place(client: Client) -> None:
    with pytest.raises(NotAllowed):
        await PypiserverPublisher(client).amend("DELETE", "acme-demo", b"")


async def test_the_index_is_what_was_published_and_is_read_like_any_other(
    source: PypiserverSource, catalogue: CatalogueInMemory
) -> None:
    assert await source.index(DEMO, None) is None
    made = [make_wheel("acme-demo", version) for version in ("1.0", "2.0")]
    event = Event(kind=Kind.PUBLISH, at=CLOCK.now(), actor="ann", project=DEMO)
    for one in made:
        await catalogue.publish(publication(one).artifact, None, event)
    document = await source.index(DEMO, None)
    assert document is not None
    listed = PYPI.read_index(DEMO, document).artifacts
    assert [(one.filename, one.size, one.published) for one in listed] == [
        (one.filename, len(one.data), CLOCK.now()) for one in made
    ]
    again = await source.index(DEMO, document)
    assert again is not None
    assert again.body is document.body


async def test_what_was_retired_is_listed_no_more(
    source: PypiserverSource, catalogue: CatalogueInMemory
) -> None:
    event = Event(kind=Kind.PUBLISH, at=CLOCK.now(), actor="ann", project=DEMO)
    for made in (make_wheel("acme-demo", "1.0"), make_wheel("acme-demo", "2.0")):
        await catalogue.publish(publication(made).artifact, None, event)
    await catalogue.retire(DEMO, ["acme_demo-1.0-py3-none-any.whl"], event)
    body = body_of(await source.index(DEMO, None))
    assert b"acme_demo-2.0" in body
    assert b"acme_demo-1.0" not in body


# what lies there


@pytest.mark.parametrize("made", [make_wheel("acme-stock", "1.0"), make_sdist("acme-stock", "2.0rc1")])
async def test_the_stock_lists_reads_and_removes_files(
    client: Client, tmp_path: Path, made: Distribution
) -> None:
    stock = PypiserverStock(client)
    await publish(client, made, tmp_path / "spool")
    found = next(each for each in await stock.stocked() if each.filename == made.filename)
    assert found.sha256 == made.hashes["sha256"]
    assert found.modified is not None
    async with stock.content(found) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == made.data
    await stock.remove(found)
    assert made.filename not in [each.filename for each in await stock.stocked()]
    await stock.remove(found)


async def test_removing_a_release_leaves_the_others(client: Client, tmp_path: Path) -> None:
    stock = PypiserverStock(client)
    kept = [make_wheel("acme-stock", "3.0"), make_wheel("acme-stock-two", "1.0")]
    for made in (make_wheel("acme-stock", "1.0"), *kept):
        await publish(client, made, tmp_path / "spool")
    await stock.remove(Stocked(filename="acme_stock-1.0-py3-none-any.whl", sha256=""))
    names = {each.filename for each in await stock.stocked()}
    assert {made.filename for made in kept} <= names
    assert "acme_stock-1.0-py3-none-any.whl" not in names
