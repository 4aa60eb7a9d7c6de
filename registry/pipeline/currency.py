"""How current the kept document of a project is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from registry.errors import RegistryError
from registry.model.indexes import Document


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
