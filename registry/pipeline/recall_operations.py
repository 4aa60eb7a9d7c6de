"""Recall, for admins: stop what is here already, and say who has it.

A recall is a row of the policy, so it counts at every door and in every process, for cached bytes too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from registry.errors import Conflict, Malformed, NotFound
from registry.model.accounts import PolicyEntry
from registry.model.ecosystem import Ecosystem, find_ecosystem
from registry.model.events import Client, Event
from registry.model.ports import Catalogue, Clock, PolicyStore
from registry.provenance.report import Receipt

Who = Callable[[str, str], Awaitable[tuple[Receipt, ...]]]
"""Ecosystem and name → who was given files of that project, the latest first."""


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """What was called back, and whom it concerns."""

    entry: PolicyEntry
    files: tuple[str, ...]
    """Those whose bytes are here; they stay, and nobody gets them."""
    receipts: tuple[Receipt, ...]
    """Who was given such files, the latest first: from these machines they have to be taken by hand."""


class RecallOperations:
    """Calling back."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        store: PolicyStore,
        catalogue: Catalogue,
        who: Who,
        reload: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """`reload` makes a change of the rows count."""
        self._ecosystems = ecosystems
        self._store = store
        self._catalogue = catalogue
        self._who = who
        self._reload = reload
        self._clock = clock

    async def recall(
        self, ecosystem: str, name: str, version: str = "", *, reason: str, by: Client
    ) -> Recall:
        """Refuse a version, a range of versions, or with an empty `version` all of a project, from now on.

        Raises Malformed and Conflict (recalled already).
        """
        world = find_ecosystem(self._ecosystems, ecosystem)
        project = world.parse_name(name)
        versions = _range(world, version)
        if not reason.strip() or len(reason) > 200 or not reason.isprintable():
            raise Malformed("A recall has a reason of 1 to 200 printable characters; clients are told it.")
        now = self._clock.now()
        entry = PolicyEntry(
            ecosystem=ecosystem,
            kind="recall",
            pattern=project.name,
            versions=versions,
            reason=reason.strip(),
            author=by.actor,
            created=now,
        )
        for other in await self.recalls():
            if (other.ecosystem, other.pattern, other.versions) == (ecosystem, project.name, versions):
                raise Conflict(f"Entry {other.id} recalled it already; `registry recall lift` takes it back.")
        stored = await self._store.add(entry, self._event("recall", entry, by, entry.reason))
        await self._reload()
        return await self._concerning(stored)

    async def recalls(self) -> tuple[PolicyEntry, ...]:
        """Those in force, oldest first."""
        return tuple(entry for entry in await self._store.entries() if entry.kind == "recall")

    async def show(self, entry_id: int) -> Recall:
        """One of them, with those whom it concerns as of now. Raises NotFound."""
        return await self._concerning(await self._entry(entry_id))

    async def lift(self, entry_id: int, *, reason: str, by: Client) -> PolicyEntry:
        """End a recall. Raises NotFound and Malformed."""
        entry = await self._entry(entry_id)
        if not reason.strip() or len(reason) > 200 or not reason.isprintable():
            raise Malformed("Lifting a recall has a reason of 1 to 200 printable characters; say why.")
        lifted = await self._store.remove(entry_id, self._event("recall.lift", entry, by, reason.strip()))
        await self._reload()
        return lifted

    async def _entry(self, entry_id: int) -> PolicyEntry:
        for entry in await self.recalls():
            if entry.id == entry_id:
                return entry
        raise NotFound(f"There is no recall {entry_id} in force; `registry recall list` shows all.")

    async def _concerning(self, entry: PolicyEntry) -> Recall:
        world = self._ecosystems[entry.ecosystem]
        holds = world.parse_range(entry.versions)

        def concerned(version: str | None) -> bool:
            return not entry.versions or version is None or holds(version)

        holdings = await self._catalogue.holdings(world.parse_name(entry.pattern))
        receipts = await self._who(entry.ecosystem, entry.pattern)
        return Recall(
            entry=entry,
            files=tuple(
                sorted(h.artifact.filename for h in holdings if h.blob and concerned(h.artifact.version))
            ),
            receipts=tuple(receipt for receipt in receipts if concerned(receipt.version)),
        )

    def _event(self, action: str, entry: PolicyEntry, by: Client, reason: str) -> Event:
        recalled = f"recall {entry.pattern} {entry.versions}".rstrip()
        lifted = action == "recall.lift"
        return Event.decreed(
            by,
            self._clock.now(),
            project=self._ecosystems[entry.ecosystem].parse_name(entry.pattern),
            detail={
                "action": action,
                "subject": f"{entry.ecosystem}:{entry.pattern}",
                "before": recalled if lifted else "",
                "after": "" if lifted else recalled,
                "reason": reason,
            },
        )


def _range(world: Ecosystem, version: str) -> str:
    """A version or a range as a range: `3.3.6` is one to npm, to PyPI it is `==3.3.6`. Raises Malformed."""
    try:
        world.parse_range(version)
    except Malformed:
        exactly = f"=={version}"
        try:
            world.parse_range(exactly)
        except Malformed:
            raise Malformed(f"'{version}' is neither a version nor a range of {world.title}.") from None
        return exactly
    return version
