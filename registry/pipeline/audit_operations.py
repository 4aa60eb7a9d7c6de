"""What proves the log: checkpoints made and kept, the whole checked, exported, and shortened without a break.

Roles are checked at the door.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from registry.errors import Conflict, Malformed, RegistryError
from registry.model.checkpoints import Checkpoint
from registry.model.events import Client, Event
from registry.model.ports import Checkpoints, Clock, ProvenanceLog
from registry.provenance.chain import Break
from registry.provenance.checkpoints import LogKey
from registry.provenance.export import checkpoint_line, row_line
from registry.provenance.verification import Walk

BATCH = 500
"""Rows of the log that are read and checked at a time: a few milliseconds of the loop."""
LOOK = 5.0
"""Seconds between two looks at how far the log has grown."""
MANY_ROWS = 1_000
LONG = 300.0
"""A checkpoint is made after so many rows, or so many seconds after the last one if there are new rows."""

journal = logging.getLogger("registry.audit")


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the log is what was written."""

    intact: bool
    rows: int
    """Number of the last row that was found good."""
    head: str
    """Hash of that row."""
    row: int | None = None
    """Number of the first row that can't be trusted."""
    reason: str = ""
    """What is wrong with it."""
    begins_after: int = 0
    """The rows up to this one were taken out on purpose, which a signed checkpoint says."""
    proved: int = 0
    """The last row that a signed checkpoint vouches for."""
    checkpoints: int = 0
    """How many checkpoints were found to fit."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the log as lines of an export."""

    lines: tuple[str, ...]
    next: int | None
    """The row to go on after; None at the end."""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that were taken out, and the signed statement that stands for them."""

    rows: int
    checkpoint: Checkpoint


class Keys(Protocol):
    """Where the log's key is kept; another process may have replaced it."""

    def current(self) -> LogKey:
        """The key, which remembers those before it. Raises Malformed, OSError."""

    def replace(self, pem: str) -> None:
        """Keep another one, durably."""


