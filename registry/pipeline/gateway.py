"""The doors. Each walks the same line: decide the name, resolve, decide the facts, verify, record, respond.

Nothing behind a door sees a path or a header, nothing before it sees a source. An answer is a value; the web
turns it into a response.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from functools import partial

from registry.errors import NotFound, Refused, Unavailable
from registry.model.artifacts import Holding
from registry.model.asks import ArtifactAsk, IndexAsk, ManifestAsk, ProvenanceAsk, TagsAsk
from registry.model.ecosystem import Ecosystem
from registry.model.events import Client, Event
from registry.model.indexes import Representation
from registry.model.ports import Blobs, Catalogue, Clock, ProvenanceLog
from registry.pipeline.admission import Admission
from registry.pipeline.answers import BytesAnswer, FactsAnswer, FileAnswer, FlightAnswer, Handing, Told
from registry.pipeline.core_metadata import CoreMetadata, announced
from registry.pipeline.file_events import delivered
from registry.pipeline.flight import Flight, Landed, Passenger
from registry.pipeline.inforce import Policy, PolicyInForce
from registry.pipeline.orders import Wanted
from registry.pipeline.packs import pack
from registry.pipeline.rendering import IndexAnswer, Renderer
from registry.pipeline.resolve import Resolver
from registry.pipeline.verify import Verifier
from registry.pipeline.vouching import Vouching


class Gateway:
    """Reading, for every ecosystem."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        policy: PolicyInForce,
        resolver: Resolver,
        renderer: Renderer,
        verifier: Verifier,
        metadata: CoreMetadata,
        catalogue: Catalogue,
        blobs: Mapping[str, Blobs],
        log: ProvenanceLog,
        clock: Clock,
        admission: Admission,
        vouching: Vouching,
    ) -> None:
        self._ecosystems = ecosystems
        self._policy = policy
        self._resolver = resolver
        self._renderer = renderer
        self._verifier = verifier
        self._metadata = metadata
        self._catalogue = catalogue
        self._blobs = blobs
        self._log = log
        self._clock = clock
        self._admission = admission
        self._vouching = vouching

    # the doors

    async def index(
        self, ask: IndexAsk, representation: Representation, root: str, client: Client, *, stay: bool = False
    ) -> IndexAnswer:
        """The index of a project. With `stay`, only what is published here counts: the client is about to
        publish, and would compare its version with those of a public namesake.

        A refused name that is unknown here gets its ecosystem's tombstone, where it has one; a known one
        shows its files, whose bytes are refused. Raises Refused, NotFound and what sources raise.
        """
        wanted = Wanted(representation)
        if ask.writable:
            return await self._renderer.unfiltered(ask.project, wanted, root)
        refusal = await self._admission.objected(ask.project, root, client)
        if refusal is not None:
            ecosystem = self._ecosystems[ask.project.ecosystem]
            if ecosystem.render_tombstone is None:
                raise Refused(refusal)
            if not await self._catalogue.origin(ask.project):
                base = f"{root}/{ecosystem.name}"
                body = ecosystem.render_tombstone(ask.project, refusal.decision, representation, base)
                return IndexAnswer(pack(body, representation.content_type, refusal.id), "REFUSED", 0)
        if stay and self._renderer.origin(ask.project) == "public":
            raise NotFound(f"'{ask.project.name}' isn't published here, and publishing asks no upstream.")
        return await self._renderer.rendered(ask.project, wanted, root)

    def index_at_once(self, ask: IndexAsk, representation: Representation, root: str) -> IndexAnswer | None:
        """The same without waiting, for a fresh index on the shelf, of a name that nothing is said against;
        for all else None, and `index` is to be asked. Raises Refused, NotFound."""
        decision = self._policy.current.decide_project(ask.project, self._clock.now())
        if decision.objections or ask.writable:
            return None
        return self._renderer.at_once(ask.project, Wanted(representation), root)

    async def manifest(self, ask: ManifestAsk, root: str, client: Client) -> IndexAnswer:
        """One version as a document. Raises Refused when it is withheld."""
        await self._admission.admit(ask.project, root, client)
        wanted = Wanted(selector=ask.selector, form="manifest")
        return await self._renderer.rendered(ask.project, wanted, root)

    async def tags(self, ask: TagsAsk, root: str, client: Client) -> IndexAnswer:
        """The dist-tags that lead to a version which isn't withheld."""
        await self._admission.admit(ask.project, root, client)
        return await self._renderer.rendered(ask.project, Wanted(form="tags"), root)

    async def artifact(
        self,
        ask: ArtifactAsk,
        root: str,
        client: Client,
        delivers: Callable[[str, int], bool],
        *,
        fetches: bool = True,
    ) -> FileAnswer | FlightAnswer | FactsAnswer | BytesAnswer:
        """A file, or its core metadata; decided on every request, also for bytes that are here.

        `delivers(sha256, size)` says whether the client will get bytes of a file that is here: a HEAD or a
        conditional hit makes no row in the log. Without `fetches` (HEAD), a file that isn't here is described
        and not fetched, where its size is known. Raises Refused, NotFound, Unavailable, what sources raise.
        """
        await self._admission.admit(ask.project, root, client)
        holding = await self._holding(ask)
        revision = await self._admission.admit_file(holding, root, client)
        if ask.part == "metadata":
            return await self._core_metadata(holding, root, client, revision)
        path = await self._verifier.find(holding)
        if path is None or holding.blob is None:
            if not fetches and holding.artifact.size is not None:
                return FactsAnswer(holding.artifact.size, holding.sha256)
            flight = await self._fetch(holding, revision)
            passenger = Passenger(delivers, partial(self._delivery, holding, client, revision))
            landed = partial(_arrival, flight, passenger)
            record = partial(self._deliver_landed, flight, passenger, holding, root, client)
            return FlightAnswer(flight, holding.artifact.filename, landed, record)
        if delivers(holding.blob, holding.blob_size or 0):
            await self._deliver(holding, client, revision, holding.blob)
        place = self._blobs[holding.origin].place
        return FileAnswer(path, holding.blob, holding.blob_size or 0, holding.artifact.filename, place)

    def file_at_once(self, ask: ArtifactAsk, client: Client) -> Handing | None:
        """The same without waiting, for a file that is here, sound, and that nothing is said against; for all
        else None, and `artifact` is to be asked."""
        policy = self._policy.current
        holding = self._admitted_at_once(policy, ask)
        kept = self._verifier.at_once(holding, holding.blob) if holding else None
        if holding is None or holding.blob is None or kept is None:
            return None
        self._renderer.refresh(ask.project, holding.origin)
        place = self._blobs[holding.origin].place
        blob, size, name = holding.blob, holding.blob_size or 0, holding.artifact.filename
        file = FileAnswer(kept.path, blob, size, name, place, kept.data)

        def record(told: Told) -> None:
            self._log.begin(self._delivery(holding, client, policy.revision, blob), told)

        return Handing(file, record)

    def metadata_at_once(self, ask: ArtifactAsk) -> FileAnswer | None:
        """The core metadata of such a file, as a file of its own; its size is 0 for unknown."""
        holding = self._admitted_at_once(self._policy.current, ask)
        kept = self._verifier.at_once(holding, holding.metadata_blob) if holding else None
        if holding is None or holding.metadata_blob is None or kept is None:
            return None
        self._renderer.refresh(ask.project, holding.origin)
        place = self._blobs[holding.origin].place
        return FileAnswer(kept.path, holding.metadata_blob, 0, ask.filename, place, kept.data)

    def _admitted_at_once(self, policy: Policy, ask: ArtifactAsk) -> Holding | None:
        now = self._clock.now()
        if policy.decide_project(ask.project, now).objections:
            return None
        holding = self._catalogue.at_once(ask.project, ask.filename)
        if holding is None or holding.origin != self._resolver.origin(policy, ask.project):
            return None
        rules = policy.artifact_rules(ask.project)
        if rules.looks or holding.unpublished:
            return None
        return None if self._admission.settled(rules, holding, holding.artifact, now).objections else holding

    async def provenance(self, ask: ArtifactAsk, root: str, client: Client) -> BytesAnswer:
        """Who built a file (PEP 740); decided like the file. Raises Refused, NotFound, what sources raise."""
        await self._admission.admit(ask.project, root, client)
        holding = await self._holding(ask)
        await self._admission.admit_file(holding, root, client)
        body = await self._vouching.provenance(holding)
        return BytesAnswer(body, f'"{hashlib.sha256(body).hexdigest()}"')

    async def attested(self, ask: ProvenanceAsk, root: str, client: Client) -> None:
        """Let a question about one version's provenance pass: decided like its file. Raises Refused, and
        NotFound for a version that isn't here or is our own, which no upstream is asked about."""
        await self._admission.admit(ask.project, root, client)
        if self._resolver.origin(self._policy.current, ask.project) == "private":
            raise NotFound(f"'{ask.project.name}' is published here, where nothing is attested yet.")
        rows = await self._catalogue.holdings(ask.project)
        if not rows:
            await self._renderer.current(ask.project)
            rows = await self._catalogue.holdings(ask.project)
        version = next((row for row in rows if row.artifact.version == ask.version), None)
        if version is None:
            raise NotFound(f"'{ask.project.name}' has no version '{ask.version}'.")
        await self._admission.admit_file(version, root, client)

    async def known_projects(self, ecosystem: str) -> tuple[str, ...]:
        """The projects that are here and not refused by name, for a project list."""
        policy, now = self._policy.current, self._clock.now()
        parse = self._ecosystems[ecosystem].parse_name
        names = await self._catalogue.projects(ecosystem)
        return tuple(name for name in names if policy.decide_project(parse(name), now).allowed)

    # the steps

    async def _holding(self, ask: ArtifactAsk) -> Holding:
        """The row of the file asked for, learned from the index first where there is none yet."""
        project, filename = ask.project, ask.filename
        origin = self._resolver.origin(self._policy.current, project)
        holding = await self._catalogue.holding(project, filename)
        if holding is None and self._ecosystems[project.ecosystem].is_tombstone(filename):
            raise NotFound(f"'{project.name}' is no longer refused; ask for it again.")
        if holding is None or holding.origin != origin:
            await self._renderer.current(project)
            holding = await self._catalogue.holding(project, filename)
        else:
            self._renderer.refresh(project, origin)
        if holding is None or holding.origin != origin or holding.unpublished:
            raise NotFound(f"'{project.name}' has no file '{filename}'.")
        return holding

    async def _core_metadata(self, holding: Holding, root: str, client: Client, revision: str) -> BytesAnswer:
        """What an index offers is served, also when it has to be taken out of the file again, or the file has
        to be fetched for that: a client that was promised metadata gives up without it."""
        artifact = holding.artifact
        if holding.metadata_blob is None and announced(holding) is None:
            raise NotFound(f"There is no core metadata for '{artifact.filename}'.")
        body = await self._metadata.read(holding, self._resolver.source(artifact.project, holding.origin))
        if body is None:
            flight = await self._fetch(holding, revision)
            landed = await asyncio.shield(flight.done)
            holding = await self._landed(flight, holding, root, client)
            body = await self._metadata.inside(holding, landed.path)
        if body is None:
            raise Unavailable(f"The core metadata of '{artifact.filename}' can't be read; check the volume.")
        return BytesAnswer(body, f'"{hashlib.sha256(body).hexdigest()}"')

    async def _fetch(self, holding: Holding, revision: str) -> Flight:
        if holding.blob is not None:  # it was here and is lost or rotten; the pin still says what it must be
            await self._catalogue.release(holding.artifact.project, holding.artifact.filename)
        source = self._resolver.source(holding.artifact.project, holding.origin)
        return self._verifier.fetch(holding, source, revision)

    async def _landed(self, flight: Flight, holding: Holding, root: str, client: Client) -> Holding:
        """The row of a file that has just come in, decided again where what is inside speaks against it.
        Raises Refused."""
        project, filename = holding.artifact.project, holding.artifact.filename
        now = await self._catalogue.holding(project, filename) or holding
        if flight.done.result().mismatched:
            await self._admission.admit_file(now, root, client)
        return now

    async def _deliver_landed(
        self,
        flight: Flight,
        passenger: Passenger,
        holding: Holding,
        root: str,
        client: Client,
        sha256: str,
    ) -> None:
        """Log that a client is given a file that has come in, unless that was logged with its coming; durable
        when this returns. Raises Refused."""
        if passenger.recorded:
            return
        if flight.done.result().mismatched:
            holding = await self._landed(flight, holding, root, client)
        await self._deliver(holding, client, self._policy.current.revision, sha256)

    async def _deliver(self, holding: Holding, client: Client, revision: str, sha256: str) -> None:
        """Log that a client is given the file; durable when this returns."""
        await self._log.record(self._delivery(holding, client, revision, sha256))

    def _delivery(self, holding: Holding, client: Client, revision: str, sha256: str) -> Event:
        return delivered(holding.artifact, client, revision, self._clock.now(), sha256)


async def _arrival(flight: Flight, passenger: Passenger) -> Landed:
    """What came in, waited for aboard."""
    with flight.carrying(passenger):
        return await asyncio.shield(flight.done)
