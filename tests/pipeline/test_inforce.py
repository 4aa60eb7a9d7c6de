"""The policy in force: swapped at once, and never lost to a broken file."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import ConfigurationError, Unavailable
from registry.model.accounts import PolicyEntry
from registry.model.events import Event, Kind
from tests.desks import DeskWorld
from tests.policy.worlds import GUARDED, project

DENYING = GUARDED.replace("[npm]", 'deny = ["leftpad"]\n[npm]', 1)
BROKEN = [
    "[pypi",
    '[pypi]\nmode = "lenient"\n',
    "",
    '[pypi]\nmode = "guarded"\ndny = []\n[npm]\nmode = "guarded"\n',
]


@pytest.fixture
async def world(tmp_path: Path) -> DeskWorld:
    made = DeskWorld(tmp_path)
    await made.policy.load()
    return made


def denied(world: DeskWorld) -> bool:
    return not world.policy.current.decide_project(project("leftpad"), world.clock.now()).allowed


async def test_a_changed_file_counts_and_is_on_record(world: DeskWorld) -> None:
    before = world.policy.current.revision
    world.policy_file = DENYING
    await world.policy.reload()
    assert denied(world)
    assert world.policy.current.revision != before
    assert [event.detail["policy"] for event in world.log.of_kind(Kind.ADMIN)] == ["reloaded"]


async def test_an_unchanged_file_changes_nothing(world: DeskWorld) -> None:
    before = world.policy.current
    await world.policy.reload()
    assert world.policy.current is before
    assert world.log.rows == []


@pytest.mark.parametrize("text", BROKEN)
async def test_a_broken_file_leaves_the_last_good_one_in_force(world: DeskWorld, text: str) -> None:
    world.policy_file = DENYING
    await world.policy.reload()
    world.policy_file = text
    for _ in range(3):
        await world.policy.reload()
    assert denied(world)
    assert world.policy.problems
    assert [event.detail["policy"] for event in world.log.of_kind(Kind.ALARM)] == [
        "broken"
    ]  # once, not thrice


async def test_a_mended_file_counts_and_clears_the_problems(world: DeskWorld) -> None:
    world.policy_file = "[pypi"
    await world.policy.reload()
    world.policy_file = DENYING
    await world.policy.reload()
    assert denied(world)
    assert world.policy.problems == ()


async def test_a_file_that_cannot_be_read_is_a_broken_one(
    world: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> str:
        raise ConfigurationError(["The policy file can't be read."])

    monkeypatch.setattr(world.policy, "_read_file", unreadable)
    await world.policy.reload()
    assert world.policy.problems == ("The policy file can't be read.",)
    assert not denied(world)


async def test_what_operators_decide_counts_while_the_file_is_broken(world: DeskWorld) -> None:
    world.policy_file = "[pypi"
    await world.policy.reload()
    entry = PolicyEntry(
        ecosystem="pypi",
        kind="deny",
        pattern="leftpad",
        reason="now",
        author="ada",
        created=world.clock.now(),
    )
    await world.store.add(entry, Event(kind=Kind.ADMIN, at=world.clock.now(), actor="ada"))
    await world.policy.reload()
    assert denied(world)


async def test_a_first_publication_makes_the_name_ours(world: DeskWorld) -> None:
    artifact = world.keep("acme-app", "1.0")
    del world.catalogue.rows[artifact.project, artifact.filename]
    await world.catalogue.publish(artifact, None, Event(kind=Kind.PUBLISH, at=world.clock.now(), actor="ada"))
    assert not world.policy.current.ours(artifact.project)
    await world.policy.reload()
    assert world.policy.current.ours(artifact.project)


async def test_a_reload_that_cannot_be_logged_counts_all_the_same(world: DeskWorld) -> None:
    world.log.failure = Unavailable("The disk is full.")
    world.policy_file = DENYING
    await world.policy.reload()
    assert denied(world)


async def test_without_a_usable_file_nothing_starts(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    world.policy_file = "[pypi"
    with pytest.raises(ConfigurationError):
        await world.policy.load()
