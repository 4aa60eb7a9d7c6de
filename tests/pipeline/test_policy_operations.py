from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.errors import Conflict, Malformed, NotFound
from tests.desks import ADA, DeskWorld


@pytest.fixture
async def world(tmp_path: Path) -> DeskWorld:
    world = DeskWorld(tmp_path)
    await world.policy.load()
    return world


async def test_explaining_a_slip_says_which_known_name_it_resembles(world: DeskWorld) -> None:
    explanation = await world.policies.explain("pypi", "Requets")
    assert not explanation.decision.allowed
    assert [o.resembles for o in explanation.decision.objections] == ["requests"]
    assert (explanation.ours, explanation.origin, explanation.files) == (False, None, ())


async def test_a_denial_counts_at_once_and_is_logged_with_its_before_and_after(world: DeskWorld) -> None:
    allowed = await world.decree("allow", "pypi", "Left_Pad", reason="needed")
    denied = await world.decree("deny", "pypi", "left-pad", versions="<2", reason="broken")
    assert (allowed.id, allowed.pattern, denied.id) == (1, "left-pad", 2)
    assert not (await world.policies.explain("pypi", "left-pad", "1.0")).decision.allowed
    assert (await world.policies.explain("pypi", "left-pad", "2.0")).decision.allowed
    removed = await world.policies.remove(2, reason="mended", by=ADA)
    assert removed == denied
    assert (await world.policies.explain("pypi", "left-pad", "1.0")).decision.allowed
    acts = [(d["action"], d["subject"], d["before"], d["after"], d["reason"]) for d in world.admin_details()]
    assert acts == [
        ("policy.allow", "pypi:left-pad", "", "allow left-pad: needed", "needed"),
        ("policy.deny", "pypi:left-pad", "allow left-pad: needed", "deny left-pad <2: broken", "broken"),
        ("policy.remove", "pypi:left-pad", "deny left-pad <2: broken", "", "mended"),
    ]
    assert {row.event.actor for row in world.log.rows if "action" in row.event.detail} == {"ada"}


async def test_a_claimed_name_is_ours(world: DeskWorld) -> None:
    await world.decree("claim", "npm", "@acme/*", reason="our scope")
    assert (await world.policies.explain("npm", "@acme/billing")).ours
    with pytest.raises(Malformed, match="leave the range out"):
        await world.decree("claim", "npm", "acme", versions="^1", reason="why")


async def test_what_is_said_already_is_not_said_twice_until_it_ends(world: DeskWorld) -> None:
    entry = await world.decree("deny", "pypi", "left-pad", reason="for a day", days=1)
    assert entry.until == world.clock.now() + timedelta(days=1)
    with pytest.raises(Conflict, match="registry policy remove 1"):
        await world.decree("deny", "pypi", "Left.Pad", reason="again")
    world.clock.advance(seconds=86_400)
    assert (await world.decree("deny", "pypi", "left-pad", reason="again")).id == 2


async def test_a_version_passes_when_one_of_its_files_does_and_each_file_is_told(world: DeskWorld) -> None:
    world.keep("left-pad", "1.0")
    await world.decree("deny", "pypi", "left-pad", versions="==1.0", reason="broken")
    explanation = await world.policies.explain("pypi", "left-pad", "1.0")
    assert not explanation.decision.allowed
    assert explanation.origin == "public"
    assert [d.subject.filename for d in explanation.files] == ["left-pad-1.0.tgz"]
    assert explanation.decision.subject.filename is None


async def test_a_change_counts_while_the_file_is_broken_and_the_file_is_reported_with_it(
    world: DeskWorld,
) -> None:
    world.policy_file = "[pypi"
    before = world.policy.current.revision
    await world.decree("deny", "pypi", "left-pad", reason="broken")
    standing = await world.policies.status()
    assert standing.problems == world.policies.problems != ()
    assert standing.revision != before
    assert standing.entries == 1
    assert not (await world.policies.explain("pypi", "left-pad")).decision.allowed
    assert standing.modes == {"pypi": "guarded", "npm": "guarded"}


@pytest.mark.parametrize(
    ("ecosystem", "pattern", "versions", "reason", "days", "complaint"),
    [
        ("cargo", "serde", "", "why", None, "no ecosystem `cargo`"),
        ("pypi", "no such name!", "", "why", None, "name"),
        ("pypi", "left-pad", "not a range", "why", None, "not a range"),
        ("pypi", "left-pad", "", " ", None, "has a reason"),
        ("pypi", "left-pad", "", "two\nlines", None, "has a reason"),
        ("pypi", "left-pad", "", "x" * 201, None, "has a reason"),
        ("pypi", "left-pad", "", "why", 0, "1 to 3650 days"),
    ],
)
async def test_what_makes_no_sense_changes_nothing(
    world: DeskWorld,
    ecosystem: str,
    pattern: str,
    versions: str,
    reason: str,
    days: int | None,
    complaint: str,
) -> None:
    with pytest.raises(Malformed, match=complaint):
        await world.decree("deny", ecosystem, pattern, versions=versions, reason=reason, days=days)
    assert not await world.store.entries()
    assert not world.log.rows


async def test_removing_what_is_not_there_is_not_found(world: DeskWorld) -> None:
    with pytest.raises(NotFound, match="registry policy list"):
        await world.policies.remove(7, reason="why", by=ADA)


async def test_an_exemption_has_a_rule_and_an_end_and_may_be_of_one_version(world: DeskWorld) -> None:
    made = await world.decree("exempt", "pypi", "left-pad", versions="1.0", rule="age", reason="fix", days=2)
    assert (made.versions, made.rule, made.until) == ("==1.0", "age", world.clock.now() + timedelta(days=2))
    in_npm = await world.decree(
        "exempt", "npm", "left-pad", versions="1.0.0", rule="age", reason="fix", days=2
    )
    assert in_npm.versions == "1.0.0"
    wrongs: tuple[dict[str, Any], ...] = (
        {"rule": "denylist", "days": 2},
        {"rule": "", "days": 2},
        {"rule": "age"},
        {"rule": "lookalike", "days": 2, "versions": "<2"},
        {"rule": "age", "days": 0},
    )
    for wrong in wrongs:
        with pytest.raises(Malformed):
            await world.decree("exempt", "pypi", "left-pad", reason="fix", **wrong)
    with pytest.raises(Malformed, match="Only an exemption"):
        await world.decree("deny", "pypi", "left-pad", reason="why", rule="age")
    assert str(world.admin_details()[0]["after"]).startswith("exempt left-pad ==1.0 from age until ")


async def test_a_freeze_has_a_date_and_is_about_everything(world: DeskWorld) -> None:
    cutoff = datetime(2026, 11, 1, tzinfo=UTC)
    made = await world.decree("freeze", "npm", cutoff=cutoff, reason="worm")
    assert (made.pattern, made.cutoff) == ("*", cutoff)
    assert world.admin_details()[-1]["after"] == "freeze 2026-11-01: worm"
    wrongs: tuple[dict[str, Any], ...] = ({"kind": "freeze"}, {"kind": "deny", "cutoff": cutoff})
    for wrong in wrongs:
        with pytest.raises(Malformed, match="A freeze has a date"):
            await world.decree(**{"ecosystem": "npm", "pattern": "react", "reason": "why", **wrong})
    with pytest.raises(Conflict):
        await world.decree("freeze", "npm", cutoff=cutoff, reason="again")
