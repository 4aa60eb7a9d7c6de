"""Who answers an audit: the upstream, or the advisories that were imported here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from registry.errors import Malformed, RegistryError, Unavailable
from registry.model.advisories import Advisory, Span
from registry.model.ecosystem import Ecosystem
from registry.model.ports import Advisories, Clock, Services
from registry.policy.advisories import Versions

BULK = "-/npm/v1/security/advisories/bulk"
ABSENT_FOR = 3600.0
"""Seconds for which an upstream that has no such endpoint isn't asked again."""
AT_ONCE = 50
"""Packages that are looked up before others get their turn."""

Tree = dict[str, list[str]]
"""Package name → versions, as npm's bulk endpoint takes it."""

_NO_SERVICE = frozenset({404, 405, 410, 501})
_SEVERITIES = {"medium": "moderate", "unknown": "moderate"}
"""npm's own words, where they aren't ours; an unknown severity is no reason to look away."""

journal = logging.getLogger("registry.auditing")


class Answers(Protocol):
    """Whoever knows advisories."""

    async def about(self, tree: Tree, public: Tree) -> bytes:
        """The advisories that meet the tree, as npm's bulk endpoint answers; `public` is what of it may leave
        this house. Raises Unavailable with the reason when nobody can say: an empty answer means that
        somebody looked."""


class UpstreamAnswers:
    """Asks the upstream, and remembers when it has no such endpoint."""

    def __init__(self, services: Services, clock: Clock) -> None:
        self._services = services
        self._clock = clock
        self._absent: float | None = None

    async def about(self, tree: Tree, public: Tree) -> bytes:
        """The upstream's answer about what is public, checked to be one."""
        del tree
        if not public:
            return b"{}"
        if self._absent is not None and self._clock.monotonic() - self._absent < ABSENT_FOR:
            raise self._none()
        try:
            status, body = await self._services.post(BULK, msgspec.json.encode(public))
        except RegistryError as error:
            raise Unavailable(f"Nothing was audited: {error}") from error
        if status in _NO_SERVICE:
            self._absent = self._clock.monotonic()
            raise self._none()
        if status != 200 or not _is_answer(body):
            journal.warning("the upstream's audit is unusable", extra={"status": status})
            raise Unavailable(f"Nothing was audited: {self._services.name} answered {status}.")
        return body

    def _none(self) -> Unavailable:
        return Unavailable(
            f"Nothing was audited: {self._services.name} offers no audit; import advisories and set audit = "
            "'local' under [npm] in registry.toml, or name another upstream.",
            int(ABSENT_FOR),
        )


class ImportedAnswers:
    """Answers from the advisories that an operator imported."""

    def __init__(self, ecosystem: Ecosystem, advisories: Advisories) -> None:
        self._ecosystem = ecosystem
        self._advisories = advisories

    async def about(self, tree: Tree, public: Tree) -> bytes:
        """What the imported advisories say of the tree's versions, our own packages included."""
        del public
        if self._advisories.standing().imported is None:
            raise Unavailable(
                "Nothing was audited: no advisories were imported yet; `registry advisories import` does."
            )
        found: dict[str, list[dict[str, Any]]] = {}
        for number, (name, versions) in enumerate(tree.items()):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            met = [told for each in self._about(name) if (told := self._told(each, versions)) is not None]
            if met:
                found[name] = met
        return msgspec.json.encode(found)

    def _about(self, name: str) -> tuple[Advisory, ...]:
        try:
            return self._advisories.about(self._ecosystem.parse_name(name))
        except Malformed:
            return ()

    def _told(self, advisory: Advisory, versions: list[str]) -> dict[str, Any] | None:
        meant = Versions(advisory, self._ecosystem.version_key, listed_only=False)
        if not any(meant.hold(version) for version in versions):
            return None
        severity = "critical" if advisory.malware else advisory.severity
        return {
            "id": advisory.id,
            "url": f"urn:advisory:{advisory.id}",
            "title": advisory.summary or advisory.id,
            "severity": _SEVERITIES.get(severity, severity),
            "vulnerable_versions": "*" if meant.everything else _range(advisory),
            "cwe": [],
            "cvss": {"score": 0, "vectorString": None},
        }


class FirstThatCan:
    """The upstream; while the appliance is offline, what was imported."""

    def __init__(self, upstream: Answers, imported: Answers, offline: Callable[[], bool]) -> None:
        self._upstream = upstream
        self._imported = imported
        self._offline = offline

    async def about(self, tree: Tree, public: Tree) -> bytes:
        """The answer of whoever is to be asked now."""
        return await (self._imported if self._offline() else self._upstream).about(tree, public)


def _range(advisory: Advisory) -> str:
    """An npm range of what an advisory means."""
    return " || ".join([*map(_span, advisory.spans), *advisory.versions])


def _span(span: Span) -> str:
    parts = [f">={span.introduced}" if span.introduced != "0" else ">=0.0.0-0"]
    if span.fixed is not None:
        parts.append(f"<{span.fixed}")
    if span.last is not None:
        parts.append(f"<={span.last}")
    return " ".join(parts)


def _is_answer(body: bytes) -> bool:
    """Whether this is package name → advisories; an error in an object's clothes isn't."""
    try:
        msgspec.json.decode(body, type=dict[str, list[dict[str, msgspec.Raw]]])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
