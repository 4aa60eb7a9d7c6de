from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from registry.errors import ConfigurationError
from registry.model.decisions import Decision, Effect
from registry.policy import engine
from registry.policy.engine import Policy, Rulebook
from registry.policy.ownership import Owned
from tests.policy.worlds import GUARDED, NOW, make_policy, project, pypi, row, wheel


def rules(decision: Decision) -> list[str]:
    return [objection.rule for objection in decision.objections]


def test_an_ordinary_name_passes() -> None:
    decision = make_policy().decide_project(project("flask"), NOW)
    assert decision.allowed
    assert decision.objections == ()


def test_a_denied_name_is_refused_with_the_operators_reason() -> None:
    policy = make_policy(pypi('deny = [{ name = "flask", reason = "we use django" }]'))
    objection = policy.decide_project(project("flask"), NOW).leading
    assert objection is not None
    assert objection.reason == "'flask' is on the denylist: we use django"
    assert objection.remedy == "take pypi.deny[1] out of policy.toml"


def test_a_denial_by_command_names_the_command_that_takes_it_back() -> None:
    objection = (
        make_policy(GUARDED, [row("deny", "flask", id=12)]).decide_project(project("flask"), NOW).leading
    )
    assert objection is not None
    assert objection.remedy == "registry policy remove 12"


def test_a_reason_is_told_as_one_line_of_ascii() -> None:
    policy = make_policy(GUARDED, [row("deny", "flask", reason="böse\r\nX-Evil: 1 " + "x" * 400)])
    objection = policy.decide_project(project("flask"), NOW).leading
    assert objection is not None
    assert objection.reason.isascii()
    assert objection.reason.isprintable()
    assert len(objection.reason) <= 160


@pytest.mark.parametrize(
    ("version", "allowed"), [("1.0", True), ("2.0", False), ("2.9", False), ("3.0", True)]
)
def test_a_denied_range_refuses_its_versions_only(version: str, allowed: bool) -> None:
    policy = make_policy(pypi('deny = ["flask>=2,<3"]'))
    assert policy.decide_project(project("flask"), NOW).allowed
    assert policy.decide_artifact(wheel("flask", version), None, NOW).allowed is allowed


def test_a_version_that_no_range_can_judge_is_refused() -> None:
    policy = make_policy(pypi('deny = ["flask<1"]'))
    assert not policy.decide_artifact(wheel("flask", "what?"), None, NOW).allowed
    listed = make_policy(pypi('allow = ["flask>=1"]', mode="allowlist"))
    assert not listed.decide_artifact(wheel("flask", "what?"), None, NOW).allowed


def test_globs_match_whole_names_and_stay_out_of_scopes() -> None:
    policy = make_policy('[pypi]\nmode = "guarded"\n[npm]\nmode = "guarded"\ndeny = ["evil-*", "@bad/*"]')
    verdicts = {
        name: policy.decide_project(project(name, "npm"), NOW).allowed
        for name in ("evil-twin", "not-evil-twin", "@bad/thing", "@badly/thing", "evil-/x")
    }
    assert verdicts == {
        "evil-twin": False,
        "not-evil-twin": True,
        "@bad/thing": False,
        "@badly/thing": True,
        "evil-/x": True,
    }


def test_an_allowlist_lets_in_what_is_on_it_or_ours_and_nothing_else() -> None:
    text = pypi('allow = ["flask", "types-*"]\nours = ["acme-*"]', mode="allowlist")
    policy = make_policy(text, [row("allow", "httpx")], {"pypi": ["inhouse"]})
    for name in ("flask", "types-six", "acme-core", "httpx", "inhouse"):
        assert policy.decide_project(project(name), NOW).allowed, name
    refused = policy.decide_project(project("pyramid"), NOW)
    assert rules(refused) == ["allowlist"]
    assert refused.leading is not None
    assert refused.leading.remedy == "registry policy allow pypi pyramid --reason ..."


def test_an_allowlisted_range_lets_in_its_versions_only() -> None:
    policy = make_policy(pypi('allow = ["flask>=2,<3"]', mode="allowlist"))
    assert policy.decide_artifact(wheel("flask", "2.1"), None, NOW).allowed
    refused = policy.decide_artifact(wheel("flask", "3.0"), None, NOW)
    assert refused.leading is not None
    assert refused.leading.reason == "'flask' 3.0 is outside of the allowed versions >=2,<3"


def test_all_objections_are_kept() -> None:
    policy = make_policy(pypi('deny = ["reqeusts"]', mode="allowlist"))
    assert rules(policy.decide_project(project("reqeusts"), NOW)) == ["denylist", "lookalike", "allowlist"]


