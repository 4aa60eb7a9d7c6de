"""`registry offline`: ask no upstream at all, on purpose."""

from __future__ import annotations

import click

from registry.cli import show
from registry.cli.api import connect


@click.group()
def offline() -> None:
    """Ask no upstream at all: no look-up, no connection; what is here is served."""


@offline.command(epilog='Example: registry offline on --reason "the link is being moved"')
@click.option("--reason", required=True, help="Why. The log shows it.")
@show.json_option
def on(reason: str, *, as_json: bool) -> None:
    """Cut the appliance off from its upstreams, at once and over restarts."""
    _tell(connect().put("/offline", on=True, reason=reason), as_json=as_json)


@offline.command(epilog='Example: registry offline off --reason "the link is back"')
@click.option("--reason", required=True, help="Why. The log shows it.")
@show.json_option
def off(reason: str, *, as_json: bool) -> None:
    """Let the appliance ask its upstreams again."""
    _tell(connect().put("/offline", on=False, reason=reason), as_json=as_json)


@offline.command(epilog="Example: registry offline status")
@show.json_option
def status(*, as_json: bool) -> None:
    """Say whether upstreams are asked."""
    _tell(connect().get("/offline"), as_json=as_json)


def _tell(found: dict[str, bool], *, as_json: bool) -> None:
    if as_json:
        show.as_json_text(found)
    elif found["offline"]:
        click.echo("Offline: no upstream is asked; what is here is served.")
    else:
        click.echo("Online: upstreams are asked.")
