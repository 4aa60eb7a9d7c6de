"""The ports in memory, for tests of what stands behind them. Each passes the suite of its port in contracts/."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import secrets
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from registry.errors import Conflict, IntegrityFailed, NotFound, TooMany, Unavailable
from registry.model.accounts import Account, PolicyEntry, Token
from registry.model.advisories import Advisory, AdvisoryStanding, Affected, Record
from registry.model.artifacts import STRENGTH, Artifact, Digest, Holding, Known
from registry.model.attestations import Attested, vouched
from registry.model.blobs import Blob
from registry.model.checkpoints import Checkpoint, Link
from registry.model.decisions import Decision, Refusal
from registry.model.events import Client, Event, Kind, LoggedEvent
from registry.model.indexes import Document, Status
from registry.model.listings import Listing
from registry.model.moments import Mark
from registry.model.names import Project
from registry.model.petitions import Petition, PetitionState
from registry.model.warehouse import Kept, Taken, Verified
from registry.provenance import chain
from registry.provenance.checkpoints import LogKey
from registry.storage import pinning
from registry.storage.petitions import PER_ADDRESS

_replace = msgspec.structs.replace
T = TypeVar("T")
HOUR = timedelta(hours=1)


class FixedClock:
    """A machine's clock that is moved by hand."""

    def __init__(self, now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)) -> None:
        self._now = now
        self._seconds = 1_000.0
        self._boots = 1

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, **time: float) -> None:
        step = timedelta(**time)
        self._now += step
        self._seconds += step.total_seconds()

    def running(self) -> tuple[str, float]:
        return f"boot {self._boots}", self._seconds

    def set(self, **time: float) -> None:
        """Somebody sets it: it moves, and no time has gone by."""
        self._now += timedelta(**time)

    def boot(self) -> None:
        """The machine was off, nobody knows for how long."""
        self._boots, self._seconds = self._boots + 1, 30.0


class LogInMemory:
    """ProvenanceLog; `failure` is raised by every append while it is set."""

    def __init__(self) -> None:
        self.rows: list[LoggedEvent] = []
        self.failure: Exception | None = None

    def append(self, event: Event) -> int:
        if self.failure is not None:
            raise self.failure
        previous = self.rows[-1].hash if self.rows else chain.GENESIS
        found = chain.row_hash(previous, chain.canonical(event))
        number = self.rows[-1].seq + 1 if self.rows else 1
        self.rows.append(LoggedEvent(seq=number, previous=previous, hash=found, event=event))
        return number

    def of_kind(self, kind: Kind) -> list[Event]:
        return [row.event for row in self.rows if row.event.kind is kind]

    def begin(self, event: Event, told: Callable[[int, Exception | None], None]) -> None:
        asyncio.get_running_loop().call_soon(told, self.append(event), None)

    async def record(self, event: Event) -> int:
        return self.append(event)

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
        return tuple(
            row
            for row in reversed(self.rows)
            if (not kinds or row.event.kind.value in kinds)
            and project in {None, row.event.project}
            and version in {None, row.event.version}
            and actor in {None, row.event.actor}
            and (since is None or row.event.at >= since)
            and (before is None or row.seq < before)
        )[:limit]

    async def replay(self, after: int = 0) -> AsyncIterator[LoggedEvent]:
        for row in list(self.rows):
            if row.seq > after:
                yield row


class KeyInHand:
    """The log's key, where no file keeps it."""

    def __init__(self, key: LogKey) -> None:
        self._key = key

    def current(self) -> LogKey:
        return self._key

    def replace(self, pem: str) -> None:
        self._key = LogKey(pem)


