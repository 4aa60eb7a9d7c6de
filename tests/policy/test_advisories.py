"""What advisories refuse, and what they leave alone."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from registry.ecosystems import ECOSYSTEMS
from registry.model.advisories import Advisory, Severity, Span
from registry.model.decisions import Effect
from registry.model.names import Project
from registry.policy.advisories import Versions
from tests.policy.worlds import GUARDED, NOW, make_policy, project, row, wheel


@dataclass
class Known:
    told: Mapping[str, tuple[Advisory, ...]]
    generation: int = 1

    def about(self, project: Project) -> tuple[Advisory, ...]:
        return self.told.get(project.name, ())


def advisory(
    *versions: str, spans: tuple[Span, ...] = (), malware: bool = True, severity: Severity = "unknown"
) -> Advisory:
    return Advisory(
        id="MAL-2025-1",
        malware=malware,
        severity=severity,
        summary="steals keys",
        versions=versions,
        spans=spans,
    )


def test_malware_is_refused_by_name_before_anything_is_fetched() -> None:
    policy = make_policy(advisories=Known({"evil": (advisory(spans=(Span(),)),)}))
    refused = policy.decide_project(project("evil"), NOW)
    assert refused.leading is not None
    assert refused.leading.reason == "'evil' is known malware (MAL-2025-1): steals keys"
    file = policy.decide_artifact(wheel("evil", "1.0"), None, NOW)
    assert [o.rule for o in file.objections] == ["malware"]
    assert policy.decide_project(project("good"), NOW).allowed


def test_an_advisory_that_names_no_version_means_all() -> None:
    policy = make_policy(advisories=Known({"evil": (advisory(),)}))
    assert not policy.decide_project(project("evil"), NOW).allowed


def test_a_hijacked_version_is_refused_alone() -> None:
    policy = make_policy(advisories=Known({"chalk": (advisory("5.6.1"),)}))
    assert policy.decide_project(project("chalk"), NOW).allowed
    verdicts = {
        v: policy.decide_artifact(wheel("chalk", v), None, NOW).allowed for v in ("5.6.0", "5.6.1", "5.6.2")
    }
    assert verdicts == {"5.6.0": True, "5.6.1": False, "5.6.2": True}


def test_of_a_popular_name_listed_versions_are_meant_though_the_range_is_endless() -> None:
    told = (advisory("1.5", spans=(Span(),)),)
    policy = make_policy(advisories=Known({"requests": told, "flask": told}))
    assert policy.decide_project(project("requests"), NOW).allowed
    assert not policy.decide_artifact(wheel("requests", "1.5"), None, NOW).allowed
    assert policy.decide_artifact(wheel("requests", "1.6"), None, NOW).allowed
    assert not policy.decide_project(project("flask"), NOW).allowed


def test_our_own_names_are_never_meant() -> None:
    policy = make_policy(GUARDED, [row("claim", "evil")], advisories=Known({"evil": (advisory(),)}))
    assert policy.decide_project(project("evil"), NOW).allowed


def test_vulnerabilities_do_what_is_set_for_their_severity() -> None:
    told = {"flask": (advisory(spans=(Span(fixed="2.0"),), malware=False, severity="high"),)}
    old = wheel("flask", "1.9")
    observed = make_policy(advisories=Known(told)).decide_artifact(old, None, NOW)
    assert observed.allowed
    assert [(o.rule, o.effect) for o in observed.objections] == [("vulnerability", Effect.OBSERVE)]
    strict = make_policy(GUARDED + '[vulnerabilities]\nhigh = "deny"\n', advisories=Known(told))
    refused = strict.decide_artifact(old, None, NOW).leading
    assert refused is not None
    assert refused.reason == (
        "'flask' 1.9 is known to be vulnerable, severity high (MAL-2025-1): steals keys"
    )
    assert strict.decide_artifact(wheel("flask", "2.0"), None, NOW).objections == ()
    assert strict.decide_project(project("flask"), NOW).allowed
    off = make_policy(GUARDED + '[vulnerabilities]\nhigh = "off"\n', advisories=Known(told))
    assert off.decide_artifact(old, None, NOW).objections == ()


def test_malware_can_be_exempted_for_a_while() -> None:
    exemption = row("exempt", "evil", rule="malware", until=NOW + timedelta(days=1))
    policy = make_policy(GUARDED, [exemption], advisories=Known({"evil": (advisory(),)}))
    assert policy.decide_project(project("evil"), NOW).allowed


def test_new_advisories_are_a_new_revision() -> None:
    assert make_policy(advisories=Known({})).revision != make_policy(advisories=Known({}, 2)).revision


@pytest.mark.parametrize(
    ("ecosystem", "span", "inside", "outside"),
    [
        (
            "pypi",
            Span(introduced="1.0", fixed="2.0"),
            ["1.0", "1.9", "2.0rc1", "1.0.post1"],
            ["0.9", "1.0rc1", "2.0", "2"],
        ),
        ("pypi", Span(last="1.10"), ["1.9", "1.10", "1.10.0", "0.1.dev1"], ["1.10.1", "1.10.post1"]),
        ("npm", Span(introduced="1.0.0", fixed="2.0.0"), ["1.0.0", "2.0.0-beta.1"], ["1.0.0-rc.1", "2.0.0"]),
        (
            "npm",
            Span(introduced="1.0.0-rc.2", last="1.0.0"),
            ["1.0.0-rc.10", "1.0.0"],
            ["1.0.0-rc.1", "1.0.1"],
        ),
        ("npm", Span(), ["0.0.1", "99.0.0"], []),
    ],
)
def test_ranges_follow_each_ecosystems_own_order(
    ecosystem: str, span: Span, inside: list[str], outside: list[str]
) -> None:
    versions = Versions(advisory(spans=(span,)), ECOSYSTEMS[ecosystem].version_key, listed_only=False)
    versions = pickle.loads(pickle.dumps(versions))
    assert [v for v in (*inside, *outside) if versions.hold(v)] == inside


def test_a_version_with_no_place_in_the_order_is_meant() -> None:
    versions = Versions(advisory("1.0.0"), ECOSYSTEMS["npm"].version_key, listed_only=False)
    assert versions.hold("what?")


NPM = st.builds(
    lambda release, pre: ".".join(map(str, release)) + (f"-{'.'.join(pre)}" if pre else ""),
    st.tuples(*[st.integers(0, 3)] * 3),
    st.lists(st.sampled_from(["0", "1", "10", "alpha", "beta", "rc1"]), max_size=3),
)


@given(NPM, NPM)
def test_npm_versions_are_ordered_as_npm_orders_them(one: str, other: str) -> None:
    import nodesemver

    key = ECOSYSTEMS["npm"].version_key
    assert (key(one) > key(other)) - (key(one) < key(other)) == nodesemver.compare(one, other, False)


def test_python_versions_are_ordered_by_pep_440() -> None:
    key = ECOSYSTEMS["pypi"].version_key
    assert key("1.0") == key("1.0.0") == Version("1")
    assert key("what?") is None
