"""Exemptions lift one rule, for a while, and are never silent."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ConfigurationError
from registry.model.artifacts import Artifact
from registry.model.decisions import Effect
from registry.policy.exemptions import EXEMPTABLE
from tests.policy.worlds import GUARDED, NOW, make_policy, project, pypi, row, wheel

DAY = timedelta(days=1)
STRICT = GUARDED + '[rules]\nlate-file = "deny"\nscripts = "deny"\n'


def young(name: str = "flask", version: str = "1.0") -> Artifact:
    return msgspec.structs.replace(wheel(name, version), published=NOW - DAY, install_script=True)


def test_an_exemption_lifts_its_rule_says_so_and_ends() -> None:
    exemption = row("exempt", "flask", rule="age", until=NOW + DAY, reason="urgent fix", id=3)
    policy = make_policy(GUARDED, [exemption])
    decision = policy.decide_artifact(young(), None, NOW)
    assert decision.allowed
    (kept,) = decision.objections
    assert (kept.rule, kept.effect, kept.until) == ("age", Effect.OBSERVE, NOW + DAY)
    assert kept.reason.endswith("(exempt until 2026-03-02: urgent fix)")
    assert kept.remedy == "registry policy remove 3"
    assert not policy.decide_artifact(young(), None, NOW + DAY).allowed


def test_an_exemption_from_one_rule_is_none_from_another() -> None:
    policy = make_policy(STRICT, [row("exempt", "flask", rule="age", until=NOW + DAY)])
    refused = policy.decide_artifact(young(), None, NOW)
    assert refused.leading is not None
    assert refused.leading.rule == "scripts"


def test_a_version_is_exempted_alone() -> None:
    policy = make_policy(GUARDED, [row("exempt", "flask", "==1.0", rule="age", until=NOW + DAY)])
    assert policy.decide_artifact(young(), None, NOW).allowed
    assert not policy.decide_artifact(young(version="1.1"), None, NOW).allowed
    assert not policy.decide_artifact(young("django"), None, NOW).allowed


def test_a_look_alike_can_be_exempted_for_a_while() -> None:
    policy = make_policy(GUARDED, [row("exempt", "reqeusts", rule="lookalike", until=NOW + DAY)])
    assert policy.decide_project(project("reqeusts"), NOW).allowed
    assert not policy.decide_project(project("reqeusts"), NOW + DAY).allowed


def test_an_exemption_in_the_file_needs_a_rule_a_reason_and_an_end() -> None:
    line = '{ rule = "age", name = "flask>=1", until = 2026-03-05, reason = "urgent" }'
    policy = make_policy(pypi(f"exempt = [{line.replace('>=1', '')}]"))
    assert policy.decide_artifact(young(), None, NOW).allowed
    for lines in (
        '["flask"]',
        '[{ name = "flask" }]',
        '[{ rule = "denylist", name = "flask", until = 2026-03-05, reason = "no" }]',
        '[{ rule = "age", name = "flask", until = "soon", reason = "no" }]',
        '[{ rule = "lookalike", name = "flask", versions = "<2", until = 2026-03-05, reason = "no" }]',
    ):
        with pytest.raises(ConfigurationError):
            make_policy(pypi(f"exempt = {lines}"))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(EXEMPTABLE),
    st.sampled_from(["flask", "fl*", "reqeusts"]),
    st.sampled_from(["flask", "reqeusts", "django"]),
    st.sampled_from(["deny", "hold", "hide"]),
)
def test_an_exemption_changes_nothing_about_other_rules(
    rule: str, pattern: str, name: str, effect: str
) -> None:
    text = GUARDED + f'[rules]\nlate-file = "{effect}"\nscripts = "{effect}"\n'
    before = make_policy(text).decide_artifact(young(name), None, NOW)
    rows = [row("exempt", pattern, rule=rule, until=NOW + DAY)]
    after = make_policy(text, rows).decide_artifact(young(name), None, NOW)
    assert [o.rule for o in before.objections] == [o.rule for o in after.objections]
    assert [o for o in before.objections if o.rule != rule] == [o for o in after.objections if o.rule != rule]