class CheckpointsInMemory:
    """Checkpoints over a log in memory."""

    def __init__(self, log: LogInMemory) -> None:
        self.log = log
        self.kept: list[Checkpoint] = []

    async def seal(self, sign: Callable[[int, str], Checkpoint]) -> Checkpoint | None:
        if not self.log.rows:
            return None
        newest = self.log.rows[-1]
        made = next((c for c in self.kept if c.kind == "head" and c.seq == newest.seq), None)
        if made is None:
            made = sign(newest.seq, newest.hash)
            self.kept.append(made)
        return made

    async def newest(self) -> int:
        return self.log.rows[-1].seq if self.log.rows else 0

    async def base(self) -> Checkpoint | None:
        bases = [c for c in self.kept if c.kind == "base"]
        return max(bases, key=lambda c: c.seq, default=None)

    async def heads(self, after: int, limit: int) -> tuple[Checkpoint, ...]:
        found = (c for c in self.kept if c.kind == "head" and c.seq > after)
        return tuple(sorted(found, key=lambda c: c.seq)[:limit])

    async def links(self, after: int, limit: int) -> Sequence[Link]:
        rows = [row for row in self.log.rows if row.seq > after][:limit]
        return [Link(row.seq, row.previous, row.hash, chain.canonical(row.event)) for row in rows]

    async def newest_before(self, at: str) -> int:
        moment = datetime.fromisoformat(at)
        older = itertools.takewhile(lambda row: row.event.at < moment, self.log.rows)
        return max((row.seq for row in older), default=0)

    async def prune(self, base: Checkpoint, event: Event) -> int:
        at = next((row for row in self.log.rows if row.seq == base.seq), None)
        if at is None or at.hash != base.hash:
            raise Conflict("another row")
        self.kept.append(base)
        self.log.append(event)
        before = len(self.log.rows)
        self.log.rows[:] = [row for row in self.log.rows if row.seq > base.seq]
        return before - len(self.log.rows)


