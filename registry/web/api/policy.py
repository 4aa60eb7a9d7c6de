"""The policy in force, and what operators decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from registry.model.accounts import EntryKind, PolicyEntry
from registry.model.decisions import Decision, Objection
from registry.model.events import Client
from registry.pipeline.decrees import Decree
from registry.pipeline.policy_operations import Allowing, Explanation, Pin, Standing
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import LOCK_FILES, ById, EntryPage, EntryRemoval, ExplainAsk, Nothing, Paged, page


class EntriesAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which policy entries."""

    ecosystem: str | None = None
    kind: EntryKind | None = None


class NewEntry(Decree, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A decision to add to the policy."""


class AllowList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that lock files name, to be allowed in one act."""

    pins: tuple[Pin, ...]
    reason: str
    days: int | None = None
    dry_run: bool = False
    """Only say what would be added."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What policy says about one subject."""

    ecosystem: str
    name: str
    version: str | None
    filename: str | None
    allowed: bool
    mode: str
    revision: str
    objections: tuple[Objection, ...]

    @classmethod
    def of(cls, decision: Decision) -> Verdict:
        """A decision with what follows from it."""
        return cls(
            ecosystem=decision.subject.project.ecosystem,
            name=decision.subject.project.name,
            version=decision.subject.version,
            filename=decision.subject.filename,
            allowed=decision.allowed,
            mode=decision.mode,
            revision=decision.revision,
            objections=decision.objections,
        )


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why a name or a version passes or doesn't."""

    verdict: Verdict
    ours: bool
    """Whether the name is private here and never asked upstream."""
    origin: str | None
    """`public` or `private` once something of it was seen here."""
    files: tuple[Verdict, ...]
    """About each known file of the version that was asked for."""

    @classmethod
    def of(cls, explanation: Explanation) -> Explained:
        """An explanation as it is sent."""
        return cls(
            verdict=Verdict.of(explanation.decision),
            ours=explanation.ours,
            origin=explanation.origin,
            files=tuple(map(Verdict.of, explanation.files)),
        )


class RefusalExplained(msgspec.Struct, frozen=True, kw_only=True):
    """The decision behind a /why/ address; never who asked."""

    id: str
    verdict: Verdict
    first: datetime


class Decreed(msgspec.Struct, frozen=True, kw_only=True):
    """A change of policy, stored and logged."""

    entry: PolicyEntry
    problems: tuple[str, ...]
    """Why it doesn't count yet: what is wrong with the policy file. Empty when it counts."""


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of allowing a list."""

    added: tuple[PolicyEntry, ...]
    known: int
    """Those that an entry allows already, or that are ours."""
    flagged: tuple[Verdict, ...]
    """Names that another rule objects to, which were not added."""
    problems: tuple[str, ...]

    @classmethod
    def of(cls, allowing: Allowing, problems: tuple[str, ...]) -> Allowed:
        """What came of it, as it is sent."""
        return cls(
            added=allowing.added,
            known=allowing.known,
            flagged=tuple(map(Verdict.of, allowing.flagged)),
            problems=problems,
        )


async def _policy_status(desk: Desk, _: Nothing, __: Client) -> Standing:
    return await desk.policy.status()


async def _policy_explain(desk: Desk, ask: ExplainAsk, _: Client) -> Explained:
    return Explained.of(await desk.policy.explain(ask.ecosystem, ask.name, ask.version))


async def _policy_entries(desk: Desk, ask: EntriesAsk, _: Client) -> EntryPage:
    found = [
        entry
        for entry in await desk.policy.entries()
        if ask.ecosystem in {None, entry.ecosystem} and ask.kind in {None, entry.kind}
    ]
    items, following = page(found, ask)
    return EntryPage(items=items, next=following)


async def _policy_add(desk: Desk, ask: NewEntry, by: Client) -> Decreed:
    entry = await desk.policy.add(ask, by=by)
    return Decreed(entry=entry, problems=desk.policy.problems)


async def _policy_remove(desk: Desk, ask: EntryRemoval, by: Client) -> Decreed:
    entry = await desk.policy.remove(ask.id, reason=ask.reason, by=by)
    return Decreed(entry=entry, problems=desk.policy.problems)


async def _policy_allow_all(desk: Desk, ask: AllowList, by: Client) -> Allowed:
    allowing = await desk.policy.allow_all(
        ask.pins, reason=ask.reason, days=ask.days, dry_run=ask.dry_run, by=by
    )
    return Allowed.of(allowing, desk.policy.problems)


async def _refusal(desk: Desk, ask: ById, _: Client) -> RefusalExplained:
    decision, first = await desk.operations.refusal(ask.id)
    return RefusalExplained(id=ask.id, verdict=Verdict.of(decision), first=first)


POLICY_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint("GET", "/policy", "The policy in force", Nothing, Standing, _policy_status),
    Endpoint(
        "GET",
        "/policy/explain",
        "Every objection against a name or a version",
        ExplainAsk,
        Explained,
        _policy_explain,
    ),
    Endpoint(
        "GET",
        "/policy/entries",
        "What operators allowed, denied, claimed, froze and exempted",
        EntriesAsk,
        EntryPage,
        _policy_entries,
    ),
    Endpoint(
        "POST",
        "/policy/entries",
        "Allow, deny or claim a name or glob, freeze an ecosystem, exempt from a rule",
        NewEntry,
        Decreed,
        _policy_add,
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/policy/entries/{id}",
        "Take an entry out of force",
        EntryRemoval,
        Decreed,
        _policy_remove,
    ),
    Endpoint(
        "POST",
        "/policy/allow",
        "Allow everything that lock files name",
        AllowList,
        Allowed,
        _policy_allow_all,
        largest=LOCK_FILES,
    ),
    Endpoint(
        "GET",
        "/refusals/{id}",
        "The decision behind a /why/ address",
        ById,
        RefusalExplained,
        _refusal,
        role="public",
    ),
)
