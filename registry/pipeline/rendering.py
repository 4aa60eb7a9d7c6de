"""Renditions: made once per document, policy revision and form, and taken from the shelf ever after.

A hit is: look up, compare, give. No parse, no render, no database.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

import msgspec

from registry.errors import NotFound, Refused
from registry.model.editions import OwnProjectEditions
from registry.model.events import Event, Kind
from registry.model.indexes import Document, Rendition
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock, ProjectEditions, ProvenanceLog, Refusals, Shelf
from registry.pipeline.currency import Current
from registry.pipeline.freshness import Freshness
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.offers import Offers
from registry.pipeline.orders import Prepared, Wanted
from registry.pipeline.preparer import Preparer
from registry.pipeline.resolve import Resolver
from registry.pipeline.shelved import Shelved, is_whole, weight
from registry.pipeline.singleflight import Flights

AMENDED = 8 * 1024 * 1024
"""Bytes of an index up to which what is offered since then is put into it; a larger one is rendered anew."""
ALARMS_SHOWN = 20
"""Sentences a document's alarm event carries at most."""

journal = logging.getLogger("registry.rendering")


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """A rendered index, manifest or list of tags."""

    rendition: Rendition
    state: str
    """`HIT`, `MISS`, `REVALIDATED`, `STALE` or `REFUSED`."""
    age: int
    """Seconds since the source last confirmed the document."""


