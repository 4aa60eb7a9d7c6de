"""OSV documents as the databases write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.errors import Malformed
from registry.model.advisories import Affected, Record, Span
from registry.policy.osv import base_score, read_osv


def read(**fields: Any) -> Record:
    document = {"id": "MAL-2025-1", "modified": "2025-09-08T13:00:00Z", **fields}
    return read_osv(json.dumps(document).encode(), ECOSYSTEMS)


def about(name: str, ecosystem: str = "PyPI", **fields: Any) -> dict[str, Any]:
    return {"package": {"ecosystem": ecosystem, "name": name}, **fields}


def test_a_malicious_package_is_malware_in_all_its_versions() -> None:
    endless = {"type": "SEMVER", "events": [{"introduced": "0"}]}
    record = read(affected=[about("evil", "npm", ranges=[endless])])
    assert (record.malware, record.withdrawn) == (True, False)
    assert record.affected == (Affected(ecosystem="npm", project="evil", spans=(Span(),)),)
    assert record.affected[0].spans[0].endless


def test_names_are_canonical_and_other_ecosystems_are_passed_over() -> None:
    record = read(affected=[about("Foo_Bar"), about("serde", "crates.io"), about("no name!"), {}])
    assert [each.project for each in record.affected] == ["foo-bar"]


def test_events_become_spans_in_their_order() -> None:
    events = [
        {"introduced": "1.0"},
        {"fixed": "1.4"},
        {"introduced": "2.0"},
        {"last_affected": "2.2"},
        {"limit": "9"},
        {"introduced": "3"},
    ]
    ranges = [{"type": "ECOSYSTEM", "events": events}, {"type": "GIT", "events": [{"introduced": "0"}]}]
    (found,) = read(affected=[about("foo", ranges=ranges)]).affected
    assert found.spans == (
        Span(introduced="1.0", fixed="1.4"),
        Span(introduced="2.0", last="2.2"),
        Span(introduced="3"),
    )


@pytest.mark.parametrize(
    ("fields", "malware"),
    [
        ({"id": "GHSA-1"}, False),
        ({"id": "GHSA-1", "aliases": ["MAL-2025-1"]}, True),
        ({"id": "GHSA-1", "database_specific": {"cwe_ids": ["CWE-506"]}}, True),
        ({"id": "PYSEC-1", "database_specific": {"cwe_ids": ["CWE-79"]}}, False),
    ],
)
def test_what_is_malware(fields: dict[str, Any], malware: bool) -> None:
    assert read(**fields).malware is malware


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"database_specific": {"severity": "MODERATE"}}, "medium"),
        (
            {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]},
            "critical",
        ),
        ({"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}]}, "unknown"),
        (
            {
                "severity": [
                    {
                        "type": "CVSS_V4",
                        "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                    }
                ]
            },
            "critical",
        ),
        ({}, "unknown"),
    ],
)
def test_the_severity_is_the_databases_word_or_the_score(fields: dict[str, Any], severity: str) -> None:
    assert read(id="GHSA-1", **fields).severity == severity


@pytest.mark.parametrize(
    ("vector", "score"),
    [  # examples of the specification and well-known advisories
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:N/I:L/A:N", 2.2),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:X", None),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
        ("CVSS:4.0/AV:L/AC:H/AT:P/PR:H/UI:A/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
        ("CVSS:9.9/AV:N", None),
    ],
)
def test_scores_are_those_of_the_cvss_specification(vector: str, score: float | None) -> None:
    assert base_score(vector) == score


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"id": 3}', b'{"id": "X", "modified": "soon"}'])
def test_what_is_no_osv_document_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        read_osv(text, ECOSYSTEMS)


def test_a_withdrawn_document_says_so() -> None:
    assert read(withdrawn="2025-10-01T00:00:00Z").withdrawn
