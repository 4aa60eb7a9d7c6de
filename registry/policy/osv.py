"""OSV documents (the Open Source Vulnerability format, schema 1.x) → advisories.

Only what decides is read. What is no OSV document raises Malformed; packages of other ecosystems, and names
that their ecosystem doesn't know, are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from registry.errors import Malformed
from registry.model.advisories import Affected, Record, Severity, Span
from registry.model.ecosystem import Ecosystem
from registry.policy.entries import plain

ECOSYSTEM_NAMES: Mapping[str, str] = {"PyPI": "pypi", "npm": "npm"}
"""As OSV spells them → as we do."""
MALICIOUS_CODE = "CWE-506"
"""Embedded malicious code: what the GitHub database marks malware with."""

_WORDS: Mapping[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
}
_FROM_SCORE: tuple[tuple[float, Severity], ...] = (
    (9.0, "critical"),
    (7.0, "high"),
    (4.0, "medium"),
    (0.1, "low"),
)
_CVSS: Mapping[str, Callable[[str], Any]] = {"2": CVSS2, "3": CVSS3, "4": CVSS4}


class _Package(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct):
    type: str = ""
    events: list[dict[str, str]] = []


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[dict[str, Any]] | None = None


class _Document(msgspec.Struct):
    id: str
    modified: datetime
    withdrawn: datetime | None = None
    aliases: list[str] | None = None
    summary: str = ""
    details: str = ""
    severity: list[dict[str, Any]] | None = None
    affected: list[_Affected] | None = None
    database_specific: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Document)


def read_osv(text: bytes, ecosystems: Mapping[str, Ecosystem]) -> Record:
    """One document. Raises Malformed."""
    try:
        document = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(f"This is no OSV document: {error}.") from None
    specific = document.database_specific or {}
    weaknesses = specific.get("cwe_ids")
    identifiers = [document.id, *(document.aliases or [])]
    return Record(
        id=plain(document.id)[:100],
        modified=document.modified if document.modified.tzinfo else document.modified.replace(tzinfo=UTC),
        malware=any(each.startswith("MAL-") for each in identifiers)
        or (isinstance(weaknesses, list) and MALICIOUS_CODE in weaknesses),
        severity=_severity(document, specific),
        summary=plain(document.summary or document.details.partition("\n")[0])[:120],
        withdrawn=document.withdrawn is not None,
        affected=tuple(_affected(document, ecosystems)),
    )


def _affected(document: _Document, ecosystems: Mapping[str, Ecosystem]) -> Iterator[Affected]:
    for each in document.affected or []:
        ecosystem = ecosystems.get(ECOSYSTEM_NAMES.get(each.package.ecosystem, "")) if each.package else None
        if ecosystem is None or each.package is None:
            continue
        try:
            name = ecosystem.parse_name(each.package.name).name
        except Malformed:
            continue
        ranges = [found for found in each.ranges or [] if found.type in {"ECOSYSTEM", "SEMVER"}]
        spans = [span for found in ranges for span in _spans(found.events)]
        yield Affected(
            ecosystem=ecosystem.name, project=name, versions=tuple(each.versions or ()), spans=tuple(spans)
        )


def _spans(events: list[dict[str, str]]) -> Iterator[Span]:
    """Events in order: each `introduced` opens a span, which the next `fixed` or `last_affected` closes."""
    opened: str | None = None
    for event in events:
        if "introduced" in event:
            if opened is not None:
                yield Span(introduced=opened)
            opened = event["introduced"]
        elif "fixed" in event and opened is not None:
            yield Span(introduced=opened, fixed=event["fixed"])
            opened = None
        elif "last_affected" in event and opened is not None:
            yield Span(introduced=opened, last=event["last_affected"])
            opened = None
    if opened is not None:
        yield Span(introduced=opened)


def _severity(document: _Document, specific: Mapping[str, Any]) -> Severity:
    """The database's own word, else that of the highest CVSS score."""
    word = specific.get("severity")
    if isinstance(word, str) and word.lower() in _WORDS:
        return _WORDS[word.lower()]
    told = [
        *(document.severity or []),
        *(one for each in document.affected or [] for one in each.severity or []),
    ]
    scores = [base_score(str(one.get("score", ""))) for one in told]
    highest = max((score for score in scores if score is not None), default=None)
    if highest is None:
        return "unknown"
    return next((severity for least, severity in _FROM_SCORE if highest >= least), "low")


def base_score(vector: str) -> float | None:
    """The base score of a CVSS vector, version 2 to 4; None for any other text."""
    version = vector.partition(":")[2][:1] if vector.startswith("CVSS:") else "2"
    try:
        return float(_CVSS[version](vector).scores()[0])
    except (KeyError, CVSSError, ArithmeticError):
        return None
