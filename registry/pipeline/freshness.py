"""The current document of a project: fresh, revalidated behind the client's back, stale, or just fetched.

Fresh is served. Slightly old is served while one flight asks the source. Older is asked for first, but an
answer that takes longer than a second, or fails, gives way to what is kept, visibly stale. Only a project
that was never seen waits for its source.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from registry.errors import NotFound, RegistryError, SourceFailed, SourceTimedOut, Unavailable
from registry.model.editions import OwnProjectEditions
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.ports import Clock, Documents, Leases, ProjectEditions, Source
from registry.pipeline.currency import Currencies, Currency, Current, Learn
from registry.pipeline.singleflight import Flights, NoOthers, Turn, leased

PATIENCE = 1.0
"""Seconds that a client waits for a source while something older could be served."""
RETRY_AFTER_FAILURE = 10.0
"""Seconds after a failed revalidation during which the source isn't asked again."""
ABSENT_FOR = 60.0
"""Seconds for which a source's 'no such project' is believed."""
_SAME_WORD = 0.001
"""Seconds by which two moments may differ that are one, counted on two clocks."""

journal = logging.getLogger("registry.freshness")


class Freshness:
    """Kept documents and their age."""

    def __init__(
        self,
        documents: Documents,
        clock: Clock,
        fresh_for: float,
        offline: Callable[[], bool] = lambda: False,
        vanished: Callable[[Project], Awaitable[None]] | None = None,
        *,
        editions: ProjectEditions | None = None,
        leases: Leases | None = None,
    ) -> None:
        """`offline` says whether public sources may not be asked; `vanished` is told of a kept project that
        its source no longer has. `editions` (of the kept documents) and `leases` are shared with the other
        processes of the appliance, where there are any."""
        self._editions = editions or OwnProjectEditions()
        self._leases = leases or NoOthers()
        self._offline = offline
        self._vanished = vanished
        self._documents = documents
        self._clock = clock
        self._fresh_for = fresh_for
        self._flights: Flights[tuple[Project, str], Currency] = Flights()
        self._known = Currencies()
        self._latest: OrderedDict[Project, Document] = OrderedDict()
        self._turns: WeakValueDictionary[Project, Turn] = WeakValueDictionary()

    def glance(self, project: Project, origin: str) -> Currency | None:
        """The state if it is known and fresh: the hot path, no waiting."""
        currency = self._known.get(project)
        if currency is None or currency.origin != origin:
            return None
        if currency.edition != self._editions.now(project):
            return None
        return currency if self._clock.monotonic() - currency.checked <= self._fresh_for else None

    async def current(self, project: Project, origin: str, source: Source, learn: Learn) -> Current:
        """The project's document by the rules above; `origin` says whose `source` is.

        Raises NotFound when the source has no such project, and the source's own errors when there is
        nothing kept to fall back on.
        """
        currency = await self._recall(project, origin)
        now = self._clock.monotonic()
        if currency is None or currency.sha256 is None:
            if currency is not None and now - currency.checked <= ABSENT_FOR:
                raise NotFound(f"{source.name} has no project '{project.name}'.")
            currency = await self._asked(project, origin, source, learn, currency)
            return self._give(project, currency, "MISS")
        age = now - currency.checked
        if age <= self._fresh_for:
            return self._give(project, currency, "HIT")
        if origin == "public" and self._offline():
            return self._give(project, currency, "OFFLINE")
        if currency.failed_since(now - RETRY_AFTER_FAILURE):
            return self._give(project, currency, "STALE")
        flight = self._flights.start(
            (project, origin), lambda: self._ask(project, origin, source, learn, currency)
        )
        if age <= 2 * self._fresh_for:
            return self._give(project, currency, "HIT")
        try:
            async with asyncio.timeout(PATIENCE):
                currency = await asyncio.shield(flight)
        except (TimeoutError, SourceFailed, SourceTimedOut, Unavailable):
            return self._give(project, currency, "STALE")
        return self._give(project, currency, "REVALIDATED")

    async def confirmed(self, project: Project, origin: str, source: Source, learn: Learn) -> Current:
        """The document as the source has it now. Raises what the source raises; what is kept stays."""
        currency = await self._recall(project, origin)
        currency = await self._asked(project, origin, source, learn, currency)
        return self._give(project, currency, "REVALIDATED")

    async def kept(self, project: Project, origin: str) -> Currency | None:
        """The state of what is here, however old; None when nothing is."""
        return await self._recall(project, origin)

    def refresh(self, project: Project, origin: str, source: Source, learn: Learn) -> None:
        """Ask the source behind the client's back if the document is no longer fresh.

        After a restart nothing is known yet; then what is kept is looked at behind the client's back too.
        """
        if origin == "public" and self._offline():
            return
        currency = self._known.get(project)
        now = self._clock.monotonic()
        if currency is None or currency.origin != origin:
            self._flights.start((project, origin), lambda: self._revive(project, origin, source, learn))
        elif now - currency.checked > self._fresh_for and not currency.failed_since(
            now - RETRY_AFTER_FAILURE
        ):
            self._flights.start(
                (project, origin), lambda: self._ask(project, origin, source, learn, currency)
            )

    async def document(self, project: Project, origin: str) -> Document:
        """The kept document's bytes. Raises Unavailable when they can't be read."""
        document = self._at_hand(project, origin) or await self._documents.get(project)
        if document is None or document.origin != origin:
            self._known.drop(project)
            raise Unavailable(f"The kept index of '{project.name}' can't be read; it is fetched again.", 1)
        return document

    async def forget(self, project: Project) -> None:
        """Make the next client ask the source: something was published or changed."""
        self._latest.pop(project, None)
        self._known.drop(project)
        await self._documents.drop(project)
        self._editions.bump(project)

    def turn(self, project: Project) -> Turn:
        """Held while what is published under a name changes, and while a private index is read."""
        turn = self._turns.get(project)
        if turn is None:
            turn = self._turns[project] = Turn(self._leases, f"turn {project}")
        return turn

    async def close(self) -> None:
        """End the flights."""
        await self._flights.close()

    async def _recall(self, project: Project, origin: str) -> Currency | None:
        currency, edition = self._known.get(project), self._editions.now(project)
        if currency is not None and (currency.origin, currency.edition) == (origin, edition):
            self._known.put(project, currency)
            return currency
        self._latest.pop(project, None)
        document = await self._documents.standing(project)
        if document is None or document.origin != origin:
            return None
        since = (self._clock.now() - document.checked).total_seconds()
        if origin == "private":  # a crash may have come between a publication's row and its document
            since = max(since, 2 * self._fresh_for + 1)
        checked = self._clock.monotonic() - max(since, 0.0)
        currency = Currency(document.sha256, origin, checked, edition=edition)
        self._known.put(project, currency)
        return currency

    async def _revive(self, project: Project, origin: str, source: Source, learn: Learn) -> Currency:
        """What is kept, asked about if it is no longer fresh."""
        currency = await self._recall(project, origin)
        if currency is not None and self._clock.monotonic() - currency.checked <= self._fresh_for:
            return currency
        return await self._ask(project, origin, source, learn, currency)

    async def _asked(
        self, project: Project, origin: str, source: Source, learn: Learn, currency: Currency | None
    ) -> Currency:
        """Asked now, once for all who ask meanwhile."""
        return await self._flights.join(
            (project, origin), lambda: self._ask(project, origin, source, learn, currency)
        )

    async def _ask(
        self, project: Project, origin: str, source: Source, learn: Learn, currency: Currency | None
    ) -> Currency:
        if origin == "public":
            async with leased(self._leases, f"document {project}"):
                found = await self._found_meanwhile(project, origin, currency)
                return found or await self._ask_now(project, origin, source, learn, currency)
        async with self.turn(project):  # what is read before a publication must not be kept after it
            return await self._ask_now(project, origin, source, learn, currency)

    async def _found_meanwhile(
        self, project: Project, origin: str, currency: Currency | None
    ) -> Currency | None:
        """What another process was told by the source a moment ago, if one was."""
        edition = self._editions.now(project)
        document = await self._documents.standing(project)
        if document is None or document.origin != origin:
            return None
        age = (self._clock.now() - document.checked).total_seconds()
        checked = self._clock.monotonic() - age
        if not 0 <= age <= self._fresh_for:
            return None
        if currency is None:
            currency = Currency(document.sha256, origin, checked, edition=edition)
        elif checked <= currency.checked + _SAME_WORD:
            return None
        currency.confirm(document.sha256, checked, edition)
        self._known.put(project, currency)
        return currency

    async def _ask_now(
        self, project: Project, origin: str, source: Source, learn: Learn, currency: Currency | None
    ) -> Currency:
        previous = await self._documents.get(project) if currency and currency.sha256 else None
        if previous is not None and previous.origin != origin:
            previous = None
        edition = self._editions.now(project)
        try:
            document = await source.index(project, previous)
            document = document and msgspec.structs.replace(document, origin=origin)
            if document is not None and (previous is None or document.sha256 != previous.sha256):
                try:
                    await learn(document)
                    await self._documents.put(project, document)
                finally:
                    _discard(document)
                before, after = self._editions.bump(project)
                edition = after if before == edition else edition  # else there is more to be looked at
            elif document is not None:
                await self._documents.put(project, document)
        except RegistryError as error:
            if currency is not None and currency.sha256 is not None:
                currency.failed, currency.failure = self._clock.monotonic(), error
                journal.warning("revalidation failed", extra={"project": str(project), "error": str(error)})
            raise
        if document is None:
            return await self._absent(project, origin, source, currency, edition)
        self._keep_at_hand(project, document)
        now = self._clock.monotonic()
        if currency is None:
            currency = Currency(document.sha256, origin, now)
        currency.confirm(document.sha256, now, edition)
        self._known.put(project, currency)
        return currency

    async def _absent(
        self, project: Project, origin: str, source: Source, currency: Currency | None, edition: int
    ) -> Currency:
        """The source has no such project. What is kept stays: a name that vanishes upstream is an event, not
        an order to break everyone who locked it."""
        now = self._clock.monotonic()
        if currency is not None and currency.sha256 is not None:
            currency.checked, currency.failed = now, None
            journal.warning("the source no longer has this project", extra={"project": str(project)})
            if self._vanished is not None and origin == "public":
                await self._vanished(project)
            return currency
        self._known.put(project, Currency(None, origin, now, edition=edition))
        raise NotFound(f"{source.name} has no project '{project.name}'.")

    def _give(self, project: Project, currency: Currency, state: str) -> Current:
        age = max(0, int(self._clock.monotonic() - currency.checked))
        document = self._at_hand(project, currency.origin)
        if document is not None and document.sha256 != currency.sha256:
            document = None
        return Current(currency, document, state, age)

    def _at_hand(self, project: Project, origin: str) -> Document | None:
        document = self._latest.get(project)
        return document if document is not None and document.origin == origin else None

    def _keep_at_hand(self, project: Project, document: Document) -> None:
        """The one document just fetched is about to be rendered: don't read it back from the volume."""
        self._latest.clear()
        if not document.path:
            self._latest[project] = document


def _discard(fetched: Document) -> None:
    """Remove the file that a fetched document came in; what is kept is a copy."""
    if fetched.path:
        Path(fetched.path).unlink(missing_ok=True)
