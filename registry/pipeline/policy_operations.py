"""What an admin can do about policy: ask why, and allow, deny, claim, freeze, exempt or take that back.

Roles are checked at the door. Every change is logged with who made it, what was before and after, and why,
in the transaction of the change itself, and counts as soon as it returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from registry.errors import Conflict, NotFound
from registry.model.accounts import PolicyEntry
from registry.model.artifacts import Artifact
from registry.model.decisions import Decision, Effect
from registry.model.ecosystem import Ecosystem, find_ecosystem
from registry.model.events import Client, Event
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock, PolicyStore
from registry.pipeline.decrees import Decree, entry_of, line_of, sound_reason
from registry.pipeline.settling import settled, unseen

SHOWN = 20
"""Names that the log shows of an act about many."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What policy says about a name or a version, and what it knew."""

    decision: Decision
    """About a version: a yes when one of its files may pass, else all that is said against them."""
    ours: bool
    """Whether the name is private here and never asked upstream."""
    origin: str | None
    """`public` or `private` once something of it was seen here, else None."""
    files: tuple[Decision, ...] = ()
    """About each file of the version that is known here. Without any, the version was judged by what its
    name and number say."""


class Pin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of a lock file."""

    ecosystem: str
    name: str
    version: str | None = None
    digests: tuple[str, ...] = ()
    """`sha256:…`, of which each file has one."""


class Allowing(msgspec.Struct, frozen=True, kw_only=True):
    """What came of allowing a list."""

    added: tuple[PolicyEntry, ...]
    """Without ids, which nobody needs: they are listed."""
    known: int
    """Those that are allowed by an entry, or ours, already."""
    flagged: tuple[Decision, ...]
    """Names that another rule objects to; they were not added."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The policy in force."""

    revision: str
    modes: Mapping[str, str]
    """Ecosystem → `allowlist`, `guarded` or `observe`."""
    problems: Sequence[str]
    """Why the policy file as it is now isn't in force; empty when it is."""
    entries: int
    """Rows that operators added by command, API or page."""


class Consulted(Protocol):
    """What an admin asks of a policy."""

    @property
    def revision(self) -> str:
        """The revision that decisions carry."""

    def mode(self, ecosystem: str) -> str:
        """`allowlist`, `guarded` or `observe`."""

    def ours(self, project: Project) -> bool:
        """Whether the name is private here."""

    def decide_project(self, project: Project, now: datetime) -> Decision:
        """About a name."""

    def decide_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Decision:
        """About one file."""


class PolicyInCharge(Protocol):
    """The policy in force, and how to make a change count at once."""

    @property
    def current(self) -> Consulted:
        """The policy itself."""

    @property
    def problems(self) -> Sequence[str]:
        """Why the policy file as it is now isn't in force; empty when it is."""

    async def reload(self) -> None:
        """Join file and rows again and swap; a broken file leaves the last good policy in force."""