class Renderer:
    """What clients get for an index, from the shelf where possible."""

    def __init__(
        self,
        *,
        policy: PolicyInForce,
        resolver: Resolver,
        freshness: Freshness,
        catalogue: Catalogue,
        shelf: Shelf,
        log: ProvenanceLog,
        refusals: Refusals,
        clock: Clock,
        preparer: Preparer,
        editions: ProjectEditions | None = None,
    ) -> None:
        """`editions` (of our own rows) are shared with the other processes of the appliance."""
        self._policy = policy
        self._resolver = resolver
        self._freshness = freshness
        self._catalogue = catalogue
        self._shelf = shelf
        self._log = log
        self._refusals = refusals
        self._clock = clock
        self._preparer = preparer
        self._editions = editions or OwnProjectEditions()
        self._offers = Offers()
        self._flights: Flights[tuple[object, ...], Shelved] = Flights()

    async def rendered(self, project: Project, wanted: Wanted, root: str) -> IndexAnswer:
        """What is wanted of a project.

        Raises Refused when all of it is withheld, NotFound, and what sources raise.
        """
        key = (project.ecosystem, project.name, *wanted.key, root)
        shelved_now = self.at_once(project, wanted, root)
        if shelved_now is not None and is_whole(shelved_now.rendition):
            return shelved_now
        current = await self.current(project, wanted, root)
        shelved = self._whole(project, key, current.currency.sha256)
        shelved = shelved or await self._made(key, project, wanted, current)
        return _answer(project, wanted, shelved, current.state, current.age)

    def at_once(self, project: Project, wanted: Wanted, root: str) -> IndexAnswer | None:
        """The same where it is fresh and on the shelf, without waiting; None where it isn't."""
        currency = self._freshness.glance(project, self.origin(project))
        if currency is None:
            return None
        key = (project.ecosystem, project.name, *wanted.key, root)
        shelved = self._shelved(project, key, currency.sha256)
        if shelved is None:
            return None
        return _answer(project, wanted, shelved, "HIT", int(self._clock.monotonic() - currency.checked))

    async def kept(self, project: Project, wanted: Wanted, root: str) -> IndexAnswer | None:
        """What is wanted of a project as far as it is here: no upstream is asked, a private project's back
        end is. None for a project without a document. Raises like `rendered`."""
        if self.origin(project) == "private":
            return await self.rendered(project, wanted, root)
        currency = await self._freshness.kept(project, "public")
        if currency is None or currency.sha256 is None:
            return None
        key = (project.ecosystem, project.name, *wanted.key, root)
        age = int(self._clock.monotonic() - currency.checked)
        current = Current(currency, None, "HIT", age)
        shelved = self._whole(project, key, currency.sha256)
        shelved = shelved or await self._made(key, project, wanted, current)
        return _answer(project, wanted, shelved, "HIT", age)

    async def unfiltered(self, project: Project, wanted: Wanted, root: str) -> IndexAnswer:
        """A private document as its back end has it now, for a client that will write it back (N12).

        Raises NotFound for a public one, and what the back end raises: what is kept won't do.
        """
        if self.origin(project) != "private":
            raise NotFound(f"'{project.name}' isn't published here, so it can't be changed here.")
        learn = partial(self._learn, project, None, "")
        source = self._resolver.source(project, "private")
        current = await self._freshness.confirmed(project, "private", source, learn)
        document = current.document or await self._freshness.document(project, current.currency.origin)
        prepared = await self._preparer.prepare(project, document, wanted, root, filtered=False)
        if prepared.rendition is None:
            raise NotFound(f"'{project.name}' has no versions.")
        return IndexAnswer(prepared.rendition, "MISS", 0)

    async def current(self, project: Project, wanted: Wanted | None = None, root: str = "") -> Current:
        """The current document, its artifacts in the catalogue; what is wanted is rendered on the way."""
        origin = self.origin(project)
        learn = partial(self._learn, project, wanted, root)
        return await self._freshness.current(project, origin, self._resolver.source(project, origin), learn)

    def refresh(self, project: Project, origin: str) -> None:
        """Revalidate behind the client's back if the document is old."""
        learn = partial(self._learn, project, None, "")
        self._freshness.refresh(project, origin, self._resolver.source(project, origin), learn)

    def origin(self, project: Project) -> str:
        """Whose word about the project counts now: `private` or `public`."""
        return self._resolver.origin(self._policy.current, project)

    async def vanished(self, project: Project) -> None:
        """Its upstream has it no longer: its files count as removed, what is here is kept."""
        await self._catalogue.remember(project, (), "public", self._clock.now())

    async def forget(self, project: Project) -> None:
        """Our own rows about the project changed: render it anew, in every process."""
        self._editions.bump(project)
        self._offers.forget(project)
        self._shelf.drop((project.ecosystem, project.name))

    async def offer(self, project: Project, filename: str, metadata: str) -> None:
        """Its index has the SHA-256 of one file's core metadata to tell, and nothing else."""
        before, after = self._editions.bump(project)
        self._offers.add(project, before, after, (filename, metadata))

    async def close(self) -> None:
        """End what is being rendered."""
        await self._flights.close()

    async def _made(
        self, key: tuple[str, ...], project: Project, wanted: Wanted, current: Current
    ) -> Shelved:
        """Rendered now, once for all who ask meanwhile."""
        edition, sha256 = self._editions.now(project), current.currency.sha256

        async def make() -> Shelved:
            amended = await self._amended(project, key, wanted, sha256, edition)
            if amended is not None:
                return amended
            made_of, prepared = await self._preparer.current(project, wanted, current, key[-1])
            return await self._put(project, key, prepared, made_of, edition)

        return await self._flights.join((*key, sha256, edition, self._policy.current.revision), make)

    async def _amended(
        self, project: Project, key: tuple[str, ...], wanted: Wanted, sha256: str | None, edition: int
    ) -> Shelved | None:
        """What is on the shelf with what was offered since then; None where that isn't all that changed."""
        entry, shown = self._sound(key, sha256), wanted.representation
        if entry is None or shown is None or entry.rendition is None or entry.rendition.size > AMENDED:
            return None
        offers = self._offers.since(project, entry.edition, edition)
        if not offers:
            return None
        rendition = await self._preparer.amended(project, entry.rendition, shown, entry.revision, offers)
        if rendition is None:
            return None
        entry = msgspec.structs.replace(entry, rendition=rendition, edition=edition)
        return self._shelve(project, key, entry)

    def _shelved(self, project: Project, key: tuple[str, ...], sha256: str | None) -> Shelved | None:
        entry = self._sound(key, sha256)
        return entry if entry is not None and entry.edition == self._editions.now(project) else None

    def _whole(self, project: Project, key: tuple[str, ...], sha256: str | None) -> Shelved | None:
        shelved = self._shelved(project, key, sha256)
        return shelved if shelved is not None and is_whole(shelved.rendition) else None

    def _sound(self, key: tuple[str, ...], sha256: str | None) -> Shelved | None:
        """What is on the shelf and still right, but for what our own rows say by now."""
        entry = self._shelf.get(key)
        if not isinstance(entry, Shelved) or entry.sha256 != sha256:
            return None
        if entry.revision != self._policy.current.revision:
            return None
        now = self._clock.now()
        return entry if entry.made <= now and (entry.until is None or now < entry.until) else None

    async def _put(
        self, project: Project, key: tuple[str, ...], prepared: Prepared, sha256: str, edition: int
    ) -> Shelved:
        """Shelve it, unless our rows have changed since the rendering began, at that edition."""
        if prepared.refusals:
            await self._refusals.disclose(prepared.refusals, self._clock.now())
        entry = Shelved(
            prepared.rendition,
            prepared.refused,
            prepared.revision,
            sha256,
            self._clock.now(),
            prepared.changes_at,
            edition,
        )
        return self._shelve(project, key, entry)

    def _shelve(self, project: Project, key: tuple[str, ...], entry: Shelved) -> Shelved:
        if self._editions.now(project) == entry.edition:
            self._shelf.put(key, entry, weight(entry.rendition))
        return entry

    async def _learn(self, project: Project, wanted: Wanted | None, root: str, document: Document) -> None:
        """Keep what a new document says in the catalogue, before anyone is served from it."""
        edition = self._editions.now(project)
        prepared = await self._preparer.prepare(project, document, wanted, root, learns=True)
        await self._catalogue.remember(
            project,
            prepared.listing,
            document.origin,
            self._clock.now(),
            "quarantined" if prepared.quarantined else "removed",
            prepared.summary,
        )
        if prepared.alarms:
            await self._alarm(project, prepared.alarms)
        if wanted is not None:
            key = (project.ecosystem, project.name, *wanted.key, root)
            await self._put(project, key, prepared, document.sha256, edition)

    async def _alarm(self, project: Project, alarms: tuple[str, ...]) -> None:
        journal.warning(
            "entries of an index were refused", extra={"project": str(project), "first": alarms[0]}
        )
        detail: dict[str, str | int | float | bool | None] = {
            "alarm": "index",
            "count": len(alarms),
            "message": " ".join(alarms[:ALARMS_SHOWN]),
        }
        await self._log.record(
            Event(kind=Kind.ALARM, at=self._clock.now(), actor="gateway", project=project, detail=detail)
        )


def _answer(project: Project, wanted: Wanted, shelved: Shelved, state: str, age: int) -> IndexAnswer:
    if shelved.refused is not None:
        raise Refused(shelved.refused)
    if shelved.rendition is None:
        raise NotFound(f"'{project.name}' has no version or tag '{wanted.selector}'.")
    return IndexAnswer(shelved.rendition, state, age)
