"""What an appliance finds on its machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from registry.identity.htpasswd import COST
from registry.model.ports import Clock
from registry.policy.names import KnownNames, shipped_names


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an appliance finds on its machine; tests bring their own."""

    clock: Clock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    known: Callable[[str], KnownNames] = shipped_names
    """Ecosystem → the public names that everybody knows."""
    password_cost: int = COST
    """bcrypt's, logarithmic."""
