"""One flight a file: fetched, verified, looked into, kept; clients follow it and outlive nothing.

    stage → digest and size → fsync, rename, fsync directory → a look inside → row, log and the deliveries to
    those who wait, one commit → the last bytes

A follower may send what has arrived so far, but never the last `HELD_BACK` bytes before the flight has
landed: no client ever holds a complete file that wasn't verified, recorded and kept.

Among several processes one fetches (`relay.py`); the others' flights follow its staged file, and land on the
row that it commits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from registry.ecosystems import ECOSYSTEMS
from registry.errors import IntegrityFailed, RegistryError, Unavailable
from registry.model.artifacts import STRONG, Digest, Holding
from registry.model.blobs import Blob
from registry.model.names import Project
from registry.model.ports import Adoptions, Blobs, Catalogue, Clock, Leases, ProvenanceLog, Source
from registry.model.warehouse import Verified
from registry.pipeline.file_events import ingested
from registry.pipeline.flight import Flight, Landed, Passenger
from registry.pipeline.inspector import Inspector, alarm_about
from registry.pipeline.relay import Relay
from registry.pipeline.singleflight import NoOthers

HELD_BACK = 64 * 1024
"""Bytes at the end of a file that no follower gets before it is verified."""
FAILURE_LASTS = 1.0
"""Seconds for which a failed fetch is not tried again: a thousand waiting clients are not a thousand tries.
Short, since a person who mends an upstream tries again at once; a dead one is the breaker's business."""

journal = logging.getLogger("registry.verify")


