"""Adoptions: files that were here before the database, nobody's until a source announces them."""

from __future__ import annotations

import pytest

from registry.model.artifacts import Digest
from registry.model.ports import Adoptions
from tests.contracts.conftest import Ports
from tests.contracts.test_warehouse import keep, lay, lying
from tests.specimens import sha

DATA, OTHER = b"from an earlier life" * 100, b"of somebody else" * 50


@pytest.fixture
def adoptions(ports: Ports) -> Adoptions:
    return ports.adoptions


@pytest.mark.parametrize("algorithms", [("sha256",), ("sha512",), ("sha256", "sha512")], ids="+".join)
async def test_an_adopted_file_is_found_by_what_is_announced(
    ports: Ports, adoptions: Adoptions, algorithms: tuple[str, ...]
) -> None:
    sha256 = await lay(ports, DATA)
    digests = [sha(DATA, algorithm) for algorithm in algorithms]
    assert await adoptions.announced(digests, len(DATA)) is None, "nobody has adopted it"
    assert await adoptions.adopt(sha256, len(DATA))
    for size in (len(DATA), None):
        found = await adoptions.announced(digests, size)
        assert found is not None
        assert (found.sha256, found.size, found.path.read_bytes()) == (sha256, len(DATA), DATA)
        assert set(found.digests) == {sha(DATA), sha(DATA, "sha512")}


@pytest.mark.parametrize(
    ("digests", "size"),
    [
        ([sha(OTHER)], None),
        ([sha(OTHER, "sha512")], None),
        ([sha(DATA), sha(OTHER, "sha512")], None),
        ([sha(OTHER), sha(DATA, "sha512")], None),
        ([sha(DATA)], len(DATA) + 1),
        ([sha(DATA), Digest("sha384", "00" * 48)], None),
        ([], None),
    ],
    ids=["other", "other sha512", "half", "other half", "size", "a kind not remembered", "nothing"],
)
async def test_nothing_less_than_full_agreement_will_do(
    ports: Ports, adoptions: Adoptions, digests: list[Digest], size: int | None
) -> None:
    assert await adoptions.adopt(await lay(ports, DATA), len(DATA))
    assert await adoptions.announced(digests, size) is None


async def test_what_is_not_what_it_is_called_is_not_adopted_and_put_aside(
    ports: Ports, adoptions: Adoptions
) -> None:
    sha256 = await lay(ports, DATA)
    path = await ports.blobs.find(sha256)
    assert path is not None
    path.write_bytes(OTHER)
    assert not await adoptions.adopt(sha256, len(DATA))
    assert not await adoptions.adopt(sha256, len(DATA)), "it is gone by now"
    assert await adoptions.waiting() == frozenset()
    assert await lying(ports.warehouse) == set()


async def test_what_rots_after_it_was_adopted_is_not_given(ports: Ports, adoptions: Adoptions) -> None:
    sha256 = await lay(ports, DATA)
    assert await adoptions.adopt(sha256, len(DATA))
    path = await ports.blobs.find(sha256)
    assert path is not None
    path.write_bytes(OTHER)
    assert await adoptions.announced([sha(DATA)], None) is None


async def test_only_files_without_a_row_are_offered_for_adoption(ports: Ports) -> None:
    await keep(ports, OTHER)
    sha256 = await lay(ports, DATA)
    assert await ports.warehouse.unnamed() == ((sha256, len(DATA)),)


async def test_adopted_files_wait_where_orphans_go(ports: Ports, adoptions: Adoptions) -> None:
    adopted, orphan = await lay(ports, DATA), await lay(ports, OTHER)
    assert await adoptions.adopt(adopted, len(DATA))
    assert await adoptions.waiting() == {adopted}
    assert (await ports.warehouse.measure()).adopted == 1
    assert (await ports.warehouse.collect(dry_run=False)).files == 1
    assert await lying(ports.warehouse) == {adopted} != {orphan}
