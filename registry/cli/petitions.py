"""`registry policy requests`: what people ask to let pass, and the answers."""

from __future__ import annotations

import click

from registry.cli import show
from registry.cli.api import connect


@click.command(epilog="Example: registry policy requests")
@click.option("--all", "everything", is_flag=True, help="Show those that were answered, too.")
@show.json_option
def requests(*, everything: bool, as_json: bool) -> None:
    """List what refused people ask for, the newest first."""
    found = list(connect().every("/policy/requests", state=None if everything else "open"))
    if as_json:
        show.as_json_text(found)
        return
    show.table(
        ("id", "state", "subject", "asked", "by", "what for", "why"),
        [
            (
                each["id"],
                each["state"],
                each["subject"],
                show.local(each["at"]),
                each["name"] or each["actor"],
                each["message"],
                f"/why/{each['refusal']}",
            )
            for each in found
        ],
    )


@click.command(epilog='Example: registry policy grant 3 --reason "reviewed" --days 90')
@click.argument("request", type=int)
@click.option("--days", type=int, help="For how many days; 30 without it.")
@click.option("--reason", required=True, help="Why. Clients and the log show it.")
@show.json_option
def grant(request: int, days: int | None, reason: str, *, as_json: bool) -> None:
    """Let pass what was asked for: past every rule that stands against it now, for some days."""
    answered = connect().put(f"/policy/requests/{request}/granted", reason=reason, days=days)
    if as_json:
        show.as_json_text(answered)
        return
    subject = show.plain(answered["subject"])
    click.echo(f"Request {request}: {subject} passes; `registry policy list` shows the entries.")


@click.command(epilog='Example: registry policy decline 3 --reason "use httpx"')
@click.argument("request", type=int)
@click.option("--reason", required=True, help="Why. Whoever asked reads it, and the log shows it.")
@show.json_option
def decline(request: int, reason: str, *, as_json: bool) -> None:
    """Say no to what was asked for."""
    answered = connect().put(f"/policy/requests/{request}/declined", reason=reason)
    if as_json:
        show.as_json_text(answered)
        return
    click.echo(f"Request {request}: {show.plain(answered['subject'])} stays refused.")
