"""Who published a file: somebody new, nobody who vouches for it, or a word that doesn't hold.

A stolen account publishes from elsewhere than before, and mostly without the provenance that releases had.
What the index tells is judged there. Attestations of Python files and the signatures of npm's registry are
looked at when a file is asked for: a rule that refuses has that done before anything is let in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.model.names import Project
from registry.policy.entries import plain
from registry.policy.rules import Judge

Unknown = Literal["pass", "hold"]
"""What becomes of a file of which nobody tells who published it: `pass`, or the rule's effect."""


@dataclass(frozen=True, slots=True)
class ChangedPublisher:
    """A release by somebody who published none before, or without the provenance that those before have."""

    unknown: Unknown = "pass"
    effect: Effect = Effect.OBSERVE
    name: str = "publisher"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours else HandedOver(project, self.unknown, self.effect)


@dataclass(frozen=True, slots=True)
class HandedOver(Judge):
    """A project that may have changed hands."""

    project: Project
    unknown: Unknown
    effect: Effect

    @property
    def looks(self) -> bool:
        """A publisher is known once the provenance was checked."""
        return self.effect is not Effect.OBSERVE

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """It was published otherwise than the releases before it, or nobody tells by whom."""
        del first_seen, now
        subject = f"'{self.project.name}' {artifact.version}"
        if artifact.handover:
            reason = f"{subject} {artifact.handover}"
            return _objection("publisher", self.effect, reason, self.project, artifact)
        known = artifact.publisher or artifact.attestation == "pending"
        if known or self.unknown == "pass":
            return None
        reason = f"nobody tells who published {subject} (setting publisher.unknown)"
        return _objection("publisher", self.effect, reason, self.project, artifact)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """None where it only observes."""
        del now
        return () if self.effect is Effect.OBSERVE else artifacts


@dataclass(frozen=True, slots=True)
class Unattested:
    """Only files whose index announces who built them: a PEP 740 provenance, an npm attestation."""

    effect: Effect
    name: str = "unattested"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours else Unannounced(project, self.effect)


@dataclass(frozen=True, slots=True)
class Unannounced(Judge):
    """A project whose files need an attestation."""

    project: Project
    effect: Effect

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """Its index announces none."""
        del first_seen, now
        if artifact.provenance:
            return None
        reason = f"'{artifact.filename}' has no attestation of who built it"
        return _objection("unattested", self.effect, reason, self.project, artifact)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """None where it only observes."""
        del now
        return () if self.effect is Effect.OBSERVE else artifacts


@dataclass(frozen=True, slots=True)
class BadAttestation:
    """What vouches for a file must hold: its attestations (PyPI), its registry's signature (npm)."""

    effect: Effect = Effect.OBSERVE
    name: str = "attestation"

    def judge(self, project: Project, *, ours: bool) -> Judge | None:
        """None for the team's own names."""
        return None if ours else Attested(project, self.effect)


@dataclass(frozen=True, slots=True)
class Attested(Judge):
    """A project whose attestations and signatures are looked at."""

    project: Project
    effect: Effect

    @property
    def looks(self) -> bool:
        """Whether one holds is known once it was checked."""
        return self.effect is not Effect.OBSERVE

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """It doesn't hold, or that can't be told. A file without any is the business of `unattested`."""
        del first_seen, now
        announced = artifact.provenance or artifact.signatures or artifact.attestation
        if not announced or artifact.attestation in {"pending", "verified"}:
            return None
        said = "doesn't hold" if artifact.attestation == "failed" else "can't be checked"
        because = f": {artifact.doubt}" if artifact.doubt else ""
        reason = f"what vouches for '{artifact.filename}' {said}{because}"
        return _objection("attestation", self.effect, reason, self.project, artifact)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """None where it only observes."""
        del now
        return () if self.effect is Effect.OBSERVE else artifacts


def _objection(rule: str, effect: Effect, reason: str, project: Project, artifact: Artifact) -> Objection:
    return Objection(
        rule=rule,
        effect=effect,
        reason=plain(reason),
        remedy=(
            f"registry policy exempt {rule} {project.ecosystem} '{project.name}@{artifact.version}'"
            " --days 365 --reason ..."
        ),
    )
