"""The cooldown, late files, and the line in the sand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from registry.model.decisions import Decision, Effect
from registry.policy.engine import Policy
from tests.policy.worlds import GUARDED, NOW, make_policy, project, row, wheel

DAY = timedelta(days=1)


def decide(
    policy: Policy, *, first_seen: datetime | None = None, now: datetime = NOW, **facts: Any
) -> Decision:
    artifact = msgspec.structs.replace(wheel("flask", "1.0"), **{"published": None, **facts})
    return policy.decide_artifact(artifact, first_seen, now)


def test_a_young_version_is_held_and_released_by_itself() -> None:
    policy, published = make_policy(), NOW - DAY
    held = decide(policy, published=published, released=published).leading
    assert held is not None
    assert (held.rule, held.effect, held.until) == ("age", Effect.HOLD, published + 3 * DAY)
    assert held.reason == "'flask' 1.0 was published 2026-02-28, held until it is 3 days old"
    just_before = published + 3 * DAY - timedelta(seconds=1)
    assert not decide(policy, published=published, now=just_before).allowed
    assert decide(policy, published=published, now=published + 3 * DAY).allowed


def test_the_same_hold_has_the_same_words_whenever_it_is_met() -> None:
    published = NOW - DAY
    one = decide(make_policy(), published=published)
    other = decide(make_policy(), published=published, now=NOW + timedelta(hours=5))
    assert one.objections == other.objections


def test_the_wait_is_set_for_all_for_one_ecosystem_and_for_names() -> None:
    text = (
        '[pypi]\nmode = "guarded"\n[pypi.age]\ndays = 7\nnames = [{ name = "fl*", days = 14 },'
        ' { name = "flask", days = 0.5, reason = "ours to patch" }]\n[npm]\nmode = "guarded"\n[age]\ndays = 1\n'
    )
    policy = make_policy(text)

    def wait(name: str, ecosystem: str = "pypi") -> timedelta | None:
        artifact = msgspec.structs.replace(
            wheel(name, "1.0"), project=project(name, ecosystem), published=NOW
        )
        held = policy.decide_artifact(artifact, None, NOW).leading
        return held.until - NOW if held and held.until else None

    assert wait("six") == 7 * DAY
    assert wait("flit") == 14 * DAY
    assert wait("flask") == DAY / 2
    assert wait("express", "npm") == DAY


def test_no_days_are_no_wait() -> None:
    policy = make_policy(GUARDED + "[age]\ndays = 0\n")
    assert decide(policy, published=NOW).objections == ()


def test_private_names_never_wait() -> None:
    policy = make_policy(private={"pypi": ["flask"]})
    assert decide(policy, published=NOW).allowed
    assert decide(make_policy(GUARDED, [row("claim", "fl*")]), published=NOW).allowed


def test_a_missing_time_counts_from_first_sight_and_names_the_setting() -> None:
    held = decide(make_policy(), first_seen=NOW - DAY).leading
    assert held is not None
    assert held.until == NOW + 2 * DAY
    assert "first seen here 2026-02-28" in held.reason
    assert "age.undated" in held.reason
    assert decide(make_policy(), first_seen=NOW - 3 * DAY).allowed


@pytest.mark.parametrize(
    ("undated", "listed_at_first", "new"),
    [
        ("new-only", True, False),
        ("first-sight", False, False),
        ("hold", False, False),
        ("pass", True, True),
    ],
)
def test_where_no_source_tells_any_time_the_setting_decides(
    undated: str, listed_at_first: bool, new: bool
) -> None:
    policy = make_policy(GUARDED + f'[age]\nundated = "{undated}"\n')
    assert decide(policy, first_seen=NOW, undated=True).allowed is listed_at_first
    assert decide(policy, first_seen=NOW, undated=False).allowed is new


def test_what_nobody_can_date_may_wait_for_a_person() -> None:
    policy = make_policy(GUARDED + '[age]\nundated = "hold"\n')
    held = decide(policy, first_seen=NOW - 999 * DAY, undated=True).leading
    assert held is not None
    assert held.until is None
    assert "age.undated" in held.reason


def test_a_late_file_in_an_old_release_waits_as_long_as_a_version() -> None:
    """U10."""
    facts: dict[str, Any] = {"published": NOW - DAY, "released": NOW - 400 * DAY}
    decision = decide(make_policy(), **facts)
    assert [(o.rule, o.effect, o.until) for o in decision.objections] == [
        ("late-file", Effect.HOLD, NOW + 2 * DAY)
    ]
    assert decide(make_policy(), **{**facts, "published": NOW - 3 * DAY}).objections == ()
    observed = decide(make_policy(GUARDED + '[rules]\nlate-file = "observe"\n'), **facts)
    assert (observed.allowed, [o.rule for o in observed.objections]) == (True, ["late-file"])


def test_a_freeze_holds_what_was_published_after_it_without_an_end() -> None:
    for policy in (
        make_policy('[pypi]\nmode = "guarded"\nfreeze = 2026-01-01\n[npm]\nmode = "guarded"\n'),
        make_policy(GUARDED, [row("freeze", "*", cutoff=datetime(2026, 1, 1, tzinfo=NOW.tzinfo), id=4)]),
    ):
        assert decide(policy, published=NOW - 90 * DAY).allowed
        held = decide(policy, published=NOW - 30 * DAY).leading
        assert held is not None
        assert (held.rule, held.effect, held.until) == ("freeze", Effect.HOLD, None)
        assert "after the freeze of 2026-01-01" in held.reason


def test_of_several_freezes_the_earliest_in_force_counts() -> None:
    rows = [
        row("freeze", "*", cutoff=NOW - 10 * DAY, id=1),
        row("freeze", "*", cutoff=NOW - 50 * DAY, id=2, until=NOW + DAY),
    ]
    policy = make_policy(GUARDED, rows)
    assert not decide(policy, published=NOW - 20 * DAY).allowed
    assert decide(policy, published=NOW - 20 * DAY, now=NOW + 2 * DAY).allowed


def test_installing_code_is_refused_where_the_rule_is_on() -> None:
    assert decide(make_policy(), install_script=True).allowed is False  # for its age only
    old: dict[str, Any] = {"published": NOW - 90 * DAY, "install_script": True}
    assert decide(make_policy(), **old).allowed
    policy = make_policy(GUARDED + '[pypi.rules]\nscripts = "hide"\n')
    said = decide(policy, **old).leading
    assert said is not None
    assert (said.rule, said.effect) == ("scripts", Effect.HIDE)
    assert decide(policy, published=NOW - 90 * DAY).allowed
