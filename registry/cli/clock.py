"""`registry clock`: what time it is where the machine's clock was set."""

from __future__ import annotations

from typing import Any

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import NEGATIVE


@click.group()
def clock() -> None:
    """Compare the machine's clock with what it said before, and declare it right."""


@clock.command(epilog="Example: registry clock status")
@show.json_option
def status(*, as_json: bool) -> None:
    """Say what the machine's clock says, and which time counts. Status 1 where these differ."""
    _tell(connect().get("/clock"), as_json=as_json)


@clock.command(epilog='Example: registry clock accept --reason "it was a year ahead until now"')
@click.option("--reason", required=True, help="Why. The log shows it.")
@show.json_option
def accept(reason: str, *, as_json: bool) -> None:
    """Let what the machine's clock says count from now on, also where that is back."""
    _tell(connect().put("/clock", reason=reason), as_json=as_json)


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json_text(found)
    else:
        click.echo(found["problem"] or f"The clock is right: {show.local(found['time'])}.")
    if found["state"] != "right":
        click.get_current_context().exit(NEGATIVE)