class AuditOperations:
    """The proof of the log, for admins and for the appliance itself."""

    def __init__(self, *, checkpoints: Checkpoints, keys: Keys, log: ProvenanceLog, clock: Clock) -> None:
        self._checkpoints = checkpoints
        self._keys = keys
        self._log = log
        self._clock = clock

    @property
    def public_key(self) -> str:
        """What checkpoints are verified by, as PEM: the log's key after those that it has replaced."""
        return self._key.public.pem

    @property
    def fingerprint(self) -> str:
        """Short name of the key."""
        return self._key.public.fingerprint

    async def replace_key(self, *, reason: str, by: Client) -> None:
        """Go on with a fresh key. The old one's last statement covers the row that names the new one, and
        what it signed before stays verifiable. Raises Malformed without a reason."""
        if not reason.strip() or len(reason) > 200 or not reason.isprintable():
            raise Malformed("Another key for the log has a reason of 1 to 200 printable characters.")
        pem = self._key.replaced()
        detail = {
            "action": "audit.replace-key",
            "subject": "the log's key",
            "before": self.fingerprint,
            "after": LogKey(pem).public.fingerprint,
            "reason": reason.strip(),
        }
        await self._log.record(Event.decreed(by, self._clock.now(), detail=detail))
        await self._checkpoints.seal(self._sign)
        self._keys.replace(pem)

    async def checkpoint(self) -> Checkpoint:
        """A checkpoint about the newest row. Raises Conflict for an empty log."""
        made = await self._checkpoints.seal(self._sign)
        if made is None:
            raise Conflict("The log has no row yet; there is nothing to make a checkpoint of.")
        return made

    async def tend(self) -> None:
        """Make a checkpoint now and whenever the log has grown by much or for long, until cancelled."""
        sealed, since = 0, -LONG
        while True:
            try:
                newest, now = await self._checkpoints.newest(), self._clock.monotonic()
                if newest > sealed and (newest - sealed >= MANY_ROWS or now - since >= LONG):
                    made = await self._checkpoints.seal(self._sign)
                    sealed, since = made.seq if made else 0, now
            except RegistryError as error:
                journal.warning("no checkpoint could be made", extra={"error": str(error)})
            await asyncio.sleep(LOOK)

    async def seal(self) -> None:
        """Make a last checkpoint; a failure is only told."""
        try:
            await self._checkpoints.seal(self._sign)
        except RegistryError as error:
            journal.warning("no checkpoint could be made", extra={"error": str(error)})

    async def verify(self, held: Sequence[Checkpoint] = ()) -> Verification:
        """Read the whole log: every row has to follow from the one before, and every checkpoint to fit, ours
        and those that the caller `held` elsewhere."""
        base = await self._checkpoints.base()
        walk = Walk((), base, age=self._key.public.age)
        for checkpoint in (*([base] if base else ()), *held):
            if not self._key.public.genuine(checkpoint):
                return _verification(walk, _not_ours(checkpoint))
        for checkpoint in held:
            walk.expect(checkpoint)
        found = walk.settle() or await self._walk(walk)
        return _verification(walk, found or walk.end())

    async def export(self, after: int = 0, limit: int = BATCH, through: int | None = None) -> Exported:
        """So many rows after this one as lines, with the checkpoints about them; begins with the base where
        rows were taken out. Rows beyond `through` are left out."""
        base = await self._checkpoints.base()
        lines: list[bytes] = []
        if base is not None and after < base.seq:
            lines.append(checkpoint_line(base))
            after = base.seq
        links = [
            link
            for link in await self._checkpoints.links(after, limit)
            if through is None or link.seq <= through
        ]
        stated = {c.seq: c for c in await self._checkpoints.heads(after, len(links))} if links else {}
        for link in links:
            lines.append(row_line(link))
            if link.seq in stated:
                lines.append(checkpoint_line(stated[link.seq]))
        return Exported(
            lines=tuple(line.decode("utf-8", "replace") for line in lines),
            next=links[-1].seq if len(links) == limit else None,
        )

    async def before(self, moment: datetime) -> int:
        """Number of the last row that `prune` may take out to leave what happened since then; 0 for none."""
        newest = await self._checkpoints.newest_before(
            moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        )
        base = await self._checkpoints.base()
        return newest if base is None or newest > base.seq else 0

    async def prune(self, through: int, row_hash: str, *, reason: str, by: Client) -> Pruned:
        """Take out the rows up to this one, whose hash shows that the caller has exported them.

        A signed checkpoint stands in their place, and the act is in the log. Raises Malformed and Conflict.
        """
        if not reason.strip() or len(reason) > 200 or not reason.isprintable():
            raise Malformed("Taking rows out of the log has a reason of 1 to 200 printable characters.")
        base = await self._checkpoints.base()
        if base is not None and through <= base.seq:
            raise Conflict(f"The rows up to {base.seq} were taken out already.")
        now = self._clock.now()
        made = self._key.checkpoint(through, row_hash, now, "base")
        event = Event.decreed(
            by,
            now,
            detail={
                "action": "audit.prune",
                "subject": f"rows up to {through}",
                "before": f"began after row {base.seq if base else 0}",
                "after": f"begins after row {through}, {row_hash}",
                "reason": reason.strip(),
            },
        )
        return Pruned(rows=await self._checkpoints.prune(made, event), checkpoint=made)

    @property
    def _key(self) -> LogKey:
        return self._keys.current()

    def _sign(self, seq: int, row_hash: str) -> Checkpoint:
        return self._key.checkpoint(seq, row_hash, self._clock.now())

    async def _walk(self, walk: Walk) -> Break | None:
        """To the end of the rows, or to the first thing that is wrong."""
        while links := await self._checkpoints.links(walk.rows, BATCH):
            for checkpoint in await self._checkpoints.heads(walk.rows, len(links)):
                if not self._key.public.genuine(checkpoint):
                    return _not_ours(checkpoint)
                if checkpoint.seq <= links[-1].seq:
                    walk.expect(checkpoint)
            for link in links:
                found = walk.step(link)
                if found is not None:
                    return found
        for checkpoint in await self._checkpoints.heads(walk.rows, BATCH):
            walk.expect(checkpoint)  # about rows that aren't there
        return None


def _not_ours(checkpoint: Checkpoint) -> Break:
    return Break(
        checkpoint.seq,
        f"the checkpoint of row {checkpoint.seq} ({checkpoint.at}) isn't signed by the log's key.",
    )


def _verification(walk: Walk, found: Break | None) -> Verification:
    return Verification(
        intact=found is None,
        rows=walk.rows,
        head=walk.head,
        row=found.seq if found else None,
        reason=found.reason if found else "",
        begins_after=walk.begins_after,
        proved=walk.proved,
        checkpoints=walk.confirmed,
    )
