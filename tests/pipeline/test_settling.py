"""What is told beforehand (`explain`, `check`, warming the cache) is what the doors would say."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from registry.model.artifacts import Digest, Holding
from registry.model.indexes import Status
from registry.model.names import Project
from registry.pipeline.policy_operations import Pin
from registry.pipeline.warming import Wish
from tests.desks import DeskWorld
from tests.specimens import artifact

FLASK = Project("pypi", "flask")
ACME = Project("pypi", "acme-billing")
SHA = Digest("sha256", "1" * 64)


@pytest.fixture
async def world(tmp_path: Path) -> DeskWorld:
    world = DeskWorld(tmp_path)
    await world.policy.load()
    return world


def row(world: DeskWorld, project: Project, pin: Digest | None, *digests: Digest, origin: str) -> Holding:
    filename, now = f"{project.name.replace('-', '_')}-1.0.tar.gz", world.clock.now()
    old = now - timedelta(days=400)
    file = artifact(filename, *digests, project=project, version="1.0", published=old)
    held = Holding(artifact=file, origin=origin, pin=pin, first_seen=old)
    world.catalogue.rows[project, filename] = held
    return held


async def told(world: DeskWorld, project: Project) -> set[tuple[bool, str]]:
    """(allowed, the reason) of each that tells."""
    explained = (await world.policies.explain("pypi", project.name, "1.0")).decision
    (checked,) = await world.desk.foresight.check([Pin(ecosystem="pypi", name=project.name, version="1.0")])
    job = world.warming.begin([Wish(ecosystem="pypi", name=project.name, version="1.0")], dry_run=True)
    for _ in range(1000):
        await asyncio.sleep(0)
        if (job := world.cache.job(job.id)).state != "running":
            break
    assert job.state == "done", job.error
    leading = explained.leading
    return {
        (explained.allowed, leading.reason if leading else ""),
        (checked.state == "allowed", checked.reason),
        (not job.found.get("refused"), " ".join(job.complaints).partition(": ")[2]),
    }


async def test_a_file_without_a_digest_to_trust_it_by_is_told_as_refused(world: DeskWorld) -> None:
    row(world, FLASK, None, Digest("md5", "1" * 32), origin="public")
    ((allowed, reason),) = await told(world, FLASK)
    assert not allowed
    assert "without a sha256" in reason


async def test_a_file_whose_digest_changed_is_told_as_refused(world: DeskWorld) -> None:
    held = row(world, FLASK, SHA, SHA, origin="public")
    world.catalogue.rows[FLASK, held.artifact.filename] = msgspec.structs.replace(
        held, conflict=Digest("sha256", "2" * 64)
    )
    ((allowed, reason),) = await told(world, FLASK)
    assert not allowed
    assert "another digest than at first sight" in reason


async def test_a_file_of_a_quarantined_project_is_told_as_refused(world: DeskWorld) -> None:
    await world.decree("claim", "pypi", ACME.name, reason="ours")
    row(world, ACME, SHA, SHA, origin="private")
    assert all(allowed for allowed, _ in await told_without_warming(world))
    world.catalogue.statuses[ACME] = Status("quarantined", "leaked a key")
    for allowed, reason in await told_without_warming(world):
        assert not allowed
        assert reason == "'acme-billing' is quarantined: leaked a key"


async def told_without_warming(world: DeskWorld) -> list[tuple[bool, str]]:
    """(Private files are here already.)"""
    explained = (await world.policies.explain("pypi", ACME.name, "1.0")).decision
    (checked,) = await world.desk.foresight.check([Pin(ecosystem="pypi", name=ACME.name, version="1.0")])
    leading = explained.leading
    return [
        (explained.allowed, leading.reason if leading else ""),
        (checked.state == "allowed", checked.reason),
    ]
