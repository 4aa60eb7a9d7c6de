"""Audits: which advisories meet the packages of a client's tree (npm's bulk endpoint).

The question names every package of a project, private ones included, so it is taken apart before anything
leaves: names of ours stay here, and so does every name that policy refuses. An upstream that can't say is an
error, never an empty answer: npm would print "found 0 vulnerabilities".
"""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec

from registry.errors import Malformed, NotFound, RegistryError, Unavailable
from registry.model.ecosystem import Ecosystem
from registry.model.names import Project
from registry.model.ports import Clock, Services
from registry.pipeline.inforce import PolicyInForce

BULK = "-/npm/v1/security/advisories/bulk"
ABSENT_FOR = 3600.0
"""Seconds for which an upstream that has no such endpoint isn't asked again."""
MAX_NAMES = 50_000
"""Packages of one audit; the largest monorepos install a fifth of that."""

Tree = dict[str, list[str]]
"""Package name → versions, as npm's bulk endpoint takes it."""

journal = logging.getLogger("registry.auditing")


class Advisories(Protocol):
    """Where advisories come from: today an upstream, later what an operator imported."""

    async def about(self, tree: Tree) -> bytes:
        """The advisories that meet the tree, as the bulk endpoint answers. Raises Unavailable with the reason
        when nobody can say."""


class UpstreamAdvisories:
    """Asks the upstream, and remembers when it has no such endpoint."""

    def __init__(self, services: Services, clock: Clock) -> None:
        self._services = services
        self._clock = clock
        self._absent: float | None = None

    async def about(self, tree: Tree) -> bytes:
        """The upstream's answer, checked to be one."""
        if self._absent is not None and self._clock.monotonic() - self._absent < ABSENT_FOR:
            raise self._none()
        try:
            status, body = await self._services.post(BULK, msgspec.json.encode(tree))
        except RegistryError as error:
            raise Unavailable(f"Nothing was audited: {error}") from error
        if status in {404, 405, 410, 501}:
            self._absent = self._clock.monotonic()
            raise self._none()
        if status != 200 or not _is_object(body):
            journal.warning("the upstream's audit is unusable", extra={"status": status})
            raise Unavailable(f"Nothing was audited: {self._services.name} answered {status}.")
        return body

    def _none(self) -> Unavailable:
        return Unavailable(
            f"Nothing was audited: {self._services.name} offers no audit; name another upstream, or set "
            "audit = 'off' under [npm] in registry.toml.",
            int(ABSENT_FOR),
        )


class Auditing:
    """The audit door."""

    def __init__(
        self,
        *,
        ecosystem: Ecosystem,
        policy: PolicyInForce,
        advisories: Advisories | None,
        clock: Clock,
    ) -> None:
        """Without `advisories`, audits are switched off."""
        self._ecosystem = ecosystem
        self._policy = policy
        self._advisories = advisories
        self._clock = clock

    async def audit(self, kind: str, body: bytes) -> bytes:
        """Answer an audit of the kind `bulk`. Raises Malformed, NotFound where audits are off (or of a kind
        that clients no longer use), Unavailable when it failed."""
        if kind != "bulk":
            raise NotFound("This kind of audit isn't offered any more: npm 7 and later ask for another.")
        if self._advisories is None:
            raise NotFound("Audits are off at this appliance: audit = 'off' under [npm] in registry.toml.")
        tree = self._ours_left_out(_read(body))
        return await self._advisories.about(tree) if tree else b"{}"

    def _ours_left_out(self, tree: Tree) -> Tree:
        return {name: versions for name, versions in tree.items() if self._may_leave(name)}

    def _may_leave(self, name: str) -> bool:
        project = self._parsed(name)
        if project is None:
            return False
        policy = self._policy.current
        return not policy.ours(project) and policy.decide_project(project, self._clock.now()).allowed

    def _parsed(self, name: str) -> Project | None:
        try:
            return self._ecosystem.parse_name(name)
        except Malformed:
            return None


def _read(body: bytes) -> Tree:
    try:
        tree = msgspec.json.decode(body, type=Tree)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Malformed("An audit is a JSON object: package name to a list of versions.") from None
    if len(tree) > MAX_NAMES:
        raise Malformed(f"An audit names at most {MAX_NAMES} packages.")
    return tree


def _is_object(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
