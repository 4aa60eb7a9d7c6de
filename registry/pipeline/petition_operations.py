"""Asking an admin to let something pass, and answering. Asking needs no login; both are logged."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from registry.errors import Conflict, Malformed, NotFound
from registry.model.decisions import Decision, Effect, Objection
from registry.model.events import Client, Event
from registry.model.petitions import Petition, PetitionState
from registry.model.ports import Clock, Petitions, Refusals
from registry.pipeline.decrees import Decree, sound_reason
from registry.pipeline.policy_operations import PolicyOperations
from registry.policy.exemptions import EXEMPTABLE, OF_NAMES

LONGEST_MESSAGE = 500
LONGEST_NAME = 80
DAYS = 30
"""For how long what is granted counts, unless the admin says otherwise."""


class PetitionOperations:
    """Petitions: ask, list, grant, decline."""

    def __init__(
        self, *, petitions: Petitions, refusals: Refusals, policy: PolicyOperations, clock: Clock
    ) -> None:
        self._petitions = petitions
        self._refusals = refusals
        self._policy = policy
        self._clock = clock

    async def ask(self, refusal: str, message: str, name: str, by: Client) -> Petition:
        """Ask for what was refused; gives back the one that waits already, where there is one.

        Raises NotFound, Malformed and TooMany.
        """
        decision = await self._decision(refusal)
        subject = str(decision.subject)
        said, called = _text(message, LONGEST_MESSAGE), _text(name, LONGEST_NAME)
        if not said:
            raise Malformed("Say what you need it for, so that somebody can decide.")
        petition = Petition(
            refusal=refusal,
            subject=subject,
            message=said,
            name=called,
            actor=by.actor,
            address=by.address,
            at=self._clock.now(),
        )
        more = {"name": called, "message": said, "why": refusal}
        event = self._event("policy.request", subject, by, more)
        return await self._petitions.ask(petition, event)

    async def about(self, refusal: str) -> Petition | None:
        """The newest about a refusal."""
        return await self._petitions.about(refusal)

    async def petitions(self, state: PetitionState | None = None) -> tuple[Petition, ...]:
        """The newest first."""
        return await self._petitions.petitions(state)

    async def grant(self, number: int, *, reason: str, days: int | None = None, by: Client) -> Petition:
        """Let pass what was asked for: an exemption from every rule that stands against it, or an entry on
        the allowlist. Raises NotFound, Conflict, Malformed (a rule that has no exemptions)."""
        petition = await self._petitions.petition(number)
        if petition.state != "open":
            return await self._answer(petition, "granted", reason, by)  # raises what says so
        refused = await self._decision(petition.refusal)
        subject = refused.subject
        now = (
            await self._policy.explain(subject.project.ecosystem, subject.project.name, subject.version)
        ).decision
        decrees = [
            self._decree(now, objection, reason, days or DAYS)
            for objection in now.objections
            if objection.effect is not Effect.OBSERVE
        ]
        for decree in dict.fromkeys(decrees):
            with suppress(Conflict):  # an entry says so already
                await self._policy.add(decree, by=by)
        return await self._answer(petition, "granted", reason, by)

    async def decline(self, number: int, *, reason: str, by: Client) -> Petition:
        """Say no. Raises NotFound and Conflict."""
        return await self._answer(await self._petitions.petition(number), "declined", reason, by)

    async def _decision(self, refusal: str) -> Decision:
        found = await self._refusals.explain(refusal)
        if found is None:
            raise NotFound("There is no refusal with this id here; the link may be from another appliance.")
        return found[0]

    def _decree(self, decision: Decision, objection: Objection, reason: str, days: int) -> Decree:
        project, version = decision.subject.project, decision.subject.version
        if objection.rule == "allowlist":
            return Decree(
                kind="allow", ecosystem=project.ecosystem, pattern=project.name, reason=reason, days=days
            )
        if objection.rule not in EXEMPTABLE:
            raise Malformed(
                f"Rule `{objection.rule}` has no exemptions; do what it says, or decline: {objection.remedy}"
            )
        alone = version is not None and objection.rule not in OF_NAMES
        return Decree(
            kind="exempt",
            rule=objection.rule,
            ecosystem=project.ecosystem,
            pattern=project.name,
            versions=version or "" if alone else "",
            reason=reason,
            days=days,
        )

    async def _answer(self, petition: Petition, state: PetitionState, reason: str, by: Client) -> Petition:
        said, now = sound_reason(reason), self._clock.now()
        event = self._event(f"policy.request.{state}", petition.subject, by, {"reason": said})
        return await self._petitions.answer(petition.id, state, said, by.actor, now, event)

    def _event(self, action: str, subject: str, by: Client, more: Mapping[str, str]) -> Event:
        return Event.decreed(
            by,
            self._clock.now(),
            detail={"action": action, "subject": subject, **more},
        )


def _text(text: str, most: int) -> str:
    """One line of printable text. Raises Malformed."""
    line = " ".join(text.split())
    if len(line) > most or not line.isprintable():
        raise Malformed(f"At most {most} printable characters, please.")
    return line
