"""What is remembered of the time, and what that makes of what the machine's clock says."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The latest time that was believed, and when that was by the machine's own running."""

    moment: datetime
    """Aware UTC. Never goes back unless an admin says so."""
    boot: str
    """Names the run of the machine (boot) that `uptime` counts from."""
    uptime: float
    """Seconds that the machine had been running then."""
    leapt: float | None = None
    """The `uptime` at which its clock leapt forward, while that isn't believed."""
    lead: float = 0.0
    """Seconds by which it leapt."""
    accepted: int = 0
    """How many times what the clock said was declared right."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the time is, as far as anybody can tell."""

    state: Literal["right", "behind", "ahead"]
    """Of the machine's clock: behind what it said before; ahead of what it can be by how long it has run."""
    clock: datetime
    """What it says."""
    time: datetime
    """What counts."""
    problem: str | None = None
    """What is wrong and what to do."""
