"""Exemptions: one rule, one name or some of its versions, with a reason and an end.

An exempted objection isn't lost: it is kept as observed, so that the log and /why say what was let through,
by whose word, and until when.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from registry.model.artifacts import Artifact
from registry.model.decisions import Effect, Objection
from registry.policy.entries import Entry, plain
from registry.policy.rules import Judge, ends

OF_NAMES = ("lookalike",)
"""Rules that object to names, which a version can't be exempted from."""
OF_FILES = (
    "content", "age", "late-file", "freeze", "scripts", "malware", "vulnerability",
    "publisher", "unattested", "attestation",
)  # fmt: skip
"""Rules that object to single files; malware also to names, which an exemption for all versions lifts."""
EXEMPTABLE = (*OF_NAMES, *OF_FILES)
"""Who wants another denial, allowance or claim changes that entry itself."""


@dataclass(frozen=True, slots=True)
class Exempted(Judge):
    """A rule's judge, and the entries that lift what it says."""

    judge: Judge
    entries: tuple[Entry, ...]

    @property
    def turns(self) -> tuple[datetime, ...]:
        """Those of the judge, and the ends of the exemptions."""
        return (*self.judge.turns, *ends(self.entries))

    @property
    def looks(self) -> bool:
        """As its judge does."""
        return self.judge.looks

    def on_name(self, now: datetime) -> Objection | None:
        """Lifted by an entry for all versions."""
        return self._lifted(self.judge.on_name(now), None, now)

    def on_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Objection | None:
        """Lifted by an entry that surely holds the version."""
        return self._lifted(self.judge.on_artifact(artifact, first_seen, now), artifact.version, now)

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Iterable[Artifact]:
        """Those of its judge; that one of them is exempted is seen when it is asked about."""
        return self.judge.suspects(artifacts, now)

    def on_publication(self, version: str, known_public: bool, now: datetime) -> Objection | None:
        """Lifted like a name, or for the version that is published."""
        return self._lifted(self.judge.on_publication(version, known_public, now), version, now)

    def _lifted(self, said: Objection | None, version: str | None, now: datetime) -> Objection | None:
        if said is None:
            return None
        speaking = (e for e in self.entries if e.in_force(now) and _covers(e, version))
        entry = max(speaking, key=lambda e: (e.until is None, e.until), default=None)
        if entry is None:
            return said
        ending = f" until {entry.until:%Y-%m-%d}" if entry.until else ""
        return msgspec.structs.replace(
            said,
            effect=Effect.OBSERVE,
            reason=plain(f"{said.reason} (exempt{ending}: {entry.reason})"),
            until=entry.until,
            remedy=entry.undo,
        )


def _covers(entry: Entry, version: str | None) -> bool:
    return entry.versions is None or (version is not None and entry.versions.holds(version) is True)


def exempted(judge: Judge, entries: Iterable[Entry]) -> Judge:
    """The judge, silenced by these entries where they count."""
    found = tuple(entries)
    return Exempted(judge, found) if found else judge
