"""Seeing before doing: what a lock file would meet, what was really used, what a changed policy would change.

Nothing here asks an upstream or changes anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from registry.errors import ConfigurationError, Malformed
from registry.model.artifacts import Artifact, Digest, Holding
from registry.model.decisions import Decision, Effect
from registry.model.ecosystem import Ecosystem
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock, ProvenanceLog
from registry.pipeline.policy_operations import Pin
from registry.pipeline.settling import LONG_AGO, settled, unseen

State = Literal["allowed", "held", "refused", "absent", "mismatch"]
"""absent: nothing is known here of this version, and its name may pass. mismatch: its files here have other
bytes than the lock file says."""

PAGE = 1_000
MOST_EVENTS = 200_000
"""Requests that a replay looks at, the newest first."""
MOST_CLIENTS = 20


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry would meet."""

    ecosystem: str
    name: str
    version: str | None
    state: State
    reason: str = ""
    until: datetime | None = None


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """A public project that was delivered."""

    ecosystem: str
    name: str
    versions: tuple[str, ...]
    deliveries: int


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A subject that another policy judges otherwise."""

    ecosystem: str
    name: str
    version: str | None
    filename: str | None
    reason: str
    """Of the refusal, the new or the old one."""
    requests: int
    clients: tuple[str, ...]


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What another policy would have done to the requests of a time."""

    requests: int
    since: datetime
    complete: bool
    """False when there were more requests than are looked at."""
    refused: tuple[Changed, ...]
    """Let through now, refused then."""
    allowed: tuple[Changed, ...]


class Judging(Protocol):
    """What is asked of a policy here."""

    def ours(self, project: Project) -> bool:
        """Whether the name is private here."""

    def decide_project(self, project: Project, now: datetime) -> Decision:
        """About a name."""

    def decide_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Decision:
        """About one file."""


