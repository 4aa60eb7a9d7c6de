"""What the line needs of the outside world. `pipeline/` touches it through these only.

Each port has a suite in `tests/contracts/` that every implementation passes, the tests' fakes included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from registry.model.accounts import Account, PolicyEntry, Token
from registry.model.advisories import Advisory, AdvisoryStanding, Record
from registry.model.artifacts import Artifact, Digest, Holding
from registry.model.attestations import Attested
from registry.model.checkpoints import Checkpoint, Link
from registry.model.decisions import Decision, Refusal
from registry.model.events import Client, Event, LoggedEvent
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.petitions import Petition, PetitionState
from registry.model.publications import Publication, Stocked
from registry.model.warehouse import Kept, Taken


class Clock(Protocol):
    """The time; tests bring their own."""

    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""


class Source(Protocol):
    """Where the artifacts of a project come from: an upstream, or a private back end."""

    name: str
    """What messages call it: `the upstream index`, `pypiserver`."""

    async def index(self, project: Project, previous: Document | None) -> Document | None:
        """The project's current document; None when the source has no such project.

        With `previous`, the source is asked conditionally; when nothing changed, `previous` comes back with a
        new `checked`. Raises SourceFailed, SourceTimedOut, TooLarge as SourceFailed with the setting's name,
        Unavailable (breaker open, upstream said Retry-After).
        """

    def artifact(self, artifact: Artifact) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A file's bytes as they arrive, unverified. Entering raises NotFound and what `index` raises;
        iterating raises SourceFailed when the body ends early or stalls."""


