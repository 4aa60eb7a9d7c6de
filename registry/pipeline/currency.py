"""How current the kept document of a project is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from registry.errors import RegistryError
from registry.model.indexes import Document
from registry.model.names import Project

REMEMBERED = 50_000
"""Projects whose state is kept in memory; the rest is read again from the kept documents."""


@dataclass(slots=True)
class Currency:
    """How current the kept document of one project is. One object a project, shared by all its renditions."""

    sha256: str | None
    """Of the document; None while the source is believed to have none."""
    origin: str
    """Whose word it is: a name that is claimed, or given back, is asked for anew."""
    checked: float
    """Monotonic time of the last word from the source; may be negative for one kept over a restart."""
    failed: float | None = None
    """Monotonic time of the last failed attempt since."""
    failure: RegistryError | None = None
    edition: int = 0
    """Of the project's documents when this was found out; with another one it is found out anew."""

    def failed_since(self, moment: float) -> bool:
        """Whether the source was asked in vain since then, in monotonic time."""
        return self.failed is not None and self.failed >= moment

    def confirm(self, sha256: str, checked: float, edition: int) -> None:
        """The source said at that moment that this is its document."""
        self.sha256, self.checked, self.edition = sha256, checked, edition
        self.failed = self.failure = None


class Currencies:
    """Those of the projects asked about last."""

    def __init__(self) -> None:
        self._known: OrderedDict[Project, Currency] = OrderedDict()

    def get(self, project: Project) -> Currency | None:
        """What is remembered of a project."""
        return self._known.get(project)

    def put(self, project: Project, currency: Currency) -> None:
        """Remember it as the one asked about last."""
        self._known[project] = currency
        self._known.move_to_end(project)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def drop(self, project: Project) -> None:
        """Forget it."""
        self._known.pop(project, None)


@dataclass(frozen=True, slots=True)
class Current:
    """What a door gets: the state, and the document where it is at hand anyway."""

    currency: Currency
    document: Document | None
    state: str
    """`HIT`, `MISS` (just fetched), `REVALIDATED`, `STALE` (asked in vain) or `OFFLINE` (not asked)."""
    age: int
    """Seconds since the source last confirmed it."""


class Learn(Protocol):
    """Called with every new document before anyone is served from it."""

    async def __call__(self, document: Document) -> None:
        """Keep what the document says in the catalogue. Raises SourceFailed for one that can't be read."""
