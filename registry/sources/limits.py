"""How long a source may take and how much it may send; every bound is a setting."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one source. Durations in seconds, sizes in bytes."""

    connect: float = 5.0
    """For one TCP connection."""
    first_byte: float = 10.0
    """From the connection to the answer's headers."""
    window: float = 30.0
    """The time over which `rate` is measured; only waiting for the source counts."""
    rate: int = 1024
    """Bytes a second that a body must bring at least."""
    document_bytes: int = 256 * MIB
    """Of an index document, decoded. The biggest public packuments exceed 100 MiB."""
    document_setting: str = "document_limit"
    """What messages call `document_bytes`."""
    artifact_bytes: int = 16 * 1024 * MIB
    """Of a file whose size nobody announced."""
    retry_pause: float = 0.25
    """Before the one retry."""
    redirects: int = 5
    failures: int = 5
    """In a row, until the breaker opens."""
    breaker_pause: float = 10.0
    """For which an open breaker asks nothing; doubles with every failed probe, up to `breaker_longest`."""
    breaker_longest: float = 120.0
    connections: int = 100
    """At once, to all hosts of the source."""


BACK_END = Limits(breaker_pause=1.0, breaker_longest=1.0)
"""For the private back ends: a child that was restarted is asked again within a second."""
