"""TOML tables of policy.toml, taken apart with a sentence for everything that is wrong.

A problem begins with its key and says what to do; a default stands in for what is wrong, so that all problems
are found in one go.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time


def table(key: str, value: object, allowed: Sequence[str], problems: list[str]) -> dict[str, object]:
    """A table that has no keys but the allowed."""
    if not isinstance(value, dict):
        problems.append(f"{key}: must be a table; write [{key}] on a line of its own.")
        return {}
    check_keys(f"{key}.", value, allowed, problems)
    return value


def check_keys(prefix: str, found: Iterable[str], allowed: Sequence[str], problems: list[str]) -> None:
    """Name every key that isn't one."""
    for key in found:
        if key not in allowed:
            known = ", ".join(allowed)
            problems.append(f"{prefix}{key}: is no key{did_you_mean(key, allowed)}; there are: {known}.")


def word(key: str, what: str, value: object, words: Sequence[str], default: str, problems: list[str]) -> str:
    """One of several words; `what` they are, like `no effect`."""
    if isinstance(value, str) and value in words:
        return value
    quoted = ", ".join(f'"{each}"' for each in words)
    problems.append(f"{key}: {value!r} is {what}{did_you_mean(value, words)}; choose one of {quoted}.")
    return default


def number(key: str, value: object, most: float, default: float, problems: list[str]) -> float:
    """A number from 0 to `most`."""
    if not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= most:
        return float(value)
    problems.append(f"{key}: {value!r} is no number from 0 to {most:g}; write one.")
    return default


def moment(key: str, value: object, problems: list[str]) -> datetime | None:
    """A date, or a date with time, as aware UTC; None where it is neither."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    problems.append(f"{key}: {value!r} is no date; write one without quotes, like 2026-11-01.")
    return None


def did_you_mean(value: object, known: Iterable[str]) -> str:
    """The known word that this is close to, as part of a sentence; or nothing."""
    close = difflib.get_close_matches(str(value), list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
