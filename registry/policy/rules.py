"""What a rule is, and the two simplest: the denylist and the allowlist.

A rule can only object. The order of rules doesn't matter, adding one never lets more through, and what a
rule can't know it objects to. A rule is asked once per project for its *judge*: the little that it has to say
about that one name. Judges are small and pickle, so a worker process can decide a packument's 4,000 versions
without any of the tables behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import Entry, Roster, plain


class Judge(Protocol):
    """One rule's view of one project. Each question is answered with an objection or None."""

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The moments at which an answer may change by itself."""
        return ()

    @property
    def looks(self) -> bool:
        """Whether it can't say all before somebody has looked at who built a file."""
        return False

    def on_name(self, now: datetime) -> Objection | None:
        """Against the project as a whole, known before any network."""
        del now
        return None

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """Against one file, beyond what is said against its project."""
        del artifact, first_seen, now
        return None

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """Those of a project's files that `on_artifact` might have refused; quicker than asking about each.
        One too many does no harm."""
        del now
        return artifacts

    def on_publication(self, version: str, known_public: bool, now: datetime) -> Objection | None:
        """Against a private upload under this name. `known_public`: the name was seen upstream."""
        del version, known_public, now
        return None


class Rule(Protocol):
    """One reason to say no."""

    @property
    def name(self) -> str:
        """As policy.toml spells it."""

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """What this rule has to say about a project, None for nothing; `ours`: the name is the team's."""


def ends(entries: tuple[Entry, ...]) -> tuple[datetime, ...]:
    """When entries go out of force."""
    return tuple(entry.until for entry in entries if entry.until is not None)


def with_ranges(entries: Iterable[Entry]) -> bool:
    """Whether one of them is about some versions only."""
    return any(entry.versions is not None for entry in entries)


# -- denylist ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Denylist:
    """Names and versions that an operator doesn't want; nothing overrides it."""

    entries: Roster
    effect: Effect = Effect.DENY
    name: str = "denylist"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """The entries about this project, whether it is the team's or not."""
        del ours
        found = self.entries.about(project.name)
        return Denied(project.name, found, self.effect) if found else None


@dataclass(frozen=True, slots=True)
class Denied(Judge):
    """A project with entries on the denylist."""

    project: str
    entries: tuple[Entry, ...]
    effect: Effect

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The ends of its entries."""
        return ends(self.entries)

    def on_name(self, now: datetime) -> Objection | None:
        """Entries without a range."""
        found = next((e for e in self.entries if e.versions is None and e.in_force(now)), None)
        return self._objection(found, f"'{self.project}'") if found else None

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """Entries whose range holds the version, or can't tell."""
        del first_seen
        return self._on_version(artifact.version, now)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """All, where an entry has a range."""
        del now
        return artifacts if with_ranges(self.entries) else ()

    def on_publication(self, version: str, known_public: bool, now: datetime) -> Objection | None:
        """A denied name or version can't be published either."""
        del known_public
        return self.on_name(now) or self._on_version(version, now)

    def _on_version(self, version: str, now: datetime) -> Objection | None:
        ranged = (
            e for e in self.entries if e.versions is not None and e.versions.holds(version) is not False
        )
        found = next((entry for entry in ranged if entry.in_force(now)), None)
        return self._objection(found, f"'{self.project}' {version}") if found else None

    def _objection(self, entry: Entry, subject: str) -> Objection:
        because = f": {entry.reason}" if entry.reason else ""
        return Objection(
            rule="denylist",
            effect=self.effect,
            reason=plain(f"{subject} is on the denylist{because}"),
            until=entry.until,
            remedy=entry.undo,
        )


# -- allowlist ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Deny by default: only names on the list, and those that are ours, get in."""

    entries: Roster
    effect: Effect = Effect.DENY
    name: str = "allowlist"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours else Listed(project, self.entries.about(project.name), self.effect)


@dataclass(frozen=True, slots=True)
class Listed(Judge):
    """A project under an allowlist, with the entries that speak for it."""

    project: Project
    entries: tuple[Entry, ...]
    effect: Effect

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The ends of its entries."""
        return ends(self.entries)

    def on_name(self, now: datetime) -> Objection | None:
        """No entry in force names it."""
        if any(entry.in_force(now) for entry in self.entries):
            return None
        return self._objection(f"'{self.project.name}' is not on the allowlist", self.project.name)

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """Entries name it, and none of their ranges surely holds the version."""
        del first_seen
        current = [entry for entry in self.entries if entry.in_force(now)]
        if not current or any(e.versions is None or e.versions.holds(artifact.version) for e in current):
            return None
        ranges = " or ".join(e.versions.text for e in current if e.versions is not None)
        return self._objection(
            f"'{self.project.name}' {artifact.version} is outside of the allowed versions {ranges}",
            f"'{self.project.name}' --versions '{artifact.version}'",
        )

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """All, where an entry has a range."""
        del now
        return artifacts if with_ranges(self.entries) else ()

    def _objection(self, reason: str, what: str) -> Objection:
        return Objection(
            rule="allowlist",
            effect=self.effect,
            reason=plain(reason),
            remedy=f"registry policy allow {self.project.ecosystem} {what} --reason ...",
        )
