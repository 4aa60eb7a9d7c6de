"""Audits: which advisories meet the packages of a client's tree (npm's bulk endpoint).

The question names every package of a project, private ones included, so it is taken apart before anything
leaves: names of ours stay here, and so does every name that policy refuses. An upstream that can't say is an
error, never an empty answer: npm would print "found 0 vulnerabilities".
"""

from __future__ import annotations

import msgspec

from registry.errors import Malformed, NotFound
from registry.model.ecosystem import Ecosystem
from registry.model.names import Project
from registry.model.ports import Clock
from registry.pipeline.audit_answers import Answers, Tree
from registry.pipeline.inforce import PolicyInForce

MAX_NAMES = 50_000
"""Packages of one audit; the largest monorepos install a fifth of that."""


class Auditing:
    """The audit door."""

    def __init__(
        self,
        *,
        ecosystem: Ecosystem,
        policy: PolicyInForce,
        answers: Answers | None,
        clock: Clock,
    ) -> None:
        """Without `answers`, audits are switched off."""
        self._ecosystem = ecosystem
        self._policy = policy
        self._answers = answers
        self._clock = clock

    async def audit(self, kind: str, body: bytes) -> bytes:
        """Answer an audit of the kind `bulk`. Raises Malformed, NotFound where audits are off (or of a kind
        that clients no longer use), Unavailable when it failed."""
        if kind != "bulk":
            raise NotFound("This kind of audit isn't offered any more: npm 7 and later ask for another.")
        if self._answers is None:
            raise NotFound("Audits are off at this appliance: audit = 'off' under [npm] in registry.toml.")
        tree = _read(body)
        public = {name: versions for name, versions in tree.items() if self._may_leave(name)}
        return await self._answers.about(tree, public)

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
