"""Verdaccio keeps the private npm packages."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.appliance import back_ends
from registry.ecosystems.npm import NPM
from registry.errors import Conflict, NotFound, SourceFailed
from registry.model.artifacts import Artifact, Digest
from registry.model.publications import Publication
from registry.sources.client import Client
from registry.sources.private_npm import VerdaccioPublisher, VerdaccioSource
from tests.fakes import FixedClock
from tests.sources.private import back_end_client, free_port, make_folders, running
from tests.sources.world import body_of
from tests.upstream import Tarball, make_tarball
from tests.upstream.documents import npm_version

CLOCK = FixedClock(datetime.now(UTC))  # as Verdaccio has it
INSTALLED = (back_ends.VERDACCIO / "node_modules" / "verdaccio").is_dir()
pytestmark = pytest.mark.skipif(not INSTALLED, reason="Verdaccio isn't installed: scripts/setup")


@dataclass(frozen=True)
class Running:
    port: int
    credentials: Path
    pid: int


@pytest.fixture(scope="module")
def verdaccio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    private = make_folders(tmp_path_factory.mktemp("verdaccio"))
    port = free_port()
    credentials = back_ends.make_credentials(private, "verdaccio")
    with running(back_ends.verdaccio(private, port), f"http://127.0.0.1:{port}/-/ping") as pid:
        yield Running(port, credentials, pid)


@pytest.fixture
async def client(verdaccio: Running) -> AsyncIterator[Client]:
    made = back_end_client(verdaccio.credentials, verdaccio.port)
    yield made
    await made.close()


@pytest.fixture
def source(client: Client) -> VerdaccioSource:
    return VerdaccioSource(NPM, client, clock=CLOCK)


@pytest.fixture
def publisher(client: Client) -> VerdaccioPublisher:
    return VerdaccioPublisher(NPM, client, clock=CLOCK)


def publication(made: Tarball, **fields: str) -> Publication:
    project = NPM.parse_name(made.name)
    digests = tuple(Digest(name, hashlib.new(name, made.data).hexdigest()) for name in ("sha512", "sha1"))
    return Publication(
        project=project,
        artifact=Artifact(project=project, filename=made.filename, version=made.version, digests=digests),
        body=json.dumps(
            {
                "_id": made.name,
                "name": made.name,
                "dist-tags": {"latest": made.version},
                "versions": {made.version: npm_version(made, "http://registry.example") | fields},
            }
        ).encode(),
    )


async def publish(publisher: VerdaccioPublisher, made: Tarball, spool: Path) -> Artifact:
    await asyncio.to_thread(spool.write_bytes, made.data)
    await publisher.publish(publication(made), spool)
    return publication(made).artifact


async def fetch(source: VerdaccioSource, artifact: Artifact) -> bytes:
    async with source.artifact(artifact) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("name", ["acme-tool", "@acme/tool"])
async def test_a_published_package_comes_back_with_its_bytes_and_its_packument(
    publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path, name: str
) -> None:
    made = make_tarball(name, "1.0.0", padding=2_000_000)
    artifact = await publish(publisher, made, tmp_path / "spool")
    assert await fetch(source, artifact) == made.data
    kept = await source.index(artifact.project, None)
    assert kept is not None
    (listed,) = NPM.read_index(artifact.project, kept).artifacts
    assert (listed.filename, listed.version) == (artifact.filename, "1.0.0")
    assert set(artifact.digests) <= set(listed.digests)
    assert listed.published is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is told by Linux")
async def test_a_tarball_that_is_published_or_read_slowly_is_never_held(
    verdaccio: Running, publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path
) -> None:
    def held() -> int:
        """MiB that the process has written to and has in memory."""
        (line,) = (
            line
            for line in Path(f"/proc/{verdaccio.pid}/status").read_text().splitlines()
            if "RssAnon" in line
        )
        return int(line.split()[1]) >> 10

    made = dataclasses.replace(make_tarball("acme-slow", "1.0.0"), data=secrets.token_bytes(128 << 20))
    before = held()
    artifact = await publish(publisher, made, tmp_path / "spool")
    assert held() - before < 64
    async with source.artifact(artifact) as chunks:
        got = hashlib.sha512(await anext(chunks))
        for _ in range(400):  # all the time it needs to read the file, for nobody
            assert await source.probe() is None
        assert held() - before < 64
        async for chunk in chunks:
            got.update(chunk)
    assert got.hexdigest() == artifact.digests[0].hex


async def test_an_unchanged_packument_is_confirmed_by_its_etag(
    publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path
) -> None:
    artifact = await publish(publisher, make_tarball("acme-etag", "1.0.0"), tmp_path / "spool")
    first = await source.index(artifact.project, None)
    assert first is not None
    again = await source.index(artifact.project, first)
    assert again is not None
    assert again.body is first.body


async def test_publishing_the_same_bytes_again_is_fine_and_other_bytes_are_a_conflict(
    publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path
) -> None:
    made = make_tarball("acme-twice", "1.0.0")
    artifact = await publish(publisher, made, tmp_path / "spool")
    await publish(publisher, made, tmp_path / "spool")
    with pytest.raises(Conflict, match="other bytes"):
        await publish(publisher, make_tarball("acme-twice", "1.0.0", padding=10), tmp_path / "spool")
    assert await fetch(source, artifact) == made.data


async def test_a_tarball_that_an_earlier_try_left_is_replaced(
    client: Client, publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path
) -> None:
    made = make_tarball("@acme/half", "1.0.0")
    assert (
        await put(client, "@acme%2fhalf", b'{"name": "@acme/half", "versions": {}, "dist-tags": {}}') == 201
    )
    left = f"-/publishing/@acme%2fhalf/tarball/{made.filename}"
    assert await put(client, left, b"half a tarball", "application/octet-stream") == 201
    artifact = await publish(publisher, made, tmp_path / "spool")
    assert await fetch(source, artifact) == made.data


async def test_a_version_that_is_born_deprecated_leaves_the_others_alone(
    publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path
) -> None:
    await publish(publisher, make_tarball("acme-old", "1.0.0"), tmp_path / "spool")
    late = make_tarball("acme-old", "1.1.0")
    await asyncio.to_thread((tmp_path / "spool").write_bytes, late.data)
    await publisher.publish(publication(late, deprecated="use another"), tmp_path / "spool")
    kept = await source.index(NPM.parse_name("acme-old"), None)
    assert kept is not None
    listed = NPM.read_index(NPM.parse_name("acme-old"), kept)
    assert {each.version for each in listed.artifacts} == {"1.0.0", "1.1.0"}


async def put(client: Client, path: str, data: bytes, content_type: str = "application/json") -> int:
    headers = {"Content-Type": content_type}
    return (await client.send("PUT", client.home.join(path), headers=headers, data=data)).status


async def test_the_way_of_streams_needs_the_right_to_publish(verdaccio: Running) -> None:
    stranger = back_end_client(verdaccio.credentials, verdaccio.port, password="wrong")
    for way in ("tarball/half-1.0.0.tgz", "version/1.0.0"):
        assert await put(stranger, f"-/publishing/@acme%2fhalf/{way}", b"{}") in {401, 403}
    await stranger.close()


async def test_what_is_not_there_is_not_found(source: VerdaccioSource) -> None:
    made = publication(make_tarball("acme-nothing", "1.0.0"))
    assert await source.index(made.project, None) is None
    with pytest.raises(NotFound):
        await fetch(source, made.artifact)


async def test_a_name_of_the_address_is_not_mistaken_for_another(
    publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path
) -> None:
    await publish(publisher, make_tarball("@acme/same", "1.0.0"), tmp_path / "spool")
    assert await source.index(NPM.parse_name("same"), None) is None


async def test_tags_deprecation_and_unpublishing_are_passed_on(
    publisher: VerdaccioPublisher, source: VerdaccioSource, tmp_path: Path
) -> None:
    for version in ("1.0.0", "1.1.0"):
        artifact = await publish(publisher, make_tarball("@acme/life", version), tmp_path / "spool")
    path = "@acme%2flife"

    status, _ = await publisher.amend("PUT", f"-/package/{path}/dist-tags/beta", b'"1.0.0"')
    assert status == 201
    status, said = await publisher.amend("GET", f"-/package/{path}/dist-tags", b"")
    assert (status, json.loads(said)) == (200, {"latest": "1.1.0", "beta": "1.0.0"})

    status, said = await publisher.amend("GET", f"{path}?write=true", b"")
    changed = json.loads(said)
    changed["versions"]["1.0.0"]["deprecated"] = "use 1.1.0"
    status, _ = await publisher.amend("PUT", path, json.dumps(changed).encode())
    assert status == 201

    _, said = await publisher.amend("GET", f"{path}?write=true", b"")
    changed = json.loads(said)
    assert changed["versions"]["1.0.0"]["deprecated"] == "use 1.1.0"
    del changed["versions"]["1.1.0"]
    changed["dist-tags"] = {"latest": "1.0.0"}
    status, _ = await publisher.amend("PUT", f"{path}/-rev/{changed['_rev']}", json.dumps(changed).encode())
    assert status == 201
    _, said = await publisher.amend("GET", f"{path}?write=true", b"")
    revision = json.loads(said)["_rev"]
    status, _ = await publisher.amend("DELETE", f"@acme/life/-/life-1.1.0.tgz/-rev/{revision}", b"")
    assert status == 201
    with pytest.raises(NotFound):
        await fetch(source, artifact)
    assert b"1.1.0.tgz" not in body_of(await source.index(artifact.project, None))

    _, said = await publisher.amend("GET", f"{path}?write=true", b"")
    status, _ = await publisher.amend("DELETE", f"{path}/-rev/{json.loads(said)['_rev']}", b"")
    assert status == 201
    assert await source.index(artifact.project, None) is None


async def test_without_the_credential_nothing_is_given_or_taken(verdaccio: Running, tmp_path: Path) -> None:
    stranger = back_end_client(verdaccio.credentials, verdaccio.port, password="wrong")
    made = make_tarball("acme-stranger", "1.0.0")
    with pytest.raises(SourceFailed, match="credentials"):
        await publish(VerdaccioPublisher(NPM, stranger, clock=CLOCK), made, tmp_path / "spool")
    with pytest.raises(SourceFailed, match="credentials"):
        await fetch(VerdaccioSource(NPM, stranger, clock=CLOCK), publication(made).artifact)
    await stranger.close()


async def test_a_probe_tells_whether_it_is_up(source: VerdaccioSource) -> None:
    assert await source.probe() is None
