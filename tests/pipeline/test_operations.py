from pathlib import Path

import pytest

from registry.errors import Malformed, NotFound
from registry.pipeline import operations
from tests.desks import DeskWorld


@pytest.fixture
def world(tmp_path: Path) -> DeskWorld:
    return DeskWorld(tmp_path)


async def test_the_log_is_filtered_and_paged_newest_first(world: DeskWorld) -> None:
    for name in ("requests", "numpy"):
        artifact = world.keep(name, "1.0")
        await world.delivered(artifact, "ada")
        await world.delivered(artifact, "bob")
    rows = await world.operations.audit_log(kinds=["delivery"], ecosystem="pypi", name="Requests")
    assert [(row.seq, row.event.actor) for row in rows] == [(2, "bob"), (1, "ada")]
    assert [r.seq for r in await world.operations.audit_log(actor="ada", limit=1)] == [3]
    assert [r.seq for r in await world.operations.audit_log(actor="ada", before=3)] == [1]


@pytest.mark.parametrize(
    "question",
    [{"kinds": ["gossip"]}, {"ecosystem": "pypi"}, {"name": "requests"}, {"ecosystem": "x", "name": "y"}],
)
async def test_a_question_that_makes_no_sense_is_said_to_be_one(
    world: DeskWorld, question: dict[str, str]
) -> None:
    with pytest.raises(Malformed):
        await world.operations.audit_log(**question)  # type: ignore[arg-type]


async def test_who_was_given_a_version_is_found_over_many_pages(
    world: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "BATCH", 2)
    artifact = world.keep("@acme/ui", "1.0.0", ecosystem="npm")
    for actor in ("ada", "bob", "ada", "eve", "ada"):
        await world.delivered(artifact, actor)
        world.clock.advance(seconds=1)
    found = await world.operations.audit_who("npm", "@acme/ui", "1.0.0")
    assert [(r.actor, r.count) for r in found] == [("ada", 3), ("eve", 1), ("bob", 1)]
    assert await world.operations.audit_who("npm", "@acme/ui", "2.0.0") == ()


async def test_the_cache_lists_what_is_held_the_largest_first(world: DeskWorld) -> None:
    world.keep("requests", "1.0", held=10)
    world.keep("requests", "2.0", held=20)
    world.keep("lodash", "4.0.0", ecosystem="npm", held=500)
    world.keep("numpy", "1.0")
    found = await world.operations.cache_list()
    assert [(str(c.project), c.files, c.bytes) for c in found] == [
        ("npm:lodash", 1, 500),
        ("pypi:requests", 2, 30),
    ]
    assert [str(c.project) for c in await world.operations.cache_list("pypi")] == ["pypi:requests"]


async def test_an_unknown_refusal_is_not_found(world: DeskWorld) -> None:
    with pytest.raises(NotFound):
        await world.operations.refusal("0" * 32)
