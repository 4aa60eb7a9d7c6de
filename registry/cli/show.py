"""What commands print: JSON as the API sent it, or short aligned tables with local times."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """`--json`, which every command has."""
    return click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")(command)


def as_json_text(answer: object) -> None:
    """An answer, as JSON."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows below their titles, in columns; nothing but a word where there are none."""
    lines = [[plain(cell) for cell in row] for row in rows]
    if not lines:
        click.echo("(none)")
        return
    lines.insert(0, [title.upper() for title in titles])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def plain(cell: object) -> str:
    """A value as text that a terminal doesn't obey: names and agents come from strangers."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "".join(c if c.isprintable() else "?" for c in str(cell))


def local(moment: str | None) -> str:
    """A time of the API in this machine's zone, to the second; empty for none."""
    if moment is None:
        return ""
    return datetime.fromisoformat(moment).astimezone().isoformat(timespec="seconds")


def size(count: int) -> str:
    """Bytes as people read them: `12.3 MiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
