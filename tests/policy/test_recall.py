"""Recall: stronger than everything else that policy says."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.model.accounts import PolicyEntry
from registry.model.artifacts import Artifact
from registry.model.decisions import Decision
from registry.policy.loader import parse_policy
from tests.policy.worlds import GUARDED, KNOWN

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def decided(ecosystem: str, version: str, *rows: PolicyEntry, text: str = GUARDED) -> Decision:
    policy = parse_policy(text, rows, ECOSYSTEMS, KNOWN, {})
    project = ECOSYSTEMS[ecosystem].parse_name("demo")
    rules = pickle.loads(pickle.dumps(policy.artifact_rules(project)))
    artifact = Artifact(project=project, version=version, filename="demo", published=LONG_AGO)
    found: Decision = rules.decide(artifact, LONG_AGO, NOW)
    return found


def row(ecosystem: str, versions: str = "", kind: str = "recall", **more: str) -> PolicyEntry:
    facts = {"ecosystem": ecosystem, "kind": kind, "pattern": "demo", "versions": versions, **more}
    return PolicyEntry(**facts, reason="steals", author="ada", created=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ecosystem", "versions", "recalled", "passing"),
    [
        ("pypi", "==1.1", ["1.1", "1.1+local"], ["1.0", "1.1.1"]),
        ("pypi", "<2", ["1.1", "1.0"], ["2.0"]),
        ("npm", "3.3.6", ["3.3.6"], ["3.3.5", "3.3.60"]),
        ("npm", "^3", ["3.3.6"], ["4.0.0"]),
        ("pypi", "", ["1.0", "2.0"], []),
    ],
)
def test_what_a_recall_is_about_is_refused_and_nothing_else(
    ecosystem: str, versions: str, recalled: list[str], passing: list[str]
) -> None:
    for version in recalled:
        assert not decided(ecosystem, version, row(ecosystem, versions)).allowed
    for version in passing:
        assert decided(ecosystem, version, row(ecosystem, versions)).allowed


def test_nothing_weakens_a_recall() -> None:
    observing = GUARDED.replace('"guarded"', '"observe"')
    off = GUARDED + '\n[rules]\ndenylist = "off"\n' if "[rules]" not in GUARDED else GUARDED
    for text in (GUARDED, observing, off):
        found = decided("pypi", "1.1", row("pypi", "==1.1"), row("pypi", kind="allow"), text=text)
        assert not found.allowed
        assert found.leading is not None
        assert (found.leading.rule, found.leading.remedy) == ("recall", "registry recall lift 0 --reason ...")


def test_observing_still_lets_other_objections_pass() -> None:
    observing = GUARDED.replace('"guarded"', '"observe"')
    assert decided("pypi", "1.0", row("pypi", kind="deny"), text=observing).allowed


def test_a_version_that_is_none_is_recalled_with_any_range() -> None:
    assert not decided("npm", "not a version", row("npm", "3.3.6")).allowed