def test_observe_mode_records_and_refuses_nothing() -> None:
    decision = make_policy(pypi('deny = ["flask"]', mode="observe")).decide_project(project("flask"), NOW)
    assert decision.allowed
    assert rules(decision) == ["denylist"]


def test_a_rule_can_be_made_to_hold_to_observe_or_be_switched_off() -> None:
    found = {
        effect: make_policy(pypi('deny = ["flask"]') + f'[rules]\ndenylist = "{effect}"\n')
        .decide_project(project("flask"), NOW)
        .objections
        for effect in ("hold", "observe", "off")
    }
    assert [o.effect for o in found["hold"]] == [Effect.HOLD]
    assert [o.effect for o in found["observe"]] == [Effect.OBSERVE]
    assert found["off"] == ()


def test_a_slip_is_refused_and_names_what_it_looks_like() -> None:
    objection = make_policy().decide_project(project("reqeusts"), NOW).leading
    assert objection is not None
    assert (objection.rule, objection.effect, objection.resembles) == ("lookalike", Effect.DENY, "requests")


def test_an_allow_entry_makes_a_name_known_until_it_ends() -> None:
    end = NOW + timedelta(days=1)
    policy = make_policy(GUARDED, [row("allow", "reqeusts", until=end)])
    subject = project("reqeusts")
    assert policy.decide_project(subject, NOW).allowed
    assert not policy.decide_project(subject, end).allowed
    assert policy.decide_project(subject, end - timedelta(microseconds=1)).allowed


def test_a_deny_entry_ends_too() -> None:
    end = NOW + timedelta(days=1)
    policy = make_policy(GUARDED, [row("deny", "flask", until=end)])
    leading = policy.decide_project(project("flask"), NOW).leading
    assert leading is not None
    assert leading.until == end
    assert policy.decide_project(project("flask"), end).allowed


def test_names_are_ours_by_pattern_by_claim_and_by_publication() -> None:
    policy = make_policy(pypi('ours = ["acme-*"]'), [row("claim", "tool")], {"pypi": ["inhouse"]})
    assert all(policy.ours(project(name)) for name in ("acme-core", "tool", "inhouse"))
    assert not policy.ours(project("flask"))
    assert not policy.ours(project("tool", "npm"))


def test_a_claim_does_not_end_by_itself() -> None:
    policy = make_policy(GUARDED, [row("claim", "tool", until=NOW - timedelta(days=1))])
    assert policy.ours(project("tool"))


def test_our_own_names_are_protected_against_slips() -> None:
    policy = make_policy(GUARDED, private={"pypi": ["inhouse-billing"]})
    leading = policy.decide_project(project("inhouse-biling"), NOW).leading
    assert leading is not None
    assert leading.resembles == "inhouse-billing"


@pytest.mark.parametrize(
    ("name", "known_public", "expected"),
    [
        ("brand-new", False, []),
        ("brand-new", True, ["ownership"]),
        ("django", False, ["ownership"]),
        ("djagno", False, ["lookalike"]),
        ("evil", False, ["denylist"]),
        ("acme-core", True, []),
        ("djangoo", False, []),
    ],
)
def test_publishing(name: str, known_public: bool, expected: list[str]) -> None:
    policy = make_policy(pypi('deny = ["evil"]\nours = ["acme-*"]'), [row("claim", "djangoo")])
    assert rules(policy.decide_publication(project(name), "1.0", known_public, NOW)) == expected


def test_a_denied_version_cannot_be_published() -> None:
    policy = make_policy(pypi('deny = ["tool<1"]'))
    assert not policy.decide_publication(project("tool"), "0.9", known_public=False, now=NOW).allowed
    assert policy.decide_publication(project("tool"), "1.0", known_public=False, now=NOW).allowed


def test_artifact_rules_decide_the_same_in_another_process() -> None:
    policy = make_policy(pypi('deny = ["flask>=2,<3"]'))
    near = policy.artifact_rules(project("flask"))
    far = pickle.loads(pickle.dumps(near))
    for version in ("1.0", "2.0"):
        artifact = wheel("flask", version)
        assert far.decide(artifact, None, NOW) == policy.decide_artifact(artifact, None, NOW)
    assert (far.revision, far.mode) == (policy.revision, "guarded")
    assert len(pickle.dumps(near)) < 2_000


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "REMEMBERED", 10)
    policy = make_policy()
    for number in range(50):
        policy.decide_project(project(f"name-{number}-x"), NOW)
    assert len(policy._standings) <= 10


def test_an_empty_policy_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="names no ecosystem"):
        Policy("r", {})
    with pytest.raises(ConfigurationError, match="pypi: every rule is off"):
        Policy("r", {"pypi": Rulebook(mode="guarded", rules=(), owned=Owned(()))})
