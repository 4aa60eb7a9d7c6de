"""A policy file that breaks doesn't take the appliance down with its next restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import ConfigurationError
from registry.pipeline.inforce import JoinedPolicy
from registry.storage.policy_copy import PolicyCopy
from tests.desks import DeskWorld
from tests.policy.worlds import GUARDED


def joined(world: DeskWorld, text: str, folder: Path) -> JoinedPolicy:
    world.policy_file = text
    world.policy._copy = PolicyCopy(folder / "policy.last-good.toml")
    return world.policy


async def test_the_last_good_file_counts_after_a_restart_with_a_broken_one(tmp_path: Path) -> None:
    before = joined(DeskWorld(tmp_path), GUARDED, tmp_path)
    await before.load()
    after = joined(DeskWorld(tmp_path), "[pypi", tmp_path)
    await after.load()
    assert after.current.revision == before.current.revision
    assert after.problems


async def test_without_a_good_file_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        await joined(DeskWorld(tmp_path), "[pypi", tmp_path).load()


async def test_a_mended_file_counts_again(tmp_path: Path) -> None:
    await joined(DeskWorld(tmp_path), GUARDED, tmp_path).load()
    world = DeskWorld(tmp_path)
    policy = joined(world, "[pypi", tmp_path)
    await policy.load()
    world.policy_file = GUARDED
    await policy.reload()
    assert not policy.problems