class Foresight:
    """Questions about what would be."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        current: Callable[[], Judging],
        draft: Callable[[str], Awaitable[Judging]],
        catalogue: Catalogue,
        log: ProvenanceLog,
        clock: Clock,
    ) -> None:
        """`draft` makes a policy of another policy.toml, joined with what is in the database."""
        self._ecosystems = ecosystems
        self._current = current
        self._draft = draft
        self._catalogue = catalogue
        self._log = log
        self._clock = clock

    async def check(self, pins: Sequence[Pin]) -> tuple[Checked, ...]:
        """What each entry of a lock file would meet now."""
        return tuple([await self._check(pin) for pin in pins])

    async def used(self, since: datetime) -> tuple[Used, ...]:
        """Public projects that were delivered since, the most used first."""
        policy = self._current()
        versions: dict[Project, dict[str, int]] = {}
        async for event in self._requests([Kind.DELIVERY], since):
            if event.project is not None and event.version is not None and not policy.ours(event.project):
                counts = versions.setdefault(event.project, {})
                counts[event.version] = counts.get(event.version, 0) + 1
        found = [
            Used(
                ecosystem=project.ecosystem,
                name=project.name,
                versions=tuple(sorted(counts)),
                deliveries=sum(counts.values()),
            )
            for project, counts in versions.items()
        ]
        return tuple(sorted(found, key=lambda used: (used.ecosystem, -used.deliveries, used.name)))

    async def replay(self, text: str, since: datetime) -> Replay:
        """What another policy.toml would have done to the requests since, each judged as of its own time.

        Raises Malformed with every problem of the text.
        """
        try:
            candidate = await self._draft(text)
        except ConfigurationError as error:
            raise Malformed(f"The candidate can't be used: {' '.join(error.problems)}") from None
        current, count = self._current(), 0
        verdicts: dict[tuple[Project, str | None, str | None], _Verdict] = {}
        async for event in self._requests([Kind.DELIVERY, Kind.REFUSAL], since):
            if event.project is None:
                continue
            count += 1
            key = (event.project, event.version, event.filename)
            verdict = verdicts.get(key)
            if verdict is None:
                holding = await self._holding(event)
                before = _judge(current, event, holding)
                verdict = verdicts[key] = _Verdict(before, _judge(candidate, event, holding), {})
            verdict.clients[event.actor] = verdict.clients.get(event.actor, 0) + 1
        changes = [(key, v) for key, v in verdicts.items() if v.before.allowed != v.after.allowed]
        return Replay(
            requests=count,
            since=since,
            complete=count < MOST_EVENTS,
            refused=tuple(_changed(key, v, v.after) for key, v in changes if v.before.allowed),
            allowed=tuple(_changed(key, v, v.before) for key, v in changes if v.after.allowed),
        )

    async def _check(self, pin: Pin) -> Checked:
        ecosystem = self._ecosystems.get(pin.ecosystem)
        if ecosystem is None:
            raise Malformed(f"There is no ecosystem `{pin.ecosystem}`.")
        try:
            project = ecosystem.parse_name(pin.name)
        except Malformed as error:
            return _checked(pin, "refused", str(error))
        policy, now = self._current(), self._clock.now()
        name = policy.decide_project(project, now)
        if not name.allowed:
            return _refused(pin, [name])
        holdings = [h for h in await self._catalogue.holdings(project) if h.artifact.version == pin.version]
        if not holdings:
            known = policy.decide_artifact(unseen(project, pin.version or ""), None, now)
            if pin.version is not None and not known.allowed:
                return _refused(pin, [known])
            return _checked(pin, "absent", "nothing is known here of this version")
        status = self._catalogue.status(project)
        decisions = [
            settled(policy.decide_artifact(row.artifact, row.first_seen, now), row, status)
            for row in holdings
        ]
        if not any(decision.allowed for decision in decisions):
            return _refused(pin, decisions)
        if not _same_bytes(pin, holdings):
            return _checked(pin, "mismatch", "the files here have other digests than the lock file says")
        return _checked(pin, "allowed")

    async def _holding(self, event: Event) -> Holding | None:
        if event.project is None or event.filename is None:
            return None
        return await self._catalogue.holding(event.project, event.filename)

    async def _requests(self, kinds: Sequence[Kind], since: datetime) -> AsyncIterator[Event]:
        before: int | None = None
        for _ in range(MOST_EVENTS // PAGE):
            rows = await self._log.events(
                kinds=[kind.value for kind in kinds], since=since, before=before, limit=PAGE
            )
            for row in rows:
                yield row.event
            if len(rows) < PAGE:
                return
            before = rows[-1].seq


class _Verdict(msgspec.Struct):
    before: Decision
    after: Decision
    clients: dict[str, int]


def _judge(policy: Judging, event: Event, holding: Holding | None) -> Decision:
    assert event.project is not None
    if event.version is None:
        return policy.decide_project(event.project, event.at)
    if holding is not None:
        return policy.decide_artifact(holding.artifact, holding.first_seen, event.at)
    return policy.decide_artifact(unseen(event.project, event.version, event.filename or ""), None, event.at)


def _changed(key: tuple[Project, str | None, str | None], verdict: _Verdict, refusal: Decision) -> Changed:
    project, version, filename = key
    leading = refusal.leading
    clients = sorted(verdict.clients, key=lambda client: (-verdict.clients[client], client))
    return Changed(
        ecosystem=project.ecosystem,
        name=project.name,
        version=version,
        filename=filename,
        reason=f"{leading.rule}: {leading.reason}" if leading else "",
        requests=sum(verdict.clients.values()),
        clients=tuple(clients[:MOST_CLIENTS]),
    )


def _checked(pin: Pin, state: State, reason: str = "", until: datetime | None = None) -> Checked:
    return Checked(
        ecosystem=pin.ecosystem, name=pin.name, version=pin.version, state=state, reason=reason, until=until
    )


def _refused(pin: Pin, decisions: Sequence[Decision]) -> Checked:
    """Of several files the one that is let in first tells."""

    def end(decision: Decision) -> tuple[bool, datetime]:
        ends = [o.until for o in decision.objections if o.effect is not Effect.OBSERVE]
        known = [until for until in ends if until is not None]
        return len(known) < len(ends), max(known, default=LONG_AGO)

    soonest = min(decisions, key=end)
    endless, until = end(soonest)
    leading = soonest.leading
    held = leading is not None and leading.effect is Effect.HOLD
    reason = leading.reason if leading else ""
    return _checked(pin, "held" if held else "refused", reason, None if endless else until)


def _same_bytes(pin: Pin, holdings: Sequence[Holding]) -> bool:
    """Whether a file here has a digest that the lock file says, as far as both say one of a kind."""
    locked = {Digest.parse(text) for text in pin.digests}
    known = {d for h in holdings for d in (*h.artifact.digests, *((h.pin,) if h.pin else ()))}
    comparable = {d.algorithm for d in locked} & {d.algorithm for d in known}
    return not comparable or bool(locked & known)