class PlaceAtHand:
    """A place whose calls are made there and then; one that isn't `local` is only treated as a distant one."""

    def __init__(self, *, local: bool = True) -> None:
        self.local = local

    async def quickly(self, function: Callable[[], T]) -> T:
        return await self.run(function)

    async def run(self, function: Callable[[], T], work: int = 0) -> T:
        try:
            return function()
        except OSError as error:
            raise Unavailable(f"The place failed ({error.strerror}).") from error

    def later(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(Exception):
            function()


class StagingInDirectory:
    """A blob being written to a plain file, without any durability."""

    def __init__(self, blobs: BlobsInDirectory) -> None:
        self.path = blobs.root / f"{secrets.token_hex(8)}.temp"
        self.size = 0
        self.digests: tuple[Digest, ...] = ()
        self._blobs = blobs
        self._open = True
        self.path.touch()

    async def write(self, chunk: bytes) -> None:
        if self._blobs.failure is not None:
            raise self._blobs.failure
        with self.path.open("ab") as file:
            file.write(chunk)
        self.size += len(chunk)

    async def commit(self, expected: Sequence[Digest], size: int | None = None) -> str:
        data = self.path.read_bytes()
        wrong = [
            d
            for d in expected
            if d.algorithm not in STRENGTH or hashlib.new(d.algorithm, data).hexdigest() != d.hex
        ]
        if self._blobs.failure is not None or wrong or size not in {None, len(data)}:
            await self.discard()
            raise self._blobs.failure or IntegrityFailed(
                f"{len(data)} bytes with sha256:{hashlib.sha256(data).hexdigest()} arrived, announced were"
                f" {size} bytes with {', '.join(map(str, expected))}."
            )
        sha256 = hashlib.sha256(data).hexdigest()
        self._open = False
        self.path = self.path.rename(self._blobs.root / sha256)
        self.digests = (Digest("sha512", hashlib.sha512(data).hexdigest()), Digest("sha256", sha256))
        return sha256

    async def discard(self) -> None:
        if self._open:
            self._open = False
            self.path.unlink()


class BlobsInDirectory:
    """Blobs as plain files; `failure` is raised by every write while it is set."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir(exist_ok=True)
        self.failure: Exception | None = None
        self.place = PlaceAtHand()
        self.used: dict[str, float] = {}
        """When blobs were asked for."""

    async def stage(self, size_hint: int | None = None) -> StagingInDirectory:
        if self.failure is not None:
            raise self.failure
        return StagingInDirectory(self)

    async def find(self, sha256: str) -> Path | None:
        path = self.root / sha256
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return None
        self.note_use(sha256)
        return path

    def at_once(self, sha256: str) -> Blob | None:
        path = self.root / sha256
        return Blob(path) if path.is_file() else None

    def note_use(self, sha256: str) -> None:
        self.used[sha256] = time.time()

    async def put(self, data: bytes) -> str:
        staging = await self.stage()
        await staging.write(data)
        return await staging.commit(())

    async def read(self, sha256: str) -> bytes | None:
        path = await self.find(sha256)
        return None if path is None else path.read_bytes()

    async def drop(self, sha256: str) -> None:
        (self.root / sha256).unlink(missing_ok=True)


class DocumentsInMemory:
    """Documents."""

    def __init__(self) -> None:
        self.kept: dict[Project, Document] = {}

    async def get(self, project: Project) -> Document | None:
        return self.kept.get(project)

    async def put(self, project: Project, document: Document) -> None:
        self.kept[project] = _replace(document, sha256=hashlib.sha256(document.body).hexdigest())

    async def drop(self, project: Project) -> None:
        self.kept.pop(project, None)

    async def standing(self, project: Project) -> Document | None:
        kept = self.kept.get(project)
        return kept and _replace(kept, body=b"")

    async def names(self, ecosystem: str) -> tuple[str, ...]:
        return tuple(sorted(project.name for project in self.kept if project.ecosystem == ecosystem))


def _looked_at(row: Holding) -> Holding:
    """As a catalogue gives it where nobody has looked at any attestation."""
    return msgspec.structs.replace(row, artifact=vouched(row.artifact, None))


class CatalogueInMemory:
    """Catalogue."""

    def __init__(self, log: LogInMemory) -> None:
        self.rows: dict[tuple[Project, str], Holding] = {}
        self.statuses: dict[Project, Status] = {}
        self._private: set[Project] = set()
        self._summaries: dict[Project, str] = {}
        self._log = log

    async def holding(self, project: Project, filename: str) -> Holding | None:
        return self.at_once(project, filename)

    def at_once(self, project: Project, filename: str) -> Holding | None:
        row = self.rows.get((project, filename))
        return None if row is None else _looked_at(row)

    async def holdings(self, project: Project) -> tuple[Holding, ...]:
        rows = [_looked_at(row) for (of, _), row in self.rows.items() if of == project]
        return tuple(sorted(rows, key=lambda row: (row.first_seen, row.artifact.filename)))

    async def known(self, project: Project) -> Mapping[str, Known]:
        return {
            row.artifact.filename: Known(
                row.first_seen,
                row.pin,
                row.blob is not None,
                row.metadata_blob,
                row.blob_size,
                row.artifact.mismatch,
            )
            for row in await self.holdings(project)
        }

    async def remember(
        self,
        project: Project,
        artifacts: Listing | Sequence[Artifact],
        origin: str,
        now: datetime,
        vanished_as: str = "removed",
        summary: str | None = None,
    ) -> None:
        artifacts = artifacts.artifacts if isinstance(artifacts, Listing) else artifacts
        if summary is not None:
            self._summaries[project] = summary
        for artifact in artifacts:
            key = (project, artifact.filename)
            known = self.rows.get(key)
            if known is None:
                self.rows[key] = pinning.first_seen(artifact, origin, now)
            elif known.origin == origin:
                self.rows[key] = pinning.seen_again(known, artifact)
                self._tell(known, self.rows[key], now)
        listed = {artifact.filename for artifact in artifacts}
        for row in await self.holdings(project):
            if row.origin == origin and row.artifact.filename not in listed:
                gone = self.rows[project, row.artifact.filename] = pinning.taken_back(row, vanished_as)
                self._tell(row, gone, now)

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
        known = self._known(project, filename)
        for each in (event, *deliveries):
            self._log.append(each)
        self.rows[project, filename] = pinning.held(known, blob, size, metadata_blob)

    async def note_mismatch(self, project: Project, filename: str, mismatch: str, event: Event) -> None:
        known = self._known(project, filename)
        self._log.append(event)
        self.rows[project, filename] = pinning.mismatched(known, mismatch)

    async def attach_metadata(self, project: Project, filename: str, blob: str) -> None:
        self.rows[project, filename] = pinning.with_metadata(self._known(project, filename), blob)

    async def attach_side_file(self, project: Project, filename: str, blob: str, event: Event) -> None:
        known = self._known(project, filename)
        self._log.append(event)
        self.rows[project, filename] = _replace(known, side_blob=blob)

    async def release(self, project: Project, filename: str) -> None:
        if (project, filename) in self.rows:
            self.rows[project, filename] = _replace(self.rows[project, filename], blob=None, blob_size=None)

    async def publish(
        self, artifact: Artifact, metadata_blob: str | None, event: Event, *, claimed: bool = False
    ) -> None:
        key = (artifact.project, artifact.filename)
        known = self.rows.get(key)
        if known is not None:
            pinning.require_same(known, artifact)
            if known.origin == "private":
                return
        if await self.origin(artifact.project) == "public" and not claimed:
            raise Conflict("The name is public.")
        self._log.append(event)
        fresh = known or pinning.first_seen(artifact, "private", event.at)
        self.rows[key] = _replace(fresh, origin="private", metadata_blob=metadata_blob, gone=False)
        self._private.add(artifact.project)

    async def yank(
        self, project: Project, filenames: Sequence[str], reason: str | None, event: Event
    ) -> None:
        rows = [self._known(project, filename) for filename in filenames]
        if any(row.origin != "private" or row.gone for row in rows):
            raise NotFound("Not published here.")
        self._log.append(event)
        for row in rows:
            yanked = _replace(row, artifact=_replace(row.artifact, yanked=reason))
            self.rows[project, row.artifact.filename] = yanked

    async def retire(self, project: Project, filenames: Sequence[str], event: Event) -> None:
        rows = [self._known(project, filename) for filename in filenames]
        if any(row.origin != "private" for row in rows):
            raise NotFound("It was not published here.")
        self._log.append(event)
        for filename, row in zip(filenames, rows, strict=True):
            self.rows[project, filename] = _replace(row, gone=True)

    async def origin(self, project: Project) -> str | None:
        if project in self._private:
            return "private"
        return "public" if any(of == project for of, _ in self.rows) else None

    async def undated(self, ecosystem: str) -> int:
        rows = [row for (of, _), row in self.rows.items() if of.ecosystem == ecosystem]
        return sum(row.artifact.undated and row.origin == "public" and not row.gone for row in rows)

    def status(self, project: Project) -> Status | None:
        return self.statuses.get(project)

    async def set_status(self, project: Project, status: Status | None, event: Event) -> None:
        self._log.append(event)
        self.statuses.pop(project, None)
        if status is not None:
            self.statuses[project] = status

    async def projects(self, ecosystem: str, origin: str | None = None) -> tuple[str, ...]:
        of = {project for project, _ in self.rows if project.ecosystem == ecosystem}
        return tuple(sorted([p.name for p in of if origin in {None, await self.origin(p)}]))

    async def summaries(self, ecosystem: str, origin: str) -> Mapping[str, str]:
        names = await self.projects(ecosystem, origin)
        return {name: self._summaries.get(Project(ecosystem, name), "") for name in names}

    def _known(self, project: Project, filename: str) -> Holding:
        if (project, filename) not in self.rows:
            raise NotFound(f"{filename} is not known.")
        return self.rows[project, filename]

    def _tell(self, before: Holding, after: Holding, now: datetime) -> None:
        for alarm in pinning.alarms(before, after, now):
            self._log.append(alarm)


class RefusalsInMemory:
    """Refusals."""

    def __init__(self, log: LogInMemory) -> None:
        self.counts: Counter[tuple[datetime, str, str, str]] = Counter()
        self._explained: dict[str, tuple[Decision, datetime]] = {}
        self._log = log

    async def note(self, refusal: Refusal, client: Client, now: datetime) -> None:
        await self.disclose([refusal], now)
        hour = now.replace(minute=0, second=0, microsecond=0)
        key = (hour, client.actor, client.address, refusal.id)
        if key not in self.counts:
            subject = refusal.decision.subject
            self._log.append(
                Event(
                    kind=Kind.REFUSAL,
                    at=now,
                    actor=client.actor,
                    project=subject.project,
                    version=subject.version,
                    filename=subject.filename,
                    address=client.address,
                    agent=client.agent,
                    detail={"why": refusal.id},
                )
            )
        self.counts[key] += 1

    async def disclose(self, refusals: Sequence[Refusal], now: datetime) -> None:
        for refusal in refusals:
            self._explained.setdefault(refusal.id, (refusal.decision, now))

    async def explain(self, refusal_id: str) -> tuple[Decision, datetime] | None:
        return self._explained.get(refusal_id)


class WarehouseInDirectory:
    """Warehouse over blobs as plain files; there are no documents, and nothing is kept of what was damaged."""

    def __init__(
        self, catalogue: CatalogueInMemory, blobs: BlobsInDirectory, adoptions: AdoptionsInMemory
    ) -> None:
        self.at = ""
        self._adoptions = adoptions
        self._catalogue = catalogue
        self._blobs = blobs

    async def measure(self) -> Kept:
        rows, files = self._rows(), self._files()
        sizes = [path.stat().st_size for path in files if path.name in rows]
        orphans = [path.stat().st_size for path in files if path.name not in rows]
        return Kept(
            files=len(sizes),
            bytes=sum(sizes),
            documents=0,
            documents_bytes=0,
            orphans=len(orphans),
            orphans_bytes=sum(orphans),
            adopted=len(self._adoptions.adopted.keys() - rows.keys()),
            neighbours=0,
            damaged=0,
            damaged_bytes=0,
            free=shutil.disk_usage(self._blobs.root).free,
        )

    async def collect(self, *, dry_run: bool) -> Taken:
        rows, oldest = {*self._rows(), *self._adoptions.adopted}, time.time() - 24 * 3600
        return self._taken(
            [path for path in self._files() if path.name not in rows and path.stat().st_mtime < oldest],
            dry_run=dry_run,
        )

    async def shrink(self, quota: int, *, dry_run: bool) -> Taken:
        rows, hour_ago = self._rows(), time.time() - 3600
        used = {path: self._blobs.used.get(path.name, 0.0) for path in self._files() if path.name in rows}
        left, chosen = sum(path.stat().st_size for path in used), []
        for path in sorted(used, key=lambda path: used[path] or rows[path.name].first_seen.timestamp()):
            if left > quota and used[path] < hour_ago:
                left -= path.stat().st_size
                chosen.append(path)
        for path in chosen if not dry_run else ():
            row = rows[path.name]
            await self._catalogue.release(row.artifact.project, row.artifact.filename)
        return self._taken(chosen, dry_run=dry_run)

    async def note_uses(self) -> None:
        return None

    async def blobs(self, after: str, limit: int) -> tuple[tuple[str, int], ...]:
        found = [(path.name, path.stat().st_size) for path in self._files() if path.name > after]
        return tuple(sorted(found)[:limit])

    async def unnamed(self) -> tuple[tuple[str, int], ...]:
        rows = self._rows()
        return tuple(pair for pair in await self.blobs("", len(self._files())) if pair[0] not in rows)

    async def sound(self, sha256: str) -> bool:
        path = self._blobs.root / sha256
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return True
        path.unlink()
        return False

    async def holders(self, sha256: str) -> tuple[Holding, ...]:
        rows = self._catalogue.rows.values()
        return tuple(
            row for row in rows if sha256 in {row.blob, row.metadata_blob} and row.origin == "public"
        )

    async def position(self) -> str:
        return self.at

    async def set_position(self, sha256: str) -> None:
        self.at = sha256

    def _rows(self) -> dict[str, Holding]:
        rows = self._catalogue.rows.values()
        return {row.blob: row for row in rows if row.blob and row.origin == "public"}

    def _files(self) -> list[Path]:
        return [path for path in self._blobs.root.iterdir() if len(path.name) == 64]

    def _taken(self, paths: Sequence[Path], *, dry_run: bool) -> Taken:
        sizes = [path.stat().st_size for path in paths]
        for path in paths if not dry_run else ():
            path.unlink()
        return Taken(files=len(sizes), bytes=sum(sizes))


class AdoptionsInMemory:
    """Adoptions of blobs as plain files; they wait for ever."""

    def __init__(self, blobs: BlobsInDirectory) -> None:
        self.adopted: dict[str, Verified] = {}
        self._blobs = blobs

    async def adopt(self, sha256: str, size: int) -> bool:
        path = await self._blobs.find(sha256)
        if path is None:
            (self._blobs.root / sha256).unlink(missing_ok=True)
            return False
        digests = tuple(
            Digest(a, hashlib.new(a, path.read_bytes()).hexdigest()) for a in ("sha512", "sha256")
        )
        self.adopted[sha256] = Verified(path=path, sha256=sha256, size=size, digests=digests)
        return True

    async def announced(self, digests: Sequence[Digest], size: int | None) -> Verified | None:
        for each in self.adopted.values():
            if digests and set(digests) <= set(each.digests) and size in {None, each.size}:
                return each if await self._blobs.find(each.sha256) else None
        return None

    async def waiting(self) -> frozenset[str]:
        return frozenset(self.adopted)


class OfflineSwitchInMemory:
    """OfflineSwitch."""

    def __init__(self, log: LogInMemory) -> None:
        self.log = log
        self.on = False

    async def turn(self, *, on: bool, event: Event) -> None:
        self.log.append(event)
        self.on = on


class ClockMarksInMemory:
    """ClockMarks."""

    def __init__(self, log: LogInMemory) -> None:
        self._log = log
        self._mark: Mark | None = None

    def kept(self) -> Mark | None:
        return self._mark

    def logged(self) -> datetime | None:
        return self._log.rows[-1].event.at if self._log.rows else None

    def keep(self, mark: Mark) -> None:
        if self._mark is None or self._mark.accepted <= mark.accepted:
            self._mark = mark

    async def settle(self, mark: Mark, event: Event) -> None:
        self._log.append(event)
        self._mark = mark


class PetitionsInMemory:
    """Petitions."""

    def __init__(self, log: LogInMemory) -> None:
        self._rows: dict[int, Petition] = {}
        self._log = log

    async def ask(self, petition: Petition, event: Event) -> Petition:
        for row in self._rows.values():
            if row.refusal == petition.refusal and row.state == "open":
                return row
        recent = [
            r for r in self._rows.values() if r.address == petition.address and r.at > petition.at - HOUR
        ]
        if len(recent) >= PER_ADDRESS:
            raise TooMany("Too many requests wait for an admin; talk to one, or try again in an hour.")
        self._log.append(event)
        number = len(self._rows) + 1
        self._rows[number] = _replace(petition, id=number)
        return self._rows[number]

    async def petitions(self, state: PetitionState | None = None) -> tuple[Petition, ...]:
        return tuple(row for row in reversed(self._rows.values()) if state in {None, row.state})

    async def petition(self, number: int) -> Petition:
        if number not in self._rows:
            raise NotFound(f"There is no request {number}.")
        return self._rows[number]

    async def about(self, refusal: str) -> Petition | None:
        return next((row for row in await self.petitions() if row.refusal == refusal), None)

    async def answer(
        self, number: int, state: PetitionState, answer: str, by: str, at: datetime, event: Event
    ) -> Petition:
        if (await self.petition(number)).state != "open":
            raise Conflict(f"Request {number} was answered already.")
        self._log.append(event)
        row = _replace(self._rows[number], state=state, answer=answer, answered_by=by, answered=at)
        self._rows[number] = row
        return row


class AdvisoriesInMemory:
    """Advisories."""

    def __init__(self, log: LogInMemory) -> None:
        self._records: dict[str, Record] = {}
        self._standing = AdvisoryStanding()
        self._log = log

    @property
    def generation(self) -> int:
        return self._standing.generation

    def standing(self) -> AdvisoryStanding:
        return self._standing

    def about(self, project: Project) -> tuple[Advisory, ...]:
        said = ((self._records[id_], _meant(self._records[id_], project)) for id_ in sorted(self._records))
        return tuple(
            Advisory(
                id=record.id,
                malware=record.malware,
                severity=record.severity,
                summary=record.summary,
                versions=tuple(v for each in meant for v in each.versions),
                spans=tuple(s for each in meant for s in each.spans),
            )
            for record, meant in said
            if meant and not record.withdrawn
        )

    async def put(self, records: Sequence[Record]) -> int:
        news = 0
        for record in records:
            known = self._records.get(record.id)
            if known is None or known.modified < record.modified:
                self._records[record.id] = record
                news += 1
        return news

    async def settle(self, now: datetime, event: Event) -> AdvisoryStanding:
        self._standing = AdvisoryStanding(
            generation=self._standing.generation + 1,
            advisories=len(self._records),
            newest=max((record.modified for record in self._records.values()), default=None),
            imported=now,
        )
        self._log.append(event)
        return self._standing


def _meant(record: Record, project: Project) -> list[Affected]:
    meant = [
        each
        for each in record.affected
        if (each.ecosystem, each.project) == (project.ecosystem, project.name)
    ]
    bare = [each for each in meant if not each.versions and not each.spans]
    return bare[:1] or meant


class PolicyStoreInMemory:
    """PolicyStore."""

    def __init__(self, log: LogInMemory, entries: Iterable[PolicyEntry] = ()) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._last = max(self._entries, default=0)
        self._log = log

    async def entries(self) -> tuple[PolicyEntry, ...]:
        return tuple(self._entries.values())

    async def add(self, entry: PolicyEntry, event: Event) -> PolicyEntry:
        self._log.append(event)
        self._last += 1
        self._entries[self._last] = _replace(entry, id=self._last)
        return self._entries[self._last]

    async def add_all(self, entries: Sequence[PolicyEntry], event: Event) -> None:
        self._log.append(event)
        for entry in entries:
            self._last += 1
            self._entries[self._last] = _replace(entry, id=self._last)

    async def remove(self, entry_id: int, event: Event) -> PolicyEntry:
        if entry_id not in self._entries:
            raise NotFound(f"There is no policy entry {entry_id}.")
        self._log.append(event)
        return self._entries.pop(entry_id)


class AccountsInMemory:
    """Accounts."""

    def __init__(self, log: LogInMemory) -> None:
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[str, Token] = {}
        self._log = log

    async def accounts(self) -> tuple[Account, ...]:
        return tuple(self._accounts[name] for name in sorted(self._accounts))

    async def put_account(self, account: Account, event: Event) -> None:
        self._log.append(event)
        self._accounts[account.name] = account

    async def remove_account(self, name: str, event: Event) -> None:
        if name not in self._accounts:
            raise NotFound(f"There is no account {name}.")
        self._log.append(event)
        del self._accounts[name]
        for token in self._tokens.values():
            if token.account == name and token.revoked is None:
                self._tokens[token.id] = _replace(token, revoked=event.at)

    async def tokens(self, account: str | None = None) -> tuple[Token, ...]:
        found = [token for token in self._tokens.values() if account in {None, token.account}]
        return tuple(sorted(found, key=lambda token: token.created, reverse=True))

    async def token(self, token_id: str) -> Token | None:
        return self._tokens.get(token_id)

    async def put_token(self, token: Token, event: Event) -> None:
        if token.id in self._tokens:
            raise Conflict(f"There is a token {token.id} already.")
        self._log.append(event)
        self._tokens[token.id] = token

    async def revoke_token(self, token_id: str, at: datetime, event: Event) -> None:
        token = self._tokens.get(token_id)
        if token is None or token.revoked is not None:
            raise NotFound(f"There is no token {token_id} in force.")
        self._log.append(event)
        self._tokens[token_id] = _replace(token, revoked=at)


class AttestationsInMemory:
    """Attestations."""

    def __init__(self) -> None:
        self.rows: dict[Project, dict[str, Attested]] = {}

    async def attested(self, project: Project) -> Mapping[str, Attested]:
        return self.rows.get(project, {})

    async def of(self, project: Project, filename: str) -> Attested | None:
        return self.rows.get(project, {}).get(filename)

    async def attest(self, project: Project, attested: Attested) -> None:
        self.rows.setdefault(project, {})[attested.filename] = attested
