"""The policy's laws, each for any entries, names and order."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from registry.model.accounts import PolicyEntry
from registry.model.decisions import Decision
from registry.policy.engine import Policy
from tests.policy.worlds import NOW, make_policy, project, pypi, row, wheel

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
