"""`registry recall`: stop what is here already, and say who has it."""

from __future__ import annotations

from typing import Any

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.projects import split_project
from registry.cli.questions import confirm


class _Short(click.Group):
    """`registry recall npm:name@1.0.0` without naming the command: a colon makes it a project."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and ":" in args[0]:
            args = ["project", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Short)
def recall() -> None:
    """Stop what is here already, at every door, and say who has it.

    `registry recall npm:event-stream@3.3.6` is short for `registry recall project …`.
    """


@recall.command(epilog='Example: registry recall project npm:event-stream@3.3.6 --reason "steals wallets"')
@click.argument("project", metavar="ECOSYSTEM:NAME[@VERSION]")
@click.option("--reason", required=True, help="Why. Clients and the log show it.")
@show.json_option
def project(project: str, reason: str, *, as_json: bool) -> None:
    """Refuse a version, a range, or all of a project from now on, and list who was given it."""
    ecosystem, name, version = split_project(project)
    if ecosystem is None:
        raise click.BadParameter(f"name the ecosystem too: pypi:{project}", param_hint="PROJECT")
    made = connect().post("/recalls", ecosystem=ecosystem, name=name, version=version or "", reason=reason)
    if as_json:
        show.as_json_text(made)
        return
    _tell(made)


@recall.command("list", epilog="Example: registry recall list")
@show.json_option
def list_(*, as_json: bool) -> None:
    """List the recalls in force."""
    entries = list(connect().every("/recalls"))
    if as_json:
        show.as_json_text(entries)
        return
    show.table(
        ("id", "since", "what", "author", "reason"),
        [(e["id"], show.local(e["created"]), _subject(e), e["author"], e["reason"]) for e in entries],
    )


@recall.command("show", epilog="Example: registry recall show 12")
@click.argument("entry", type=int)
@show.json_option
def show_(entry: int, *, as_json: bool) -> None:
    """Show a recall and who was given what it is about, as the log knows by now."""
    found = connect().get(f"/recalls/{entry}")
    if as_json:
        show.as_json_text(found)
        return
    _tell(found)


@recall.command(epilog='Example: registry recall lift 12 --reason "a false alarm"')
@click.argument("entry", type=int)
@click.option("--reason", required=True, help="Why. The log shows it.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@show.json_option
def lift(entry: int, reason: str, *, yes: bool, as_json: bool) -> None:
    """End a recall, by the number that `registry recall list` shows."""
    confirm(f"Serve again what recall {entry} stopped?", yes=yes)
    lifted = connect().delete(f"/recalls/{entry}", reason=reason)
    if as_json:
        show.as_json_text(lifted)
        return
    click.echo(f"Recall {entry} of {show.plain(_subject(lifted))} is lifted.")


def _tell(found: dict[str, Any]) -> None:
    entry, receipts = found["entry"], found["receipts"]
    click.echo(f"Recall {entry['id']}: {show.plain(_subject(entry))} is refused at every door.")
    for filename in found["files"]:
        click.echo(f"  kept here, served to nobody: {show.plain(filename)}")
    if not receipts:
        click.echo("The log knows of nobody who was given it.")
        return
    click.echo("Given to these, from whom it has to be taken by hand:")
    show.table(
        ("who", "address", "version", "files", "times", "first", "last"),
        [
            (
                r["actor"],
                r["address"],
                r["version"],
                " ".join(r["filenames"]),
                r["count"],
                show.local(r["first"]),
                show.local(r["last"]),
            )
            for r in receipts
        ],
    )


def _subject(entry: dict[str, Any]) -> str:
    return f"{entry['ecosystem']}:{entry['pattern']} {entry['versions']}".rstrip()
