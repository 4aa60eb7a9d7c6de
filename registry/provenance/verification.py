"""Walking along a log: every row follows from the one before, every checkpoint fits its row.

The same walk for the appliance's own log and for an exported file. Where a checkpoint doesn't fit, somebody
wrote the chain anew from some row on: that row is after the last checkpoint that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from registry.model.checkpoints import Checkpoint, Link
from registry.provenance.chain import GENESIS, Break, misfit


class Walk:
    """A walk along one log, a row at a time."""

    def __init__(
        self,
        checkpoints: Iterable[Checkpoint] = (),
        base: Checkpoint | None = None,
        *,
        age: Callable[[Checkpoint], int] = lambda _: 0,
    ) -> None:
        """`checkpoints` and `base` are genuine: their signatures were checked. With a base the log begins
        with the row after it. `age` tells the log's keys apart: a key that was replaced makes no more."""
        self._age = age
        self._newest_key = 0
        self.rows = base.seq if base else 0
        """Number of the last row that is sound."""
        self.head = base.hash if base else GENESIS
        """Its hash."""
        self.proved = base.seq if base else 0
        """Number of the last row that a checkpoint proves."""
        self.confirmed = 0
        """Checkpoints that fit."""
        self.begins_after = self.rows
        self._expected: dict[int, list[Checkpoint]] = {}
        for checkpoint in checkpoints:
            self.expect(checkpoint)

    def expect(self, checkpoint: Checkpoint) -> None:
        """One more genuine checkpoint; about a row that is still to come, or the last one that came."""
        if checkpoint.seq >= self.rows:
            self._expected.setdefault(checkpoint.seq, []).append(checkpoint)

    def step(self, link: Link) -> Break | None:
        """Go on by one row; None when it follows."""
        found = misfit(link, self.rows, self.head)
        if found is not None:
            return found
        self.rows, self.head = link.seq, link.hash
        return self.settle()

    def settle(self) -> Break | None:
        """Compare the row that came last with the checkpoints about it."""
        for checkpoint in self._expected.pop(self.rows, ()):
            if checkpoint.hash != self.head:
                first = self.proved + 1
                return Break(
                    first,
                    f"row {self.rows} isn't the one that was there at {checkpoint.at}: rows {first} to"
                    f" {self.rows}, or some of them, were written anew.",
                )
            if self._age(checkpoint) < self._newest_key:
                return Break(
                    self.proved + 1,
                    f"the checkpoint of row {self.rows} ({checkpoint.at}) is signed by a key that had been"
                    " replaced before.",
                )
            self._newest_key = self._age(checkpoint)
            self.proved = self.rows
            self.confirmed += 1
        return None

    def end(self) -> Break | None:
        """The log ends here: whether a checkpoint knows of more."""
        if not self._expected:
            return None
        last = max(self._expected)
        return Break(
            self.rows + 1, f"rows {self.rows + 1} to {last} are missing: the end of the log was cut off."
        )
