"""Who built a file, compared with who built the releases before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from registry.model.artifacts import Artifact, Holding
from registry.model.attestations import Judgement
from registry.pipeline.vouching import Vouching
from tests.fakes import AttestationsInMemory, BlobsInDirectory, CatalogueInMemory, FixedClock, LogInMemory
from tests.specimens import FOO, artifact

START = datetime(2026, 1, 1, tzinfo=UTC)
ADA, EVE = "GitHub ada/foo release.yml", "GitHub eve/foo release.yml"


class Upstream:
    """Each file's provenance is who built it."""

    def __init__(self, publishers: Mapping[str, str]) -> None:
        self._publishers = publishers
        self.asked: list[str] = []

    async def provenance(self, artifact: Artifact) -> bytes | None:
        self.asked.append(artifact.version)
        return self._publishers[artifact.version].encode()


async def believe(provenance: bytes, filename: str, sha256: str) -> Judgement:
    del filename, sha256
    return Judgement(verdict="verified", publisher=provenance.decode())


async def no_uploads(attestations: bytes, filename: str, sha256: str) -> tuple[bytes, Judgement]:
    raise AssertionError((attestations, filename, sha256))


async def no_signatures(holding: Holding) -> str:
    raise AssertionError(holding)


class World:
    """Releases 1.0, 2.0 … a month apart, published by these."""

    def __init__(self, folder: Path, *publishers: str) -> None:
        self.log = LogInMemory()
        self.catalogue = CatalogueInMemory(self.log)
        versions = {f"{n}.0": who for n, who in enumerate(publishers, 1)}
        self.upstream = Upstream(versions)
        self.files = [
            artifact(
                f"foo-{version}.tar.gz",
                version=version,
                published=START + timedelta(days=30 * n),
                provenance="https://index.example/provenance" if who else "",
            )
            for n, (version, who) in enumerate(versions.items())
        ]
        blobs = {origin: BlobsInDirectory(folder / origin) for origin in ("public", "private")}
        self.vouching = Vouching(
            source=self.upstream,
            attestations=AttestationsInMemory(),
            catalogue=self.catalogue,
            blobs=blobs,
            log=self.log,
            judge=believe,
            assemble=no_uploads,
            signature=no_signatures,
            clock=FixedClock(),
        )

    async def looked(self, version: str) -> Artifact:
        await self.catalogue.remember(FOO, self.files, "public", START)
        holding = await self.catalogue.holding(FOO, f"foo-{version}.tar.gz")
        assert holding is not None
        return (await self.vouching.looked(holding)).artifact

    async def alarms(self) -> list[object]:
        return [row.event.detail["alarm"] for row in await self.log.events(kinds=["alarm"])]


async def test_the_same_publisher_as_before_is_no_news(tmp_path: Path) -> None:
    world = World(tmp_path, ADA, ADA)
    looked = await world.looked("2.0")
    assert (looked.attestation, looked.publisher, looked.handover) == ("verified", ADA, "")
    assert await world.alarms() == []


async def test_another_one_is_told_also_of_the_first_file_that_anybody_asks_for(tmp_path: Path) -> None:
    world = World(tmp_path, ADA, EVE)
    looked = await world.looked("2.0")
    assert looked.handover == f"was published by {EVE}; releases before it by {ADA}"
    assert world.upstream.asked == ["2.0", "1.0"]
    assert await world.alarms() == ["publisher_changed"]


async def test_what_came_later_says_nothing_about_what_was_before(tmp_path: Path) -> None:
    world = World(tmp_path, ADA, EVE)
    await world.looked("2.0")
    assert (await world.looked("1.0")).handover == ""


async def test_a_file_that_was_looked_at_is_not_looked_at_again(tmp_path: Path) -> None:
    world = World(tmp_path, ADA)
    assert await world.looked("1.0") == await world.looked("1.0")
    assert world.upstream.asked == ["1.0"]


async def test_where_nothing_vouches_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    world = World(tmp_path, "")
    assert (await world.looked("1.0")).attestation == ""
    assert world.upstream.asked == []
