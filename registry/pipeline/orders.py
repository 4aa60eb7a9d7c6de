"""What is wanted of a source's document, and what comes of it: small, immutable, picklable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from registry.model.artifacts import Artifact, Known
from registry.model.attestations import Attested
from registry.model.decisions import Decision, Refusal
from registry.model.indexes import Document, Rendition, Representation
from registry.model.listings import Listing
from registry.model.names import Project


class Rules(Protocol):
    """The part of a policy that decides about single files."""

    @property
    def revision(self) -> str:
        """Of the policy that it is a part of."""

    @property
    def turns(self) -> tuple[datetime, ...]:
        """The moments at which entries about the project go out of force."""

    @property
    def looks(self) -> bool:
        """Whether a file can't be let in before somebody has looked at who built it."""

    def decide_name(self, now: datetime) -> Decision:
        """All objections against the project as a whole."""

    def suspects(self, artifacts: Sequence[Artifact], now: datetime) -> Collection[str]:
        """Names of those of many files that `decide` might refuse."""

    def decide(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Decision:
        """All objections against one file."""

    def deciding(self, now: datetime) -> Callable[[Artifact, datetime | None], Decision]:
        """`decide` at one moment, for many files."""


class Wanted(msgspec.Struct, frozen=True):
    """What to render: an index in one representation, one version's manifest, or the dist-tags."""

    representation: Representation | None = None
    selector: str | None = None
    form: str = "index"
    """`index`, `manifest` or `tags`."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Its part of the shelf's key."""
        shown = self.representation
        name = f"{shown.name} {shown.files}".strip() if shown else ""
        return (self.form, name, self.selector or "")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one preparation needs."""

    project: Project
    document: Document
    origin: str
    known: Mapping[str, Known]
    attested: Mapping[str, Attested] = {}
    """What is known of who built its files, by file name."""
    root: str
    """Public URL of the appliance, no trailing slash."""
    secret: bytes
    signing_key: str = ""
    """PEM of the key that private npm files are signed with; empty to leave them unsigned."""
    scratch: str = ""
    """Local directory for what is too large for memory."""
    now: datetime
    wanted: Wanted | None = None
    """None to learn the artifacts only."""
    missing_times: str = "none"
    """What an npm index tells of a version without a time: `epoch`, `first-sight` or `none`."""
    learns: bool = True
    """Whether the artifacts are wanted back; the thousands of a large index are worth leaving out."""
    filtered: bool = True
    """False for a client that is about to write a private document back."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    listing: Listing
    """The files as the source announces them now: what contradicts first sight is for the catalogue to find;
    empty where nothing was to be learned."""
    tags: Mapping[str, str]
    quarantined: bool
    """Whether its source has quarantined the whole project (PEP 792)."""
    rendition: Rendition | None
    """None when nothing was wanted, or there is no such version."""
    refusals: tuple[Refusal, ...]
    """Of the files that are withheld."""
    refused: Refusal | None
    """Set when what was wanted is itself withheld: the selected version, or every version there is."""
    revision: str
    """Of the policy that decided."""
    changes_at: datetime | None
    """When a hold ends and the rendition is no longer right."""
    alarms: tuple[str, ...]
    """Sentences about entries that were left out and digests that changed."""
    summary: str
    """What the project says it is about."""
