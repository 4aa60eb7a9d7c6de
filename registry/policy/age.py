"""How old something must be: the cooldown, files that come late to an old release, and the line in the sand.

Most malicious versions are found within days, so a version waits until others have looked at it. The time is
the one its source tells. Where no source tells any, what is certain is when we first saw the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import Entry, Roster, plain
from registry.policy.rules import Judge, ends

Undated = Literal["new-only", "first-sight", "hold", "pass"]
"""What counts for a file whose source tells no time. `first-sight`: the moment we first knew of it.
`new-only`: the same, but what a source that tells no times at all listed when we first looked passes; a
source that can't tell would otherwise stop everything for days. `hold`: it waits for a person. `pass`: it is
old."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long the names of one ecosystem wait, and what counts where nobody knows."""

    least: timedelta
    waits: tuple[tuple[Entry, timedelta], ...] = ()
    """For names and globs; the longest pattern that matches counts."""
    undated: Undated = "new-only"

    def wait(self, name: str) -> timedelta:
        """How long versions of this name wait."""
        matching = [(len(e.pattern), wait) for e, wait in self.waits if Roster((e,)).about(name)]
        return max(matching)[1] if matching else self.least

    def born(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> datetime | None:
        """When a file counts as published; None for long ago, the end of time for nobody knows."""
        if artifact.published is not None:
            return artifact.published
        if self.undated == "pass" or (self.undated == "new-only" and artifact.undated):
            return None
        return _NEVER if self.undated == "hold" else first_seen or now


@dataclass(frozen=True, slots=True)
class Age:
    """The cooldown: a version is held until it is old enough, and released by itself."""

    ages: Ages
    effect: Effect = Effect.HOLD
    name: str = "age"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names, which never wait."""
        wait = self.ages.wait(project.name)
        return None if ours or not wait else Waiting(project, self.ages, wait, self.effect)


@dataclass(frozen=True, slots=True)
class Waiting(Judge):
    """A project whose versions wait."""

    project: Project
    ages: Ages
    wait: timedelta
    effect: Effect

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """The release isn't old enough yet."""
        born = self.ages.born(artifact, first_seen, now)
        if born is None:
            return None
        # A file without a time among others that have theirs may be anything: it isn't as old as they are.
        release = min(born, artifact.released or born) if artifact.published is not None else born
        if release <= now - self.wait:
            return None
        subject = f"'{self.project.name}' {artifact.version}"
        until = None if born == _NEVER else release + self.wait
        if artifact.published is not None:
            reason = f"{subject} was published {release:%Y-%m-%d}, held until it is {_days(self.wait)} old"
        elif until is None:
            reason = f"nobody tells when {subject} was published (setting age.undated)"
        else:
            reason = (
                f"nobody tells when {subject} was published; first seen here {release:%Y-%m-%d}, held for"
                f" {_days(self.wait)} (setting age.undated)"
            )
        return Objection(
            rule="age",
            effect=self.effect,
            reason=plain(reason),
            until=until,
            remedy=_exempt("age", self.project, artifact.version),
        )

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """Those that are young themselves, or of which nobody tells."""
        line = now - self.wait
        return [artifact for artifact in artifacts if artifact.published is None or artifact.published > line]


@dataclass(frozen=True, slots=True)
class LateFile:
    """A young file in a release that is old: a wheel for a new Python, or the work of a stolen token."""

    ages: Ages
    effect: Effect = Effect.OBSERVE
    name: str = "late-file"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        wait = self.ages.wait(project.name)
        return None if ours or not wait else Late(project, wait, self.effect)


@dataclass(frozen=True, slots=True)
class Late(Judge):
    """A project whose releases may get new files."""

    project: Project
    wait: timedelta
    effect: Effect

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """The file is young, the release isn't."""
        del first_seen
        published, released = artifact.published, artifact.released
        if published is None or released is None or not released <= now - self.wait < published:
            return None
        return Objection(
            rule="late-file",
            effect=self.effect,
            reason=plain(
                f"'{artifact.filename}' came {published:%Y-%m-%d} to a release of {released:%Y-%m-%d}"
            ),
            until=published + self.wait,
            remedy=_exempt("late-file", self.project, artifact.version),
        )

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """Those that are young themselves."""
        line = now - self.wait
        return [a for a in artifacts if a.published is not None and a.published > line]


@dataclass(frozen=True, slots=True)
class Freeze:
    """The line in the sand: what is published after a moment stays outside until somebody wipes it away."""

    lines: tuple[tuple[Entry, datetime], ...]
    ages: Ages
    effect: Effect = Effect.HOLD
    name: str = "freeze"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours or not self.lines else Frozen(project, self.lines, self.ages, self.effect)


@dataclass(frozen=True, slots=True)
class Frozen(Judge):
    """A project as it was at a moment."""

    project: Project
    lines: tuple[tuple[Entry, datetime], ...]
    ages: Ages
    effect: Effect

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The ends of freezes."""
        return ends(tuple(entry for entry, _ in self.lines))

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """It was published after the earliest line in force."""
        drawn = [(cutoff, entry.place, entry) for entry, cutoff in self.lines if entry.in_force(now)]
        born = self.ages.born(artifact, first_seen, now)
        if not drawn or born is None:
            return None
        cutoff, _, entry = min(drawn)
        if born <= cutoff:
            return None
        subject = f"'{self.project.name}' {artifact.version}"
        if artifact.published is not None:
            told = f"{subject} was published {born:%Y-%m-%d}"
        elif born == _NEVER:
            told = f"nobody tells when {subject} was published (setting age.undated)"
        else:
            told = f"{subject} was first seen here {born:%Y-%m-%d} (setting age.undated)"
        because = f": {entry.reason}" if entry.reason else ""
        return Objection(
            rule="freeze",
            effect=self.effect,
            reason=plain(f"{told}, after the freeze of {cutoff:%Y-%m-%d}{because}"),
            until=entry.until,
            remedy=f"{_exempt('freeze', self.project, artifact.version)}, or {entry.undo}",
        )


def _days(wait: timedelta) -> str:
    days = wait / timedelta(days=1)
    return f"{days:g} day{'' if days == 1 else 's'}"


def _exempt(rule: str, project: Project, version: str) -> str:
    return (
        f"registry policy exempt {rule} {project.ecosystem} '{project.name}@{version}' --days 7 --reason ..."
    )
