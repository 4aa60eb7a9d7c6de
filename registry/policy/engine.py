"""Decide: every rule is asked, every objection is kept, a yes is the absence of an enforced one.

A `Policy` is built once by the loader and never changes, so it is consulted without locks; a changed file or
row makes another one. `ArtifactRules` is the part of it that concerns one project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from registry.errors import ConfigurationError
from registry.model.artifacts import Artifact
from registry.model.decisions import Decision, Objection, Subject
from registry.model.names import Project
from registry.policy.entries import Roster
from registry.policy.exemptions import exempted
from registry.policy.ownership import Owned
from registry.policy.rules import Judge, Rule

REMEMBERED = 16_384
"""Projects whose judges a policy keeps, about 1 kB each."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRules:
    """All that policy has to say about one project. Small, and pickles: a worker decides with it."""

    project: Project
    revision: str
    mode: str
    judges: tuple[Judge, ...]
    of_names: tuple[Judge, ...]
    """Those of them that have something to say about names."""
    of_files: tuple[Judge, ...]
    """Those that have something to say about single files."""
    looks: bool
    """Whether a file can't be let in before somebody has looked at who built it."""

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The moments at which a decision may change by itself, those of holds on single files left out."""
        return tuple(turn for judge in self.judges for turn in judge.turns)

    def decide_name(self, now: datetime) -> Decision:
        """The project as a whole."""
        return self._decision(Subject(project=self.project), self._named(now))

    def decide(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Decision:
        """One file: what is said against its project, and against itself.

        `first_seen` is when we first knew of the file, None for now.
        """
        return self._decide(artifact, first_seen, now, self._named(now))

    def deciding(self, now: datetime) -> Callable[[Artifact, datetime | None], Decision]:
        """`decide` at one moment, for many files: what is said against their project is found out once."""
        named = self._named(now)
        return lambda artifact, first_seen: self._decide(artifact, first_seen, now, named)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> frozenset[str]:
        """Names of those of many files that `decide` might refuse; one too many does no harm. Of the others
        nothing is said that is enforced, but what is said of their project."""
        return frozenset(a.filename for judge in self.of_files for a in judge.suspects(artifacts, now))

    def decide_publication(self, version: str, known_public: bool, now: datetime) -> Decision:
        """A private upload under this name. `known_public`: the name was seen upstream."""
        subject = Subject(project=self.project, version=version)
        return self._decision(subject, (j.on_publication(version, known_public, now) for j in self.judges))

    def _named(self, now: datetime) -> list[Objection]:
        return [said for judge in self.of_names if (said := judge.on_name(now)) is not None]

    def _decide(
        self, artifact: Artifact, first_seen: datetime | None, now: datetime, named: Sequence[Objection]
    ) -> Decision:
        said = [
            found
            for judge in self.of_files
            if (found := judge.on_artifact(artifact, first_seen, now)) is not None
        ]
        subject = Subject(project=self.project, version=artifact.version, filename=artifact.filename)
        return Decision(subject=subject, revision=self.revision, mode=self.mode, objections=(*named, *said))

    def _decision(self, subject: Subject, said: Iterable[Objection | None]) -> Decision:
        objections = tuple(objection for objection in said if objection is not None)
        return Decision(subject=subject, revision=self.revision, mode=self.mode, objections=objections)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """The rules of one ecosystem."""

    mode: str
    rules: tuple[Rule, ...]
    owned: Owned
    exemptions: Mapping[str, Roster] = field(default_factory=dict)
    """By the rule that they are from."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """What was found out about a name, and the decision with the span of time it is good for."""

    rules: ArtifactRules
    ours: bool
    since: datetime
    until: datetime
    decision: Decision


class Policy:
    """What this appliance lets through, by ecosystem. Immutable, and cheap to consult."""

    def __init__(self, revision: str, rulebooks: Mapping[str, Rulebook]) -> None:
        """Raises ConfigurationError for an ecosystem without a rule: nothing would ever be refused there,
        and nobody would know."""
        if not rulebooks:
            raise ConfigurationError(["The policy is empty: it names no ecosystem."])
        empty = [name for name, book in rulebooks.items() if not book.rules]
        if empty:
            raise ConfigurationError([f"{name}: every rule is off; switch one of them on." for name in empty])
        self.revision = revision
        self._books = dict(rulebooks)
        self._standings: dict[Project, _Standing] = {}

    def mode(self, ecosystem: str) -> str:
        """`allowlist`, `guarded` or `observe`."""
        return self._books[ecosystem].mode

    def ours(self, project: Project) -> bool:
        """Whether the name is the team's: by pattern, by claim or by publication. Never asked upstream."""
        return self._standing(project, None).ours

    def decide_project(self, project: Project, now: datetime) -> Decision:
        """The name, before any network."""
        return self._standing(project, now).decision

    def decide_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Decision:
        """One file of a project: the objections against its name, and those against the file itself."""
        return self.artifact_rules(artifact.project).decide(artifact, first_seen, now)

    def decide_publication(
        self, project: Project, version: str, known_public: bool, now: datetime
    ) -> Decision:
        """A private upload. `known_public`: the name was seen upstream (a kept index, pins); the reference
        list is consulted here."""
        return self.artifact_rules(project).decide_publication(version, known_public, now)

    def artifact_rules(self, project: Project) -> ArtifactRules:
        """The part of this policy that concerns one project, for deciding many of its files elsewhere."""
        return self._standing(project, None).rules

    def _standing(self, project: Project, now: datetime | None) -> _Standing:
        """What is known about a name; with `now`, its decision is good at that moment."""
        standing = self._standings.get(project)
        if standing is not None and (now is None or standing.since <= now < standing.until):
            return standing
        standing = self._work_out(project, now or _ALWAYS)
        if len(self._standings) >= REMEMBERED:
            self._standings.clear()
        self._standings[project] = standing
        return standing

    def _work_out(self, project: Project, now: datetime) -> _Standing:
        book = self._books[project.ecosystem]
        ours = project.name in book.owned
        judges = tuple(_judges(book, project, ours=ours))
        rules = ArtifactRules(
            project=project,
            revision=self.revision,
            mode=book.mode,
            judges=judges,
            of_names=tuple(judge for judge in judges if type(judge).on_name is not Judge.on_name),
            of_files=tuple(judge for judge in judges if type(judge).on_artifact is not Judge.on_artifact),
            looks=book.mode != "observe" and any(judge.looks for judge in judges),
        )
        turns = rules.turns
        return _Standing(
            rules=rules,
            ours=ours,
            since=max((turn for turn in turns if turn <= now), default=_ALWAYS),
            until=min((turn for turn in turns if turn > now), default=_NEVER),
            decision=rules.decide_name(now),
        )


def _judges(book: Rulebook, project: Project, *, ours: bool) -> Iterator[Judge]:
    """What each rule has to say about a project, less what it is exempted from."""
    for rule in book.rules:
        judge = rule.judge(project, ours=ours)
        if judge is not None:
            roster = book.exemptions.get(rule.name)
            yield exempted(judge, roster.about(project.name) if roster else ())
