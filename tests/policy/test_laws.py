"""The policy's laws, each for any entries, names and order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from registry.model.accounts import PolicyEntry
from registry.model.decisions import Decision
from registry.policy.engine import Policy
from registry.policy.sections import UNDATED, UNKNOWN
from tests.policy.worlds import NOW, OLD, make_policy, project, pypi, row, wheel

NAMES = st.sampled_from(
    ["flask", "requests", "reqeusts", "django", "djagno", "acme-core", "evil", "evil-twin"]
)
PATTERNS = st.one_of(NAMES, st.sampled_from(["*", "evil*", "acme-*", "d?ango"]))
RANGES = st.sampled_from(["", "<1", ">=1,<2", "!=1.5", "==2.*"])
VERSIONS = st.sampled_from(["0.9", "1.0", "1.5", "2.3", "not a version"])
UNTIL = st.sampled_from([None, NOW, NOW + timedelta(hours=1), NOW - timedelta(hours=1)])
MODES = st.sampled_from(["allowlist", "guarded", "observe"])


def entries(kinds: tuple[str, ...] = ("allow", "deny", "claim")) -> st.SearchStrategy[PolicyEntry]:
    def make(kind: str, pattern: str, versions: str, until: object) -> PolicyEntry:
        return row(kind, pattern, "" if kind == "claim" else versions, until=until)

    return st.builds(make, st.sampled_from(kinds), PATTERNS, RANGES, UNTIL)


ROWS = st.lists(entries(), max_size=5)


def verdicts(policy: Policy, name: str, version: str, known: bool) -> tuple[Decision, ...]:
    return (
        policy.decide_project(project(name), NOW),
        policy.decide_artifact(wheel(name, version), None, NOW),
        policy.decide_publication(project(name), version, known, NOW),
    )


@settings(max_examples=60, deadline=None)
@given(MODES, ROWS, entries(("deny",)), NAMES, VERSIONS, st.booleans())
def test_another_denial_never_lets_more_through(
    mode: str, rows: list[PolicyEntry], denial: PolicyEntry, name: str, version: str, known: bool
) -> None:
    before = verdicts(make_policy(pypi("", mode), rows), name, version, known)
    after = verdicts(make_policy(pypi("", mode), [*rows, denial]), name, version, known)
    for one, other in zip(before, after, strict=True):
        assert one.allowed or not other.allowed
        assert {o.rule for o in one.objections} <= {o.rule for o in other.objections}


@settings(max_examples=60, deadline=None)
@given(MODES, ROWS, st.randoms(use_true_random=False), NAMES, VERSIONS)
def test_the_order_of_entries_means_nothing(
    mode: str, rows: list[PolicyEntry], random: object, name: str, version: str
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = make_policy(pypi("", mode), rows), make_policy(pypi("", mode), shuffled)
    assert one.revision == other.revision
    assert verdicts(one, name, version, known=True) == verdicts(other, name, version, known=True)


@settings(max_examples=40, deadline=None)
@given(ROWS, NAMES, VERSIONS, st.booleans())
def test_observe_never_refuses(rows: list[PolicyEntry], name: str, version: str, known: bool) -> None:
    assert all(d.allowed for d in verdicts(make_policy(pypi("", "observe"), rows), name, version, known))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["allowlist", "guarded"]), ROWS, NAMES, VERSIONS)
def test_deny_beats_allow_and_claim(mode: str, rows: list[PolicyEntry], name: str, version: str) -> None:
    policy = make_policy(pypi("", mode), [*rows, row("allow", name), row("claim", name), row("deny", name)])
    assert not any(decision.allowed for decision in verdicts(policy, name, version, known=False))


@settings(max_examples=40, deadline=None)
@given(MODES, ROWS, NAMES, VERSIONS)
def test_an_allowlist_lets_through_no_more_than_guarded_does(
    mode: str, rows: list[PolicyEntry], name: str, version: str
) -> None:
    assume(mode != "observe")
    guarded = verdicts(make_policy(pypi("", "guarded"), rows), name, version, known=False)
    listed = verdicts(make_policy(pypi("", "allowlist"), rows), name, version, known=False)
    assert all(one.allowed or not other.allowed for one, other in zip(guarded, listed, strict=True))


@settings(max_examples=40, deadline=None)
@given(MODES, ROWS, NAMES, st.lists(st.integers(-3, 3), min_size=1, max_size=6))
def test_what_was_asked_before_changes_no_answer(
    mode: str, rows: list[PolicyEntry], name: str, hours: list[int]
) -> None:
    policy = make_policy(pypi("", mode), rows)
    for hour in hours:
        now = NOW + timedelta(hours=hour)
        fresh = make_policy(pypi("", mode), rows)
        assert policy.decide_project(project(name), now) == fresh.decide_project(project(name), now)


# laws about files: whatever is known of them, and whichever rules are on

EFFECT = st.sampled_from(["deny", "hide", "hold", "observe", "off"])
RULES_ABOUT_FILES = ("age", "late-file", "freeze", "scripts", "publisher", "unattested", "attestation")
FILE_RULES = st.fixed_dictionaries(dict.fromkeys(RULES_ABOUT_FILES, EFFECT))
HOURS = st.integers(-24 * 10, 24)
FACTS = st.fixed_dictionaries(
    {
        "published": st.one_of(st.none(), st.builds(lambda hours: NOW + timedelta(hours=hours), HOURS)),
        "released": st.one_of(st.none(), st.builds(lambda hours: NOW + timedelta(hours=hours), HOURS)),
        "undated": st.booleans(),
        "install_script": st.booleans(),
        "provenance": st.sampled_from(["", "https://index.example/provenance"]),
        "publisher": st.sampled_from(["", "ada"]),
        "handover": st.sampled_from(["", "was published by eve; releases before it by ada"]),
        "attestation": st.sampled_from(["", "pending", "verified", "failed", "unchecked"]),
        "doubt": st.sampled_from(["", "it was signed by somebody else"]),
    }
)
FIRST_SEEN = st.one_of(st.none(), st.builds(lambda hours: NOW - timedelta(hours=abs(hours)), HOURS))
UNDATED_WORDS = st.sampled_from(UNDATED)
UNKNOWN_WORDS = st.sampled_from(UNKNOWN)


def with_rules(
    effects: dict[str, str], undated: str = "new-only", days: int = 3, unknown: str = "pass"
) -> str:
    lines = "".join(f'{rule} = "{effect}"\n' for rule, effect in effects.items())
    freeze = (NOW - timedelta(days=5)).date().isoformat()
    ages = f'[age]\ndays = {days}\nundated = "{undated}"\n[publisher]\nunknown = "{unknown}"\n'
    return pypi(f"freeze = {freeze}") + f"[rules]\n{lines}{ages}"


@settings(max_examples=60, deadline=None)
@given(FILE_RULES, st.sampled_from(RULES_ABOUT_FILES), UNDATED_WORDS, UNKNOWN_WORDS, FACTS, FIRST_SEEN)
def test_switching_another_rule_on_never_lets_more_through(
    effects: dict[str, str],
    rule: str,
    undated: str,
    unknown: str,
    facts: dict[str, Any],
    first_seen: datetime | None,
) -> None:
    file = msgspec.structs.replace(wheel("flask", "1.0"), **facts)
    text = with_rules({**effects, rule: "off"}, undated, unknown=unknown)
    before = make_policy(text).decide_artifact(file, first_seen, NOW)
    for effect in ("deny", "hide", "hold", "observe"):
        policy = make_policy(with_rules({**effects, rule: effect}, undated, unknown=unknown))
        after = policy.decide_artifact(file, first_seen, NOW)
        assert before.allowed or not after.allowed
        assert [o for o in after.objections if o.rule != rule] == list(before.objections)


@settings(max_examples=60, deadline=None)
@given(FILE_RULES, UNDATED_WORDS, FACTS, FIRST_SEEN, st.integers(0, 8), st.integers(0, 8))
def test_waiting_longer_never_lets_more_through(
    effects: dict[str, str],
    undated: str,
    facts: dict[str, Any],
    first_seen: datetime | None,
    days: int,
    more: int,
) -> None:
    assume(effects["late-file"] in {"observe", "off"})  # a release that is old only for the shorter wait
    file = msgspec.structs.replace(wheel("flask", "1.0"), **facts)
    short = make_policy(with_rules(effects, undated, days)).decide_artifact(file, first_seen, NOW)
    long = make_policy(with_rules(effects, undated, days + more)).decide_artifact(file, first_seen, NOW)
    assert short.allowed or not long.allowed


@settings(max_examples=60, deadline=None)
@given(FILE_RULES, UNDATED_WORDS, FACTS, FIRST_SEEN)
def test_a_hold_with_an_end_is_over_at_that_moment_and_not_before(
    effects: dict[str, str], undated: str, facts: dict[str, Any], first_seen: datetime | None
) -> None:
    first_seen = first_seen or NOW
    file = msgspec.structs.replace(wheel("flask", "1.0"), **facts)
    policy = make_policy(with_rules({**effects, "freeze": "off"}, undated))
    for objection in policy.decide_artifact(file, first_seen, NOW).objections:
        if objection.until is None:
            continue
        for moment, stands in ((objection.until - timedelta(microseconds=1), True), (objection.until, False)):
            said = [o.rule for o in policy.decide_artifact(file, first_seen, moment).objections]
            assert (objection.rule in said) is stands


@settings(max_examples=40, deadline=None)
@given(FACTS, FIRST_SEEN)
def test_what_nobody_knows_is_an_objection_unless_the_setting_says_otherwise(
    facts: dict[str, Any], first_seen: datetime | None
) -> None:
    file = msgspec.structs.replace(wheel("flask", "1.0"), **{**facts, "published": None, "undated": False})
    fresh = NOW if first_seen is None else first_seen
    decision = make_policy().decide_artifact(file, first_seen, NOW)
    assert ("age" in {o.rule for o in decision.objections}) is (fresh > NOW - timedelta(days=3))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["deny", "hide", "hold", "observe"]), FACTS)
def test_an_unknown_publisher_or_attestation_is_an_objection_unless_the_setting_says_otherwise(
    effect: str, facts: dict[str, Any]
) -> None:
    told = {"published": OLD, "released": OLD, "undated": False, "install_script": False}
    nobody = {"publisher": "", "handover": "", "attestation": "", "provenance": "https://index.example/p"}
    file = msgspec.structs.replace(wheel("flask", "1.0"), **{**facts, **told, **nobody})
    rules = {"publisher": effect, "unattested": effect, "attestation": effect}
    for unknown, expected in (("hold", {"publisher", "attestation"}), ("pass", {"attestation"})):
        decision = make_policy(with_rules(rules, unknown=unknown)).decide_artifact(file, None, NOW)
        assert {o.rule for o in decision.objections} == expected
        assert decision.allowed is (effect == "observe")


EXEMPTIONS = st.lists(
    st.builds(
        lambda rule, versions, until: row("exempt", "flask", versions, rule=rule, until=until),
        st.sampled_from(RULES_ABOUT_FILES),
        RANGES,
        UNTIL,
    ),
    max_size=2,
)


@settings(max_examples=120, deadline=None)
@given(MODES, ROWS, EXEMPTIONS, FILE_RULES, UNDATED_WORDS, UNKNOWN_WORDS, FACTS, FIRST_SEEN, VERSIONS)
def test_of_many_files_nobody_refuses_one_that_is_no_suspect(
    mode: str,
    rows: list[PolicyEntry],
    exemptions: list[PolicyEntry],
    effects: dict[str, str],
    undated: str,
    unknown: str,
    facts: dict[str, Any],
    first_seen: datetime | None,
    version: str,
) -> None:
    text = with_rules(effects, undated, unknown=unknown).replace("guarded", mode, 1)
    rules = make_policy(text, [*rows, *exemptions]).artifact_rules(project("flask"))
    file = msgspec.structs.replace(wheel("flask", version), **facts)
    suspects = rules.suspects([wheel("flask", "9"), file], NOW)
    refused = not rules.decide(file, first_seen, NOW).allowed
    assert not refused or not rules.decide_name(NOW).allowed or file.filename in suspects
