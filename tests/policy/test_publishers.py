"""Who published a file, and whether what vouches for it holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from registry.model.decisions import Effect
from registry.policy.engine import Policy
from tests.policy.worlds import GUARDED, NOW, make_policy, project, row, wheel

HANDOVER = "was published by eve; releases before it by ada"


def with_effect(rule: str, effect: str, more: str = "") -> Policy:
    return make_policy(
        f'{GUARDED}[rules]\nage = "off"\npublisher = "off"\n{rule} = "{effect}"\n{more}'.replace(
            'publisher = "off"\npublisher', "publisher"
        )
    )


def said(policy: Policy, **facts: Any) -> dict[str, str]:
    file = msgspec.structs.replace(wheel("flask", "1.0"), **facts)
    return {o.rule: o.reason for o in policy.decide_artifact(file, None, NOW).objections}


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize(
    ("rule", "facts", "reason"),
    [
        ("publisher", {"publisher": "eve", "handover": HANDOVER}, f"'flask' 1.0 {HANDOVER}"),
        ("unattested", {}, "'flask-1.0-py3-none-any.whl' has no attestation of who built it"),
        (
            "attestation",
            {"provenance": "there", "attestation": "failed", "doubt": "signed by another"},
            "what vouches for 'flask-1.0-py3-none-any.whl' doesn't hold: signed by another",
        ),
        (
            "attestation",
            {"provenance": "there", "attestation": "unchecked", "doubt": "nobody answered"},
            "what vouches for 'flask-1.0-py3-none-any.whl' can't be checked: nobody answered",
        ),
    ],
)
def test_each_rule_about_publishers_has_every_effect(
    rule: str, facts: dict[str, Any], reason: str, effect: Effect
) -> None:
    policy = with_effect(rule, effect.value)
    file = msgspec.structs.replace(wheel("flask", "1.0"), **facts)
    decision = policy.decide_artifact(file, None, NOW)
    (objection,) = (o for o in decision.objections if o.rule == rule)
    assert (objection.effect, objection.reason) == (effect, reason)
    assert decision.allowed is (effect is Effect.OBSERVE)


@pytest.mark.parametrize("rule", ["publisher", "unattested", "attestation"])
def test_a_rule_about_publishers_that_is_off_says_nothing(rule: str) -> None:
    facts = {"handover": HANDOVER, "attestation": "failed"}
    assert rule not in said(with_effect(rule, "off"), **facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"provenance": "there", "attestation": "verified", "publisher": "ada"},
        {"provenance": "there", "attestation": "pending"},
    ],
    ids=["verified", "looked at when the file is asked for"],
)
def test_what_holds_is_not_objected_to(facts: dict[str, Any]) -> None:
    for rule in ("publisher", "unattested", "attestation"):
        assert rule not in said(with_effect(rule, "deny"), **facts)


def test_a_publisher_that_nobody_tells_passes_unless_the_policy_says_otherwise() -> None:
    assert "publisher" not in said(with_effect("publisher", "deny"))
    strict = with_effect("publisher", "deny", '[publisher]\nunknown = "hold"\n')
    assert said(strict)["publisher"] == "nobody tells who published 'flask' 1.0 (setting publisher.unknown)"


def test_only_a_rule_that_refuses_has_somebody_look_first() -> None:
    flask = project("flask")
    for rule in ("publisher", "attestation"):
        assert with_effect(rule, "hold").artifact_rules(flask).looks
        assert not with_effect(rule, "observe").artifact_rules(flask).looks
    observing = GUARDED.replace("guarded", "observe") + '[rules]\nattestation = "deny"\n'
    assert not make_policy(observing).artifact_rules(flask).looks


def test_an_exempt_version_passes_and_the_team_s_own_packages_are_not_asked() -> None:
    exempt = row("exempt", "flask", "==1.0", rule="publisher", until=None)
    text = f'{GUARDED}[rules]\npublisher = "deny"\n'
    file = msgspec.structs.replace(wheel("flask", "1.0"), handover=HANDOVER)
    assert make_policy(text, [exempt]).decide_artifact(file, None, NOW).allowed
    assert not make_policy(text).decide_artifact(file, None, NOW).allowed
    assert make_policy(text, private={"pypi": ("flask",)}).decide_artifact(file, None, NOW).allowed