class Verifier:
    """Brings files in."""

    def __init__(
        self,
        blobs: Mapping[str, Blobs],
        catalogue: Catalogue,
        log: ProvenanceLog,
        clock: Clock,
        inspector: Inspector,
        vouch: Callable[[Holding], Awaitable[Mapping[str, str]]] | None = None,
        leases: Leases | None = None,
        adoptions: Adoptions | None = None,
    ) -> None:
        """`blobs` maps an origin (`public`, `private`) to where its bytes are kept; `vouch` gives what the
        ingest event says about a file's signatures, and raises IntegrityFailed for a false one; `leases` are
        shared with the other processes of the appliance, where there are any; `adoptions` are public files
        that may be here already."""
        self._relay = Relay(leases or NoOthers(), clock)
        self._adoptions = adoptions
        self._blobs = blobs
        self._catalogue = catalogue
        self._log = log
        self._clock = clock
        self._inspector = inspector
        self._vouch = vouch
        self._flights: dict[tuple[Project, str], Flight] = {}
        self._failures: dict[tuple[Project, str], tuple[float, RegistryError]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, holding: Holding) -> Path | None:
        """Where the verified bytes lie, if they are here and sound."""
        if holding.blob is None:
            return None
        return await self._blobs[holding.origin].find(holding.blob)

    def at_once(self, holding: Holding, blob: str | None) -> Blob | None:
        """Those of its bytes (the file's, or its metadata's), as far as that is known without waiting."""
        return None if blob is None else self._blobs[holding.origin].at_once(blob)

    def fetch(self, holding: Holding, source: Source, revision: str) -> Flight:
        """The flight that brings this file, joined or begun. Raises what it failed with a moment ago."""
        key = (holding.artifact.project, holding.artifact.filename)
        flight = self._flights.get(key)
        if flight is not None:
            return flight
        self._forget_failures()
        if key in self._failures:
            raise self._failures[key][1].with_traceback(None)
        flight = self._flights[key] = Flight(self._blobs[holding.origin].place)
        flight.announced = holding.artifact.size
        task = asyncio.create_task(self._fly(key, flight, holding, source, revision))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return flight

    async def close(self) -> None:
        """Cancel what is under way; staged bytes are thrown away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fly(
        self, key: tuple[Project, str], flight: Flight, holding: Holding, source: Source, revision: str
    ) -> None:
        try:
            landed = await self._brought(flight, holding, source, revision)
        except RegistryError as error:
            self._fail(key, error)
            flight.crash(error)
        except asyncio.CancelledError:
            flight.crash(Unavailable("The appliance is stopping; try again in a moment."))
            raise
        except Exception as error:  # noqa: BLE001  followers must hear of any end of a flight
            journal.exception(
                "a fetch failed in an unexpected way", extra={"file": holding.artifact.filename}
            )
            flight.crash(
                Unavailable(f"'{holding.artifact.filename}' could not be kept ({type(error).__name__}).")
            )
        else:
            flight.land(landed)
        finally:
            self._flights.pop(key, None)

    async def _brought(self, flight: Flight, holding: Holding, source: Source, revision: str) -> Landed:
        """The file, fetched here or by another process that was at it."""
        key = (holding.artifact.project, holding.artifact.filename)
        is_ours = await self._relay.follow(key, flight)
        try:
            landed = await self._landed_elsewhere(holding)
            if landed is not None:
                return landed
            self._relay.raise_failure(key, FAILURE_LASTS)
            flight.restart()
            try:
                landed = await self._bring(flight, holding, source, revision)
            except RegistryError as error:
                self._relay.tell_failed(key, error)
                if isinstance(error, IntegrityFailed):
                    await self._alarm(holding, error)
                raise
            self._relay.forget(key)
            return landed
        finally:
            if is_ours:
                self._relay.drop(key)

    async def _landed_elsewhere(self, holding: Holding) -> Landed | None:
        """The file, if its row says by now that it is here."""
        artifact = holding.artifact
        now = self._catalogue.at_once(artifact.project, artifact.filename)
        if now is None or now.blob is None or now.origin != holding.origin:
            return None
        path = await self.find(now)
        if path is None:
            return None
        return Landed(path, now.blob, now.blob_size or 0, mismatched=bool(now.artifact.mismatch))

    async def _bring(self, flight: Flight, holding: Holding, source: Source, revision: str) -> Landed:
        artifact, expected = holding.artifact, _expected(holding)
        vouching = asyncio.ensure_future(self._vouched(holding))  # beside the download, not before it
        try:
            came, origin = await self._adopted(holding, expected), "the volume"
            if came is None:
                came = await self._fetched(flight, holding, expected, source, vouching)
                origin = source.name
            verdict = await vouching
        finally:
            await _end(vouching)
        found, metadata = await self._inspector.look(holding, came.path)
        event = ingested(holding, came, origin, revision, self._clock.now(), verdict)
        taking = () if found.mismatch else _taking(flight, came)
        deliveries = [passenger.delivery(came.sha256) for passenger in taking]
        await self._catalogue.hold(
            artifact.project, artifact.filename, came.sha256, came.size, event, metadata, deliveries
        )
        for passenger in taking:
            passenger.recorded = True
        if holding.conflict is not None or found.mismatch or _tells_more(holding, metadata):
            await self._inspector.tell(artifact.project)
        elif metadata is not None and artifact.metadata is None and holding.metadata_blob is None:
            await self._inspector.offer(artifact, metadata)
        return Landed(came.path, came.sha256, came.size, mismatched=bool(found.mismatch))

    async def _adopted(self, holding: Holding, expected: Sequence[Digest]) -> Verified | None:
        """The file, if it was adopted and has the announced digests: it is here, and nobody's yet."""
        if self._adoptions is None or holding.origin != "public":
            return None
        return await self._adoptions.announced(expected, holding.artifact.size)

    async def _fetched(
        self,
        flight: Flight,
        holding: Holding,
        expected: Sequence[Digest],
        source: Source,
        vouching: Awaitable[object],
    ) -> Verified:
        """The file from its source, on the volume; not before it is vouched for."""
        artifact, blobs = holding.artifact, self._blobs[holding.origin]
        async with source.artifact(artifact) as chunks:
            staging = await blobs.stage(artifact.size)
            try:
                self._relay.tell_staged((artifact.project, artifact.filename), staging.path)
                async for chunk in chunks:
                    await staging.write(chunk)
                    if staging.size > flight.available:
                        flight.advance(staging.path, staging.size)
                await vouching
                sha256 = await staging.commit(expected, artifact.size)
            finally:
                await staging.discard()
        blobs.note_use(sha256)
        return Verified(path=staging.path, sha256=sha256, size=staging.size, digests=staging.digests)

    async def _vouched(self, holding: Holding) -> Mapping[str, str]:
        return {} if self._vouch is None else await self._vouch(holding)

    def _fail(self, key: tuple[Project, str], error: RegistryError) -> None:
        self._failures[key] = (self._clock.monotonic(), error.with_traceback(None))

    def _forget_failures(self) -> None:
        """Drop those that are over; they are in the order of their time."""
        over = self._clock.monotonic() - FAILURE_LASTS
        while self._failures and next(iter(self._failures.values()))[0] <= over:
            key = next(iter(self._failures))
            del self._failures[key]
            self._relay.forget(key)

    async def _alarm(self, holding: Holding, error: RegistryError) -> None:
        artifact = holding.artifact
        try:
            await self._log.record(alarm_about(artifact, "integrity", str(error), self._clock.now()))
        except Exception:  # noqa: BLE001  whoever waits for the file hears why it doesn't come all the same
            journal.exception("an integrity alarm could not be logged", extra={"file": artifact.filename})


def _expected(holding: Holding) -> list[Digest]:
    """The digests that a file must have: what was announced, of which the pin was first. Raises
    IntegrityFailed when there is nothing to check it by."""
    artifact, pin = holding.artifact, holding.pin
    if pin is None:
        raise IntegrityFailed(f"'{artifact.filename}' has no strong digest to be checked by.")
    if holding.conflict is not None:
        return [pin]
    return sorted({pin, *(digest for digest in artifact.digests if digest.algorithm in STRONG)})


def _taking(flight: Flight, came: Verified) -> Sequence[Passenger]:
    """Who is given the file as soon as it is here."""
    return [passenger for passenger in flight.aboard if passenger.takes(came.sha256, came.size)]


def _tells_more(holding: Holding, metadata: str | None) -> bool:
    """Whether the index can tell the file's size now, or other metadata than it offered."""
    artifact, side = holding.artifact, holding.artifact.metadata
    if artifact.size is None and ECOSYSTEMS[artifact.project.ecosystem].lists_sizes:
        return True
    offered = {holding.metadata_blob, side and side.hex} - {None}
    return metadata is not None and bool(offered) and metadata not in offered


async def _end(task: asyncio.Future[Mapping[str, str]]) -> None:
    """Leave nothing behind of a task whose result may no longer be wanted."""
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    elif not task.cancelled():
        task.exception()  # marks it as seen
