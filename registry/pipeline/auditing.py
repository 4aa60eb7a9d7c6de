"""Audits: which advisories meet the packages of a client's tree (npm's bulk endpoint, and the older ones).

The question names every package of a project, private ones included, so it is taken apart before anything
leaves: names of ours stay here, and so does every name that policy refuses. An upstream that can't say is an
error, never an empty answer: npm would print "found 0 vulnerabilities".
"""

from __future__ import annotations

import asyncio

import msgspec

from registry.errors import Malformed, NotFound
from registry.model.ecosystem import Ecosystem
from registry.model.names import Project
from registry.model.ports import Clock
from registry.pipeline.audit_answers import Answers, Tree
from registry.pipeline.audit_trees import read_tree, report
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
        """Answer an audit of the kind `bulk` (names and versions) or `tree` (npm 6).

        Raises Malformed, NotFound where audits are off, Unavailable when it failed.
        """
        if self._answers is None:
            raise NotFound("Audits are off at this appliance: audit = 'off' under [npm] in registry.toml.")
        if kind == "bulk":
            return await self._about(_read(body), self._answers)
        places = await asyncio.to_thread(read_tree, body)
        answer = await self._about({name: list(versions) for name, versions in places.items()}, self._answers)
        return await asyncio.to_thread(report, places, answer, self._ecosystem.parse_range)

    async def _about(self, tree: Tree, answers: Answers) -> bytes:
        if len(tree) > MAX_NAMES:
            raise Malformed(f"An audit names at most {MAX_NAMES} packages.")
        public = {name: versions for name, versions in tree.items() if self._may_leave(name)}
        return await answers.about(tree, public)

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
        return msgspec.json.decode(body, type=Tree)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Malformed("An audit is a JSON object: package name to a list of versions.") from None
