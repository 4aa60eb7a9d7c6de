"""What is known of files, and who got what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from registry.model.artifacts import Artifact, Holding, Known
from registry.model.attestations import Attested
from registry.model.checkpoints import Checkpoint, Link
from registry.model.decisions import Decision, Refusal
from registry.model.events import Client, Event, LoggedEvent
from registry.model.indexes import Status
from registry.model.listings import Listing
from registry.model.names import Project


class Catalogue(Protocol):
    """The rows about artifacts: pins, facts, and which blobs we hold."""

    async def holding(self, project: Project, filename: str) -> Holding | None:
        """What is known of one file."""

    def at_once(self, project: Project, filename: str) -> Holding | None:
        """The same without waiting, of every file that ever came in; None for another one says nothing."""

    async def holdings(self, project: Project) -> tuple[Holding, ...]:
        """All rows of a project, by first sight then file name."""

    async def known(self, project: Project) -> Mapping[str, Known]:
        """File name → what its row says, as far as an index needs it. Cheaper than `holdings`."""

    async def remember(
        self,
        project: Project,
        artifacts: Listing | Sequence[Artifact],
        origin: str,
        now: datetime,
        vanished_as: str = "removed",
        summary: str | None = None,
    ) -> None:
        """Keep new artifacts (pinning their strongest strong digest; a listing is kept as it is), update the
        facts of known ones (never the pin; a different digest is kept in `conflict` and logged as an alarm),
        mark vanished ones `gone`, withdrawn as `removed` or `quarantined`. A public file that we hold and
        that is taken back or yanked is logged as an alarm. Files of another origin are left alone. `summary`
        is what the project says it is about, None leaves that as it is. One transaction, cheap when nothing
        changed."""

    async def hold(
        self,
        project: Project,
        filename: str,
        blob: str,
        size: int,
        event: Event,
        metadata_blob: str | None = None,
        deliveries: Sequence[Event] = (),
    ) -> None:
        """Link verified bytes to a row, and the core metadata found in them, and log the ingest and after it
        the deliveries to those who wait, in one durable transaction. They pin a row that had no pin.

        Raises NotFound for a file without a row.
        """

    async def note_mismatch(self, project: Project, filename: str, mismatch: str, event: Event) -> None:
        """Note what in a file's verified bytes contradicts its name ('' for nothing after all) and log it, in
        one durable transaction. Raises NotFound."""

    async def attach_metadata(self, project: Project, filename: str, blob: str) -> None:
        """Link core metadata extracted from the verified file."""

    async def attach_side_file(self, project: Project, filename: str, blob: str, event: Event) -> None:
        """Link the metadata file that the source offers beside a file, and log that it came in. Metadata of
        the verified file itself takes its place. Raises NotFound."""

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

    def status(self, project: Project) -> Status | None:
        """What an admin said of a private project (PEP 792), without waiting; None for an active one."""

    async def set_status(self, project: Project, status: Status | None, event: Event) -> None:
        """Say what a private project is, None for active, and log it, in one durable transaction."""

    async def projects(self, ecosystem: str, origin: str | None = None) -> tuple[str, ...]:
        """Names with rows, sorted."""

    async def summaries(self, ecosystem: str, origin: str) -> Mapping[str, str]:
        """Names with rows, sorted → what they say they are about."""

    async def undated(self, ecosystem: str) -> int:
        """How many public files there are whose source tells no time for any file of their project."""


class Attestations(Protocol):
    """Who built which file."""

    async def attested(self, project: Project) -> Mapping[str, Attested]:
        """All that is known of a project's files, by file name."""

    async def of(self, project: Project, filename: str) -> Attested | None:
        """What is known of one file."""

    async def attest(self, project: Project, attested: Attested) -> None:
        """Remember what is known of one file; durable when this returns."""


class ProvenanceLog(Protocol):
    """The append-only, hash-chained log."""

    def begin(self, event: Event, told: Callable[[int, Exception | None], None]) -> None:
        """Have it appended. `told` is called later, on the loop, with its number once it is durable, or with
        what `record` raises."""

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
