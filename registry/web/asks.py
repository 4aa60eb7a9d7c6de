"""What requests to the API bring: path, query and body of each, as one value.

Every field is declared, and an unknown one is a mistake that the answer names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from registry.model.accounts import EntryKind
from registry.model.advisories import Record
from registry.model.petitions import PetitionState
from registry.pipeline.cache_operations import Wish
from registry.pipeline.decrees import Decree
from registry.pipeline.policy_operations import Pin

Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class ById(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing by its id."""

    id: str


class ByName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing by its name."""

    name: str


class Paged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A page of a list; `next` of an answer is the `offset` of the next one."""

    limit: Limit = 100
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class ExplainAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A name, or a version of it."""

    ecosystem: str
    name: str
    version: str | None = None


class WhoAsk(ExplainAsk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A project, or a version of it, and a page of its recipients."""

    limit: Limit = 100
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


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


class CheckAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The entries of a lock file."""

    pins: tuple[Pin, ...]


class SinceAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From when on."""

    since: datetime


class ReplayAsk(SinceAsk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another policy.toml, and the requests to try it on."""

    text: str


class EntryRemoval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A decision to take back, and why."""

    id: int
    reason: str


class NumberAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing by its number."""

    id: int


class NewRecall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to call back."""

    ecosystem: str
    name: str
    version: str = ""
    """A version or a range; empty for all of the project."""
    reason: str


class Disconnection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether no upstream is to be asked."""

    on: bool
    reason: str


class PetitionsAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which requests to let something pass."""

    state: PetitionState | None = None


class PetitionAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An answer to a request, and why."""

    id: int
    reason: str


class PetitionGrant(PetitionAnswer, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A yes, and for how many days."""

    days: int | None = None


class NamesUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another list of known names: one a line, the most popular first."""

    ecosystem: str
    text: str


class AdvisoryBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Some of the advisories of an import."""

    records: tuple[Record, ...]


class AdvisoryImport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The end of an import: where it came from, how many were read, and how many were news."""

    source: str
    read: int
    news: int


class Collecting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to tidy up."""

    quota: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Bytes; the one in the settings when left out."""
    dry_run: bool = False


class Scrubbing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to check for rot."""

    anew: bool = False
    """Not to go on where the last one was called off."""


class Warming(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to bring in."""

    wishes: tuple[Wish, ...]
    dry_run: bool = False


class LogAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which rows of the log; `next` of an answer is the `before` of the next page."""

    kinds: str = ""
    """Several with commas: `refusal,alarm`; empty for all."""
    ecosystem: str | None = None
    name: str | None = None
    version: str | None = None
    actor: str | None = None
    since: datetime | None = None
    before: int | None = None
    limit: Limit = 100


class HeldCheckpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A checkpoint that was kept elsewhere, all of it; nothing for none."""

    kind: Literal["head", "base"] = "head"
    seq: int = 0
    hash: str = ""
    at: str = ""
    key: str = ""
    signature: str = ""


class ExportAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which rows of the log; `next` of an answer is the `after` of the next page."""

    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    through: int | None = None
    """The last row wanted."""
    limit: Limit = 500


class BeforeAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A moment."""

    at: datetime


class Pruning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rows to take out of the log."""

    through: Annotated[int, msgspec.Meta(ge=1)]
    """The last of them."""
    hash: str
    """Of that row, as the export has it."""
    reason: str


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account to make."""

    name: str
    password: str
    admin: bool = False


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another password for an account."""

    name: str
    password: str


class TokensAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which tokens."""

    account: str | None = None


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A token to make."""

    account: str
    note: str = ""
    scope: Literal["read", "publish", "admin"] = "publish"
    days: int | None = None
    """For how long; for ever when left out."""


class CacheAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which part of the cache."""

    ecosystem: str | None = None
