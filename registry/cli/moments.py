"""Moments as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click


def since_moment(text: str) -> str:
    """`2026-11-21T08:00`, `12h` or `7d` ago → a moment with a zone, this machine's where none is named."""
    ago = re.fullmatch(r"(\d{1,5})([hd])", text)
    if ago:
        span = timedelta(hours=int(ago[1])) if ago[2] == "h" else timedelta(days=int(ago[1]))
        return (datetime.now(UTC) - span).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            "write a date (2026-11-21), a time, 12h or 7d", param_hint="--since"
        ) from None
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()
