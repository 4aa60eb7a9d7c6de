"""The reference lists of known names: what an operator brings takes the place of what shipped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from registry.errors import Malformed
from registry.model.ecosystem import Ecosystem, find_ecosystem
from registry.model.events import Client, Event
from registry.model.ports import Clock, ProvenanceLog
from registry.pipeline.inforce import JoinedPolicy

FEWEST = 1_000
"""Names below which a list is taken for a mistake: it would leave most slips unseen."""


class NameList(msgspec.Struct, frozen=True, kw_only=True):
    """The known names of one ecosystem."""

    ecosystem: str
    names: int
    digest: str
    """Of the list, in hex."""
    left_out: int = 0
    """Lines of an update that are no names of the ecosystem."""


class NameOperations:
    """Looks at the lists, and replaces one."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        policy: JoinedPolicy,
        write: Callable[[str, str], None],
        log: ProvenanceLog,
        clock: Clock,
    ) -> None:
        """`write` keeps a list for the next start; it blocks."""
        self._ecosystems = ecosystems
        self._policy = policy
        self._write = write
        self._log = log
        self._clock = clock

    def lists(self) -> tuple[NameList, ...]:
        """All lists in force."""
        known = self._policy.known
        return tuple(
            NameList(ecosystem=name, names=len(names), digest=names.digest) for name, names in known.items()
        )

    async def update(self, ecosystem: str, text: str, *, by: Client) -> NameList:
        """Put another list in force, the most popular name first. Raises Malformed for too few names."""
        world = find_ecosystem(self._ecosystems, ecosystem)
        names, left_out = await asyncio.to_thread(_canonical, world, text)
        if len(names) < FEWEST:
            raise Malformed(
                f"The list has {len(names)} names; fewer than {FEWEST} would leave most slips unseen."
            )
        lines = "\n".join([*names, ""])
        await asyncio.to_thread(self._write, ecosystem, lines)
        event = Event.decreed(
            by,
            self._clock.now(),
            detail={
                "action": "policy.names",
                "subject": ecosystem,
                "names": len(names),
                "left_out": left_out,
            },
        )
        await self._log.record(event)
        await self._policy.know(ecosystem, lines)
        known = self._policy.known[ecosystem]
        return NameList(ecosystem=ecosystem, names=len(known), digest=known.digest, left_out=left_out)


def _canonical(world: Ecosystem, text: str) -> tuple[list[str], int]:
    """Names of a list in their order, each once; how many lines are none. Behind a tab may be ranks."""
    found: dict[str, None] = {}
    left_out = 0
    for line in text.splitlines():
        name = line.partition("\t")[0].strip()
        if not name or name.startswith("#"):
            continue
        try:
            found[world.parse_name(name).name] = None
        except Malformed:
            left_out += 1
    return list(found), left_out
