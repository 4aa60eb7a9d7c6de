"""What an appliance finds on its machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import monotonic

from registry.identity.htpasswd import COST
from registry.model.ports import MachineClock
from registry.policy.names import KnownNames, shipped_names


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return monotonic()

    def running(self) -> tuple[str, float]:
        """Boot id and seconds since then, from the kernel's own files (proc(5)): a clock that is set, also
        for this process alone, changes neither. Elsewhere than on Linux the process is all that is known."""
        try:
            return _boot(), float(Path("/proc/uptime").read_text("ascii").split()[0])
        except OSError:
            return f"process {os.getpid()}", monotonic()


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an appliance finds on its machine; tests bring their own."""

    clock: MachineClock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    known: Callable[[str], KnownNames] = shipped_names
    """Ecosystem → the public names that everybody knows."""
    password_cost: int = COST
    """bcrypt's, logarithmic."""
