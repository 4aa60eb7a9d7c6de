"""Lock files, what was used, and another policy on recorded requests."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.errors import Malformed
from registry.model.artifacts import Digest
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.pipeline.foresight import Checked
from registry.pipeline.policy_operations import Allowing, Pin
from tests.desks import ADA, DeskWorld
from tests.policy.worlds import GUARDED
from tests.specimens import artifact

DAY = timedelta(days=1)


@pytest.fixture
async def world(tmp_path: Path) -> DeskWorld:
    world = DeskWorld(tmp_path)
    await world.policy.load()
    return world


async def known(world: DeskWorld, name: str, version: str = "1.0", **facts: Any) -> None:
    """A file that upstream lists, old unless said otherwise."""
    project = Project("pypi", name)
    now = world.clock.now()
    file = artifact(
        f"{name}-{version}.tar.gz",
        project=project,
        version=version,
        **{"published": now - 400 * DAY, **facts},
    )
    await world.catalogue.remember(project, [file], "public", now)


def delivered(
    world: DeskWorld, name: str, version: str, actor: str = "bob", kind: Kind = Kind.DELIVERY
) -> None:
    world.log.append(
        Event(
            kind=kind,
            at=world.clock.now(),
            actor=actor,
            project=Project("pypi", name),
            version=version,
            filename=f"{name}-{version}.tar.gz",
        )
    )


async def check(world: DeskWorld, name: str, version: str | None = "1.0", *digests: str) -> Checked:
    pin = Pin(ecosystem="pypi", name=name, version=version, digests=digests)
    (found,) = await world.desk.foresight.check([pin])
    return found


async def test_each_entry_of_a_lock_file_is_told_what_it_would_meet(world: DeskWorld) -> None:
    await known(world, "flask")
    young = world.clock.now() - DAY
    await known(world, "httpx", published=young)
    assert (await check(world, "Flask")).state == "allowed"
    assert (await check(world, "six")).state == "absent"
    held = await check(world, "httpx")
    assert (held.state, held.until) == ("held", young + 3 * DAY)
    refused = await check(world, "reqeusts")
    assert refused.state == "refused"
    assert "looks like 'requests'" in refused.reason
    assert (await check(world, "no such name!")).state == "refused"
    assert (await check(world, "six", None)).state == "absent"
    with pytest.raises(Malformed):
        await world.desk.foresight.check([Pin(ecosystem="cargo", name="serde")])


async def test_other_bytes_than_the_lock_file_says_are_a_mismatch(world: DeskWorld) -> None:
    await known(world, "flask", digests=(Digest("sha256", "a" * 64),))
    assert (await check(world, "flask", "1.0", f"sha256:{'a' * 64}", f"sha256:{'b' * 64}")).state == "allowed"
    assert (await check(world, "flask", "1.0", f"sha256:{'b' * 64}")).state == "mismatch"
    assert (await check(world, "flask", "1.0", "md5:abc")).state == "allowed"


async def allow(world: DeskWorld, *names: str, dry_run: bool = False, version: str | None = None) -> Allowing:
    pins = [Pin(ecosystem="pypi", name=name, version=version) for name in names]
    return await world.policies.allow_all(pins, reason="what we use", days=None, dry_run=dry_run, by=ADA)


async def test_a_list_is_allowed_in_one_act_without_what_other_rules_object_to(world: DeskWorld) -> None:
    world.policy_file = GUARDED.replace("guarded", "allowlist")
    await world.policy.reload()
    planned = await allow(world, "flask", "Flask", "six", "reqeusts", dry_run=True)
    assert [entry.pattern for entry in planned.added] == ["flask", "six"]
    assert await world.store.entries() == ()
    done = await allow(world, "flask", "six", "reqeusts")
    assert [decision.subject.project.name for decision in done.flagged] == ["reqeusts"]
    assert {entry.pattern for entry in await world.store.entries()} == {"flask", "six"}
    assert world.policy.current.decide_project(Project("pypi", "six"), world.clock.now()).allowed
    (act,) = world.admin_details()
    assert (act["subject"], act["after"]) == ("2 names", "pypi:flask, pypi:six")
    again = await allow(world, "flask", "httpx")
    assert (again.known, [entry.pattern for entry in again.added]) == (1, ["httpx"])


async def test_a_list_may_be_of_versions(world: DeskWorld) -> None:
    done = await allow(world, "flask", version="1.0")
    assert [entry.versions for entry in done.added] == ["==1.0"]


async def test_what_was_used_is_told_the_most_used_first(world: DeskWorld) -> None:
    delivered(world, "six", "1.0")
    world.clock.advance(days=40)
    since = world.clock.now() - 30 * DAY
    await world.decree("claim", "pypi", "acme", reason="ours")
    for name, version in (("flask", "1.0"), ("httpx", "1.0"), ("flask", "2.0"), ("acme", "1.0")):
        delivered(world, name, version)
    used = await world.desk.foresight.used(since)
    assert [(each.name, each.versions, each.deliveries) for each in used] == [
        ("flask", ("1.0", "2.0"), 2),
        ("httpx", ("1.0",), 1),
    ]


async def test_another_policy_is_tried_on_what_was_asked(world: DeskWorld) -> None:
    await known(world, "flask")
    await world.decree("deny", "pypi", "six", reason="not needed")
    for actor in ("bob", "eve", "bob"):
        delivered(world, "flask", "1.0", actor)
    delivered(world, "httpx", "1.0")
    delivered(world, "reqeusts", "1.0", kind=Kind.REFUSAL)
    delivered(world, "six", "1.0", kind=Kind.REFUSAL)
    candidate = GUARDED.replace("guarded", "allowlist") + '[rules]\nlookalike = "off"\n'
    candidate = candidate.replace("[npm]", 'allow = ["httpx", "reqeusts"]\n[npm]', 1)
    replay = await world.desk.foresight.replay(candidate, world.clock.now() - DAY)
    assert (replay.requests, replay.complete) == (6, True)
    (refused,) = replay.refused
    assert (refused.name, refused.requests, refused.clients) == ("flask", 3, ("bob", "eve"))
    assert refused.reason == "allowlist: 'flask' is not on the allowlist"
    (allowed,) = replay.allowed
    assert (allowed.name, allowed.reason[:10]) == ("reqeusts", "lookalike:")
    assert not world.policy.current.decide_project(Project("pypi", "reqeusts"), world.clock.now()).allowed


async def test_requests_are_judged_as_of_their_own_time(world: DeskWorld) -> None:
    await known(world, "flask", published=world.clock.now() - 4 * DAY)
    delivered(world, "flask", "1.0")
    since = world.clock.now() - DAY
    world.clock.advance(days=20)
    replay = await world.desk.foresight.replay(GUARDED + "[age]\ndays = 7\n", since)
    assert [each.reason.split(":")[0] for each in replay.refused] == ["age"]


async def test_a_candidate_that_cant_be_used_says_why(world: DeskWorld) -> None:
    with pytest.raises(Malformed, match="mode"):
        await world.desk.foresight.replay("", world.clock.now())
