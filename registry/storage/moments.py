"""Times as the tables keep them: whole microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """An aware time as a number."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_none(moment: datetime | None) -> int | None:
    """The same, for a time that may be missing."""
    return None if moment is None else micros(moment)


def moment_of(number: int) -> datetime:
    """The inverse of `micros`."""
    return _EPOCH + timedelta(microseconds=number)


def moment_or_none(number: int | None) -> datetime | None:
    """The inverse of `micros_or_none`."""
    return None if number is None else moment_of(number)