class PolicyOperations:
    """Policy, for admins."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        policy: PolicyInCharge,
        store: PolicyStore,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._ecosystems = ecosystems
        self._policy = policy
        self._store = store
        self._catalogue = catalogue
        self._clock = clock

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the policy file as it is now, and rows added since it broke, aren't in force."""
        return tuple(self._policy.problems)

    async def status(self) -> Standing:
        """Modes, revision, and what is wrong with the file."""
        policy = self._policy.current
        return Standing(
            revision=policy.revision,
            modes={name: policy.mode(name) for name in self._ecosystems},
            problems=self.problems,
            entries=len(await self._store.entries()),
        )

    async def explain(self, ecosystem: str, name: str, version: str | None = None) -> Explanation:
        """Every objection against a name, or against a version and its files. Asks no upstream."""
        project = find_ecosystem(self._ecosystems, ecosystem).parse_name(name)
        policy, now = self._policy.current, self._clock.now()
        decision = policy.decide_project(project, now)
        files: tuple[Decision, ...] = ()
        if version is not None:
            status = self._catalogue.status(project)
            files = tuple(
                settled(policy.decide_artifact(row.artifact, row.first_seen, now), row, status)
                for row in await self._catalogue.holdings(project)
                if row.artifact.version == version
            )
            decision = _of_version(files or (policy.decide_artifact(unseen(project, version), None, now),))
        return Explanation(
            decision=decision,
            ours=policy.ours(project),
            origin=await self._catalogue.origin(project),
            files=files,
        )

    async def entries(self) -> tuple[PolicyEntry, ...]:
        """What operators added, oldest first. (What the file says is in the file.)"""
        return await self._store.entries()

    async def add(self, decree: Decree, *, by: Client) -> PolicyEntry:
        """Allow, deny, claim, freeze or exempt from now on. Raises Malformed and Conflict (said already)."""
        world, now = find_ecosystem(self._ecosystems, decree.ecosystem), self._clock.now()
        entry = entry_of(decree, world, by.actor, now)
        alike = [e for e in await self._store.entries() if _same_subject(e, entry) and _counts(e, now)]
        said = next((e for e in alike if _says(e) == _says(entry)), None)
        if said is not None:
            raise Conflict(
                f"Entry {said.id} says so already; `registry policy remove {said.id}` takes it back."
            )
        event = self._change(
            f"policy.{entry.kind}", entry, by, before="; ".join(map(line_of, alike)), after=line_of(entry)
        )
        stored = await self._store.add(entry, event)
        await self._policy.reload()
        return stored

    async def allow_all(
        self, pins: Sequence[Pin], *, reason: str, days: int | None, dry_run: bool, by: Client
    ) -> Allowing:
        """Allow everything that lock files name, in one act. What another rule objects to by name is left out
        and told: a look-alike in a lock file isn't made a known name unseen. Raises Malformed."""
        now, policy = self._clock.now(), self._policy.current
        there = {(e.ecosystem, *_says(e), e.pattern) for e in await self._store.entries() if _counts(e, now)}
        fresh: dict[tuple[object, ...], PolicyEntry] = {}
        flagged: dict[Project, Decision] = {}
        known = 0
        for pin in pins:
            world = find_ecosystem(self._ecosystems, pin.ecosystem)
            decree = Decree(
                kind="allow",
                ecosystem=pin.ecosystem,
                pattern=pin.name,
                versions=pin.version or "",
                reason=reason,
                days=days,
            )
            entry, project = entry_of(decree, world, by.actor, now), world.parse_name(pin.name)
            decision = policy.decide_project(project, now)
            key = (entry.ecosystem, *_says(entry), entry.pattern)
            if any(o.rule != "allowlist" and o.effect is not Effect.OBSERVE for o in decision.objections):
                flagged[project] = decision
            elif key in there or policy.ours(project):
                known += key not in fresh
            else:
                fresh[key] = entry
        if fresh and not dry_run:
            event = self._all_allowed(list(fresh.values()), reason, by)
            await self._store.add_all(tuple(fresh.values()), event)
            await self._policy.reload()
        return Allowing(added=tuple(fresh.values()), known=known, flagged=tuple(flagged.values()))

    def _all_allowed(self, entries: Sequence[PolicyEntry], reason: str, by: Client) -> Event:
        shown = ", ".join(f"{e.ecosystem}:{e.pattern}{e.versions}" for e in entries[:SHOWN])
        more = f" and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
        return Event.decreed(
            by,
            self._clock.now(),
            detail={
                "action": "policy.allow",
                "subject": f"{len(entries)} names",
                "before": "",
                "after": f"{shown}{more}",
                "reason": reason,
                "revision": self._policy.current.revision,
            },
        )

    async def remove(self, entry_id: int, *, reason: str, by: Client) -> PolicyEntry:
        """Take an entry out of force. Raises NotFound."""
        entry = next((e for e in await self._store.entries() if e.id == entry_id), None)
        if entry is None:
            raise NotFound(f"There is no policy entry {entry_id}; `registry policy list` shows all.")
        event = self._change(
            "policy.remove", entry, by, before=line_of(entry), after="", reason=sound_reason(reason)
        )
        removed = await self._store.remove(entry_id, event)
        await self._policy.reload()
        return removed

    def _change(
        self,
        action: str,
        entry: PolicyEntry,
        by: Client,
        *,
        before: str,
        after: str,
        reason: str | None = None,
    ) -> Event:
        return Event.decreed(
            by,
            self._clock.now(),
            detail={
                "action": action,
                "subject": f"{entry.ecosystem}:{entry.pattern}",
                "before": before,
                "after": after,
                "reason": entry.reason if reason is None else reason,
                "revision": self._policy.current.revision,
            },
        )


def _of_version(files: Sequence[Decision]) -> Decision:
    """Decisions about the files of a version as one about the version."""
    telling = [decision for decision in files if decision.allowed][:1] or files
    objections = dict.fromkeys(objection for decision in telling for objection in decision.objections)
    subject = msgspec.structs.replace(files[0].subject, filename=None)
    return msgspec.structs.replace(files[0], subject=subject, objections=tuple(objections))


def _same_subject(one: PolicyEntry, other: PolicyEntry) -> bool:
    return (one.ecosystem, one.pattern) == (other.ecosystem, other.pattern)


def _counts(entry: PolicyEntry, now: datetime) -> bool:
    return entry.until is None or now < entry.until


def _says(entry: PolicyEntry) -> tuple[object, ...]:
    return entry.kind, entry.versions, entry.rule, entry.cutoff
