"""npm 6's audits: trees in both forms, and the report around an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.npm.names import parse_range
from registry.errors import Malformed
from registry.pipeline.audit_trees import SEVERITIES, read_tree, report


def read(tree: Any) -> Any:
    return read_tree(json.dumps(tree).encode())


def test_a_nested_tree_and_a_flat_one_tell_the_same() -> None:
    nested = {"dependencies": {
        "a": {"version": "1.0.0", "dependencies": {"@s/b": {"version": "2.0.0"}}},
        "@s/b": {"version": "1.0.0"},
    }}  # fmt: skip
    flat = {"packages": {
        "": {"name": "site", "version": "1.0.0"},
        "packages/core": {"version": "1.0.0"},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/a/node_modules/@s/b": {"version": "2.0.0"},
        "node_modules/@s/b": {"version": "1.0.0"},
    }}  # fmt: skip
    assert read(nested) == read(flat) == {
        "a": {"1.0.0": ["a"]}, "@s/b": {"1.0.0": ["@s/b"], "2.0.0": ["a>@s/b"]}
    }  # fmt: skip
    assert read(nested | flat) == read(flat), "a lock file with both counts everything once"


def test_an_alias_counts_by_its_own_name_and_addresses_dont_count() -> None:
    tree = {
        "dependencies": {
            "mine": {"version": "npm:@s/theirs@1.0.0"},
            "git": {"version": "git+ssh://0123"},
            "folder": {"version": "file:x"},
            "odd": {"version": 7},
            "none": [],
        },
        "packages": {"node_modules/other": {"name": "renamed", "version": "1.0.0"}},
    }
    assert read(tree) == {"@s/theirs": {"1.0.0": ["mine"]}, "renamed": {"1.0.0": ["other"]}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b'{"dependencies"',
        b"[" * 100_000,
        b'{"requires": {"a": "1.0.0"}, "dependencies": {}}',
    ],
)
def test_what_is_no_tree_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_tree(body)


def test_a_project_that_needs_nothing_has_no_vulnerabilities() -> None:
    assert read({"name": "site", "requires": {}, "dependencies": {}}) == {}


def test_an_advisory_whose_range_nobody_can_read_means_every_version() -> None:
    answer = json.dumps({"a": [{"id": 1, "severity": "odd", "vulnerable_versions": "!?"}]}).encode()
    told = json.loads(report(read({"dependencies": {"a": {"version": "1.0.0"}}}), answer, parse_range))
    assert told["advisories"]["1"]["findings"] == [{"version": "1.0.0", "paths": ["a"]}]
    assert told["metadata"]["vulnerabilities"]["high"] == 1, "an unknown severity is no reason to look away"


SEEN = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.sampled_from(["1.0.0", "2.0.0"]), min_size=1, unique=True)
)


@given(SEEN, st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(SEVERITIES)), max_size=5))
def test_every_finding_is_counted_once_and_has_an_action(
    installed: dict[str, list[str]], told: list[tuple[str, str]]
) -> None:
    places = {name: {version: [name] for version in versions} for name, versions in installed.items()}
    answer: dict[str, list[dict[str, Any]]] = {}
    for number, (name, severity) in enumerate(told):
        one = {"id": number, "severity": severity, "vulnerable_versions": "<2"}
        answer.setdefault(name, []).append(one)
    said = json.loads(report(places, json.dumps(answer).encode(), parse_range))
    expected = sum("1.0.0" in installed.get(name, ()) for name, _ in told)
    assert sum(said["metadata"]["vulnerabilities"].values()) == expected
    assert len(said["actions"]) == len(said["advisories"]) == expected