class Publisher(Protocol):
    """The writing side of a private back end."""

    async def publish(self, publication: Publication, spool: Path) -> None:
        """Hand over a verified file. Idempotent for identical bytes. Raises SourceFailed, SourceTimedOut."""

    async def amend(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Pass a change on (npm dist-tags, deprecation, unpublish); gives status and JSON body back."""


class Services(Protocol):
    """What an upstream offers besides packages, as small JSON documents. Nothing of a client is passed on but
    what the line puts into `path` and `body`."""

    name: str

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a path (percent-encoded, below the upstream's base URL); the body is empty for
        any status but 200. Raises SourceFailed, SourceTimedOut, Unavailable."""

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The same for a JSON body that is sent there."""


class Staging(Protocol):
    """A blob being written: it exists for nobody until it is committed."""

    path: Path
    """Readable by this process while it grows."""
    size: int
    """Bytes in the file so far, readable at `path`; an implementation may lag a little behind `write`."""
    digests: tuple[Digest, ...]
    """sha512 and sha256 as computed, once committed; empty before."""

    async def write(self, chunk: bytes) -> None:
        """Append. Raises Unavailable when the volume is full or broken."""

    async def commit(self, expected: Sequence[Digest], size: int | None = None) -> str:
        """Check every expected digest (and size), make durable and visible; gives the sha256 (hex).

        Raises IntegrityFailed (the message names both digests) and Unavailable; then nothing was kept.
        fsync file → rename → fsync directory, before this returns.
        """

    async def discard(self) -> None:
        """Throw it away; safe to call at any time, also after commit (then without effect)."""


class Blobs(Protocol):
    """Verified bytes by their sha256."""

    async def stage(self, size_hint: int | None = None) -> Staging:
        """Begin a blob. Raises Unavailable (volume full, missing, another one, read-only)."""

    async def find(self, sha256: str) -> Path | None:
        """Where the blob lies, if it is here and has the size it had when committed."""

    async def put(self, data: bytes) -> str:
        """A small blob in one go; gives its sha256."""

    async def read(self, sha256: str) -> bytes | None:
        """A small blob's bytes, verified; None if it isn't here."""


class Documents(Protocol):
    """The sources' documents, kept so that an outage is invisible."""

    async def get(self, project: Project) -> Document | None:
        """The kept document, verified against its recorded sha256; None if there is none (or it rotted).
        One that is too large for memory comes as the path of its file, for whoever reads it to verify."""

    async def put(self, project: Project, document: Document) -> None:
        """Keep it, its file as a copy; only `checked`, `etag` and `last_modified` are rewritten when the body
        is unchanged."""

    async def drop(self, project: Project) -> None:
        """Forget it."""

    async def known(self, project: Project) -> bool:
        """Whether a document is kept, without reading it."""

    async def names(self, ecosystem: str) -> tuple[str, ...]:
        """Names of all projects with a kept document, sorted."""


class Catalogue(Protocol):
    """The rows about artifacts: pins, facts, and which blobs we hold."""

    async def holding(self, project: Project, filename: str) -> Holding | None:
        """The row of one file."""

    async def holdings(self, project: Project) -> tuple[Holding, ...]:
        """All rows of a project, by first sight then file name."""

    async def pins(self, project: Project) -> Mapping[str, Digest]:
        """File name → the digest of first sight."""

    async def remember(
        self,
        project: Project,
        artifacts: Sequence[Artifact],
        origin: str,
        now: datetime,
        vanished_as: str = "removed",
    ) -> None:
        """Insert rows for new artifacts (pinning their strongest strong digest), update the facts of known
        ones (never the pin; a different digest is kept in `conflict` and logged as an alarm), mark vanished
        ones `gone`, withdrawn as `removed` or `quarantined`. A public file that we hold and that is taken
        back or yanked is logged as an alarm. Files of another origin are left alone. One transaction, cheap
        when nothing changed."""

    async def hold(self, project: Project, filename: str, blob: str, size: int, event: Event) -> None:
        """Link verified bytes to a row and log the ingest, in one durable transaction. They pin a row that
        had no pin. Raises NotFound for a file without a row."""

    async def attach_metadata(self, project: Project, filename: str, blob: str) -> None:
        """Link core metadata extracted from the verified file."""

    async def release(self, project: Project, filename: str) -> None:
        """Forget that we hold the bytes (they rotted or were collected); the pin stays."""

    async def publish(
        self, artifact: Artifact, metadata_blob: str | None, event: Event, *, claimed: bool = False
    ) -> None:
        """Insert a private file's row and log its publication, in one durable transaction. Raises Conflict
        when the file name was ever used with other bytes or was unpublished, or the project is known as
        public and not `claimed` by an operator. The same bytes once more change and log nothing."""

    async def yank(
        self, project: Project, filenames: Sequence[str], reason: str | None, event: Event
    ) -> None:
        """Mark private files yanked for a reason ('' for none given), or not yanked (None), and log it.
        Raises NotFound for a file that isn't published here."""

    async def retire(self, project: Project, filenames: Sequence[str], event: Event) -> None:
        """Mark private files unpublished (their names are never reused) and log it."""

    async def origin(self, project: Project) -> str | None:
        """`private` when anything was ever published here, `public` when rows from upstream exist, else
        None."""

    async def projects(self, ecosystem: str, origin: str | None = None) -> tuple[str, ...]:
        """Names with rows, sorted."""

    async def undated(self, ecosystem: str) -> int:
        """How many public files there are whose source tells no time for any file of their project."""


class Attestations(Protocol):
    """Who built which file."""

    async def attested(self, project: Project) -> Mapping[str, Attested]:
        """All that is known of a project's files, by file name."""

    async def attest(self, project: Project, attested: Attested) -> None:
        """Remember what is known of one file; durable when this returns."""


class Stock(Protocol):
    """What lies in a private back end, whatever our rows say."""

    async def stocked(self) -> tuple[Stocked, ...]:
        """Every file that it has. Raises SourceFailed, SourceTimedOut."""

    def content(self, stocked: Stocked) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The file's bytes as they arrive, unverified."""

    async def remove(self, stocked: Stocked) -> None:
        """Take the file's whole version out of it; no failure where it is gone. Raises like `stocked`."""


class ProvenanceLog(Protocol):
    """The append-only, hash-chained log."""

    async def record(self, event: Event) -> int:
        """Append; returns its number once it is durable. Raises Unavailable (disk full, locked): then
        whatever it was about doesn't happen."""

    async def events(
        self,
        *,
        kinds: Sequence[str] = (),
        project: Project | None = None,
        version: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[LoggedEvent, ...]:
        """The newest matching rows, newest first."""

    def replay(self, after: int = 0) -> AsyncIterator[LoggedEvent]:
        """All rows in order, for verifying and exporting."""


class Checkpoints(Protocol):
    """Signed statements about the log, its rows as they are stored, and the one way for rows to leave it."""

    async def seal(self, sign: Callable[[int, str], Checkpoint]) -> Checkpoint | None:
        """Have the newest row signed (number, hash) and keep what was signed; the kept one where that row has
        one already, None for an empty log."""

    async def newest(self) -> int:
        """Number of the log's newest row; 0 for none. A point look-up."""

    async def base(self) -> Checkpoint | None:
        """What the log begins after, where rows were taken out."""

    async def heads(self, after: int, limit: int) -> tuple[Checkpoint, ...]:
        """Checkpoints about rows after this one, in order, so many at most."""

    async def links(self, after: int, limit: int) -> Sequence[Link]:
        """Rows after this one, in order, so many at most."""

    async def newest_before(self, at: str) -> int:
        """Number of the last of the rows at the log's beginning that are all older than `at`, which is
        written as the log does (2026-11-21T22:37:00.000000Z); 0 for none."""

    async def prune(self, base: Checkpoint, event: Event) -> int:
        """Take out all rows up to that of `base`, which takes their place, and log the act; gives how many.
        Raises Conflict when that row has another hash."""


class Warehouse(Protocol):
    """What lies on the volume of public files as a whole; private files aren't here."""

    async def measure(self) -> Kept:
        """Counted from the files. Raises Unavailable."""

    async def collect(self, *, dry_run: bool) -> Taken:
        """Remove files that no row names, once they are a day old."""

    async def shrink(self, quota: int, *, dry_run: bool) -> Taken:
        """Give up files, the least recently used first, until the rest takes `quota` bytes or less. Pins
        stay, and so does what was asked for within the hour."""

    async def note_uses(self) -> None:
        """Write down when files were asked for."""

    async def blobs(self, after: str, limit: int) -> tuple[tuple[str, int], ...]:
        """Names (sha256) and sizes of files after that name, in order, so many at most."""

    async def sound(self, sha256: str) -> bool:
        """Whether a file has its bytes, hashed now; one that doesn't is put aside with an alarm."""

    async def holders(self, sha256: str) -> tuple[Holding, ...]:
        """The rows that need these bytes."""

    async def position(self) -> str:
        """The name after which checking goes on; empty to begin anew."""

    async def set_position(self, sha256: str) -> None:
        """Note how far checking has come."""


class OfflineSwitch(Protocol):
    """Whether the appliance may ask upstreams at all; holds over restarts and in every process."""

    @property
    def on(self) -> bool:
        """Whether no upstream is asked. Costs nothing."""

    async def turn(self, *, on: bool, event: Event) -> None:
        """Set it and log the act, in one durable transaction."""


class Refusals(Protocol):
    """Refusals, aggregated so that a client in a loop can't fill the disk."""

    async def note(self, refusal: Refusal, client: Client, now: datetime) -> None:
        """Count a refusal that a client met; the first of this client and refusal id within an hour makes the
        log's event (kind REFUSAL), later ones only count."""

    async def disclose(self, refusals: Sequence[Refusal], now: datetime) -> None:
        """Keep refusals that an index shows (withheld versions), so that their /why/ pages exist; no client
        has met them yet. Cheap when they are known."""

    async def explain(self, refusal_id: str) -> tuple[Decision, datetime] | None:
        """The decision behind a /why/ id and when it was first made; never who asked."""


class Shelf(Protocol):
    """Rendered indexes, ready to be sent. Small and fast; may forget anything at any time."""

    def get(self, key: tuple[str, ...]) -> object | None:
        """What was put under the key."""

    def put(self, key: tuple[str, ...], entry: object, size: int) -> None:
        """Keep `entry`, which counts for `size` bytes."""

    def drop(self, prefix: tuple[str, ...]) -> None:
        """Forget all keys that begin so."""


class PolicyStore(Protocol):
    """What operators decided by command, API or page."""

    async def entries(self) -> tuple[PolicyEntry, ...]:
        """Those in force (not removed), oldest first; ended ones included, the engine reads `until`."""

    async def add(self, entry: PolicyEntry, event: Event) -> PolicyEntry:
        """Store it and log the act, in one durable transaction; gives it back with its id."""

    async def add_all(self, entries: Sequence[PolicyEntry], event: Event) -> None:
        """Store many and log the one act, in one durable transaction."""

    async def remove(self, entry_id: int, event: Event) -> PolicyEntry:
        """Take it out of force (the row stays) and log the act. Raises NotFound."""


class Advisories(Protocol):
    """What is known to be malicious or vulnerable."""

    @property
    def generation(self) -> int:
        """Grows whenever any answer could differ."""

    def about(self, project: Project) -> tuple[Advisory, ...]:
        """Everything that is said about a project, in microseconds."""

    def standing(self) -> AdvisoryStanding:
        """What was imported so far."""

    async def put(self, records: Sequence[Record]) -> int:
        """Keep a batch, and forget what earlier versions of these advisories said. Gives how many were news:
        one that was modified no later than the kept one changes nothing."""

    async def settle(self, now: datetime, event: Event) -> AdvisoryStanding:
        """End an import: from now on it counts. Logs the act in the same transaction."""


class Petitions(Protocol):
    """Requests to let pass what was refused."""

    async def ask(self, petition: Petition, event: Event) -> Petition:
        """Store it and log the act, in one durable transaction. Where one about the same refusal is open,
        that one comes back and nothing is stored. Raises TooMany: of one address, or in all."""

    async def petitions(self, state: PetitionState | None = None, limit: int = 1_000) -> tuple[Petition, ...]:
        """The newest first."""

    async def petition(self, number: int) -> Petition:
        """One by its number. Raises NotFound."""

    async def about(self, refusal: str) -> Petition | None:
        """The newest about a refusal."""

    async def answer(
        self, number: int, state: PetitionState, answer: str, by: str, at: datetime, event: Event
    ) -> Petition:
        """Close an open one and log the act. Raises NotFound and Conflict (answered already)."""


class Accounts(Protocol):
    """Account and token rows; identity decides, this keeps. Every change logs its event in the same
    transaction."""

    async def accounts(self) -> tuple[Account, ...]:
        """All, by name."""

    async def put_account(self, account: Account, event: Event) -> None:
        """Insert or replace."""

    async def remove_account(self, name: str, event: Event) -> None:
        """Remove it and revoke its tokens. Raises NotFound."""

    async def tokens(self, account: str | None = None) -> tuple[Token, ...]:
        """All, revoked ones included, newest first."""

    async def token(self, token_id: str) -> Token | None:
        """One, by its public id."""

    async def put_token(self, token: Token, event: Event) -> None:
        """Insert."""

    async def revoke_token(self, token_id: str, at: datetime, event: Event) -> None:
        """Revoke. Raises NotFound."""


class Spool(Protocol):
    """Where an upload lies until it was checked."""

    path: Path

    def open(self) -> IO[bytes]:
        """For reading."""


__all__ = [
    "Accounts",
    "Advisories",
    "Attestations",
    "Blobs",
    "Catalogue",
    "Checkpoints",
    "Clock",
    "Documents",
    "OfflineSwitch",
    "Petitions",
    "PolicyStore",
    "ProvenanceLog",
    "Publisher",
    "Refusal",
    "Refusals",
    "Services",
    "Shelf",
    "Source",
    "Spool",
    "Staging",
    "Stock",
    "Warehouse",
]
