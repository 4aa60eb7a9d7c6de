"""Known malware, and known vulnerabilities by how severe they are.

Whole projects are refused by name where an advisory means all of them. An advisory about single versions, as
when a good project was hijacked for a day, refuses these and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from registry.model.advisories import Advisory, Severity
from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import plain
from registry.policy.rules import Judge

VersionKey = Callable[[str], Any]
"""`Ecosystem.version_key`: a module-level function, so that it pickles by reference."""


class KnownAdvisories(Protocol):
    """What was imported, looked up by project."""

    @property
    def generation(self) -> int:
        """Grows whenever any answer could differ."""

    def about(self, project: Project) -> tuple[Advisory, ...]:
        """Everything that is said about a project, in microseconds."""


class NoAdvisories:
    """Nothing was imported."""

    generation = 0

    def about(self, project: Project) -> tuple[Advisory, ...]:
        """Nothing."""
        del project
        return ()


@dataclass(frozen=True, slots=True)
class Malware:
    """What advisories call malicious; also what is kept here already."""

    known: KnownAdvisories
    version_key: VersionKey
    popular: Collection[str]
    """Names that everybody uses: of these an advisory that lists versions means those and no others, though
    its range may be endless. Databases have such records for hijacked releases."""
    effect: Effect = Effect.DENY
    name: str = "malware"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names, and those that no advisory calls malicious."""
        if ours:
            return None
        found = tuple(each for each in self.known.about(project) if each.malware)
        if not found:
            return None
        spared = project.name in self.popular
        warned = tuple(
            Hint(each, self.effect, _span_of(each, self.version_key, spared=spared)) for each in found
        )
        return Warned(project, "malware", warned)


@dataclass(frozen=True, slots=True)
class Vulnerabilities:
    """What advisories call vulnerable, by severity."""

    known: KnownAdvisories
    version_key: VersionKey
    effects: Mapping[Severity, Effect]
    """Only severities that do anything."""
    name: str = "vulnerability"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names, and those that no advisory of these severities names."""
        if ours:
            return None
        warned = tuple(
            Hint(each, self.effects[each.severity], _span_of(each, self.version_key))
            for each in self.known.about(project)
            if not each.malware and each.severity in self.effects
        )
        return Warned(project, "vulnerability", warned) if warned else None


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that an advisory means, compiled when first asked; picklable."""

    advisory: Advisory
    version_key: VersionKey
    listed_only: bool
    _keys: list[tuple[frozenset[Any], tuple[tuple[Any, Any, Any], ...]]] = field(
        default_factory=list, compare=False, repr=False
    )

    @property
    def everything(self) -> bool:
        """Whether it means every version there is."""
        if self.listed_only:
            return False
        spans = self.advisory.spans
        return any(span.endless for span in spans) or not (spans or self.advisory.versions)

    def hold(self, version: str) -> bool:
        """Whether it means this version. One that has no place in the ecosystem's order is meant."""
        if self.everything or version in self.advisory.versions:
            return True
        key = self.version_key(version)
        if key is None:
            return True
        if not self._keys:
            self._keys.append(self._compiled())
        listed, spans = self._keys[0]
        return key in listed or any(
            (start is None or start <= key)
            and (fixed is None or key < fixed)
            and (last is None or key <= last)
            for start, fixed, last in spans
        )

    def _compiled(self) -> tuple[frozenset[Any], tuple[tuple[Any, Any, Any], ...]]:
        # An end that can't be read is no end: the unknown is affected.
        listed = frozenset(map(self.version_key, self.advisory.versions)) - {None}
        if self.listed_only:
            return listed, ()

        def key(text: str | None) -> Any:
            return None if text is None or text == "0" else self.version_key(text)

        return listed, tuple((key(s.introduced), key(s.fixed), key(s.last)) for s in self.advisory.spans)

    def __reduce__(self) -> tuple[type[Versions], tuple[Advisory, VersionKey, bool]]:
        return Versions, (self.advisory, self.version_key, self.listed_only)


def _span_of(advisory: Advisory, version_key: VersionKey, *, spared: bool = False) -> Versions:
    return Versions(advisory, version_key, listed_only=spared and bool(advisory.versions))


@dataclass(frozen=True, slots=True)
class Hint:
    """One advisory, what it means, and what it does."""

    advisory: Advisory
    effect: Effect
    versions: Versions


@dataclass(frozen=True, slots=True)
class Warned(Judge):
    """A project that advisories are about."""

    project: Project
    rule: str
    warnings: tuple[Hint, ...]

    def on_name(self, now: datetime) -> Objection | None:
        """Malware in every version. A vulnerable project can be mended, so only its versions are judged."""
        del now
        if self.rule != "malware":
            return None
        return self._strictest([each for each in self.warnings if each.versions.everything], "")

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """The version is one of those that an advisory means, and that isn't said of the name already."""
        del first_seen
        if self.on_name(now) is not None:
            return None
        meant = [each for each in self.warnings if each.versions.hold(artifact.version)]
        return self._strictest(meant, artifact.version)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """None where all of them only observe."""
        del now
        return () if all(each.effect is Effect.OBSERVE for each in self.warnings) else artifacts

    def _strictest(self, warnings: list[Hint], version: str) -> Objection | None:
        if not warnings:
            return None
        effects = list(Effect)
        told = min(warnings, key=lambda each: (effects.index(each.effect), each.advisory.id))
        advisory, more = told.advisory, len(warnings) - 1
        also = f" and {more} more" if more else ""
        kind = (
            "known malware"
            if self.rule == "malware"
            else f"known to be vulnerable, severity {advisory.severity}"
        )
        subject = f"'{self.project.name}'{f' {version}' if version else ''}"
        because = f": {advisory.summary}" if advisory.summary else ""
        at = f"@{version}" if version else ""
        return Objection(
            rule=self.rule,
            effect=told.effect,
            reason=plain(f"{subject} is {kind} ({advisory.id}{also}){because}"),
            remedy=(
                f"registry policy exempt {self.rule} {self.project.ecosystem} '{self.project.name}{at}'"
                " --days 30 --reason ..."
            ),
        )
