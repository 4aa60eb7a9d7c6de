"""May it pass? The one question behind every door: about a name, then about a file, and a no is noted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from registry.errors import Refused
from registry.model.artifacts import Artifact, Holding
from registry.model.decisions import Decision, Refusal, refuse
from registry.model.events import Client
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock, Refusals
from registry.pipeline import settling
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.orders import Rules
from registry.pipeline.vouching import Vouching


class Admission:
    """Decides about what is asked for, each time it is."""

    def __init__(
        self,
        *,
        policy: PolicyInForce,
        catalogue: Catalogue,
        refusals: Refusals,
        vouching: Vouching,
        learned: Callable[[Project], Awaitable[None]],
        clock: Clock,
        secret: bytes,
    ) -> None:
        """`learned` hears of a project whose index can tell more; `secret` makes the ids of refusals."""
        self._policy = policy
        self._catalogue = catalogue
        self._refusals = refusals
        self._vouching = vouching
        self._learned = learned
        self._clock = clock
        self._secret = secret

    async def objected(self, project: Project, root: str, client: Client) -> Refusal | None:
        """Decide the name: the refusal that stands against it, or None. What is objected to is noted."""
        decision = self._policy.current.decide_project(project, self._clock.now())
        if not decision.objections:
            return None
        noted = await self._note(decision, root, client)
        return None if decision.allowed else noted

    async def admit(self, project: Project, root: str, client: Client) -> None:
        """Let a name pass. Raises Refused."""
        refusal = await self.objected(project, root, client)
        if refusal is not None:
            raise Refused(refusal)

    async def admit_file(self, holding: Holding, root: str, client: Client) -> str:
        """Decide the facts of a file; gives the revision of the policy that did. Raises Refused."""
        policy, now = self._policy.current, self._clock.now()
        decision = await self._decided(holding)
        if not decision.allowed:
            raise Refused(await self._note(decision, root, client))
        if decision.objections != policy.decide_project(holding.artifact.project, now).objections:
            await self._note(decision, root, client)  # what is only observed is recorded all the same
        return policy.revision

    def settled(self, rules: Rules, holding: Holding, artifact: Artifact, now: datetime) -> Decision:
        """What is said about a file by what is here."""
        status = self._catalogue.status(artifact.project) if holding.origin == "private" else None
        return settling.settled(rules.decide(artifact, holding.first_seen, now), holding, status)

    async def _decided(self, holding: Holding) -> Decision:
        """Decide about a file: by what is here, and only then by what somebody must look at first."""
        rules, now = self._policy.current.artifact_rules(holding.artifact.project), self._clock.now()
        artifact = holding.artifact
        if rules.looks and artifact.attestation == "unchecked":  # perhaps it can be looked at by now
            artifact = msgspec.structs.replace(artifact, attestation="pending", doubt="")
        decision = self.settled(rules, holding, artifact, now)
        if holding.origin == "private" or not decision.allowed or not rules.looks:
            return decision
        looked = await self._vouching.looked(holding)
        if looked.artifact != holding.artifact:  # its index can tell it from now on
            await self._learned(holding.artifact.project)
        return self.settled(rules, looked, looked.artifact, now)

    async def _note(self, decision: Decision, root: str, client: Client) -> Refusal:
        refusal = refuse(decision, root, self._secret)
        await self._refusals.note(refusal, client, self._clock.now())
        return refusal
