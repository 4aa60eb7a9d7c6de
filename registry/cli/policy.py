"""`registry policy`: what may come in, why not, and deciding it."""

from __future__ import annotations

from typing import Any, get_args

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.decrees import allow, claim, deny, exempt, freeze, remove, show_problems, unfreeze
from registry.cli.exits import NEGATIVE
from registry.cli.names import names
from registry.cli.petitions import decline, grant, requests
from registry.cli.planning import learn, test
from registry.cli.projects import ecosystem_argument, split_version
from registry.model.accounts import EntryKind


@click.group()
def policy() -> None:
    """What may come in, why not, and deciding it.

    What is decided here is kept in the database and joined with config/policy.toml, which is never written.
    """


@policy.command(epilog="Example: registry policy explain npm loadsh")
@ecosystem_argument
@click.argument("project", metavar="PROJECT[@VERSION]")
@show.json_option
@click.pass_context
def explain(ctx: click.Context, ecosystem: str, project: str, *, as_json: bool) -> None:
    """Say every objection against a name or a version, and which known name it resembles.

    Nothing is installed and no upstream is asked. Exit status 1 when it is refused.
    """
    name, version = split_version(project)
    found = connect().get("/policy/explain", ecosystem=ecosystem, name=name, version=version)
    if as_json:
        show.as_json_text(found)
    else:
        _tell(found)
    if not found["verdict"]["allowed"]:
        ctx.exit(NEGATIVE)


for command in (
    *(allow, deny, claim, exempt, freeze, unfreeze, remove),
    *(requests, grant, decline),
    *(learn, test, names),
):
    policy.add_command(command)


@policy.command("list", epilog="Example: registry policy list --kind deny")
@click.option("--kind", type=click.Choice(get_args(EntryKind)), help="Only these.")
@click.option("--ecosystem", help="Only of this one.")
@show.json_option
def list_(kind: str | None, ecosystem: str | None, *, as_json: bool) -> None:
    """List what was allowed, denied, claimed, frozen and exempted by command, API or page."""
    entries = list(connect().every("/policy/entries", kind=kind, ecosystem=ecosystem))
    if as_json:
        show.as_json_text(entries)
        return
    show.table(
        ("id", "kind", "rule", "ecosystem", "pattern", "versions", "until", "author", "reason"),
        [
            (
                e["id"],
                e["kind"],
                e["rule"],
                e["ecosystem"],
                e["cutoff"] or e["pattern"],
                e["versions"],
                show.local(e["until"]),
                e["author"],
                e["reason"],
            )
            for e in entries
        ],
    )


@policy.command(epilog="Example: registry policy status --json")
@show.json_option
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Show the policy in force. Exit status 1 when the policy file is broken and its last version counts."""
    found = connect().get("/policy")
    if as_json:
        show.as_json_text(found)
    else:
        modes = ", ".join(f"{name} {mode}" for name, mode in found["modes"].items())
        click.echo(f"Policy {found['revision']}: {modes}; {found['entries']} entries beside the file.")
        show_problems(found["problems"])
    if found["problems"]:
        ctx.exit(NEGATIVE)


def _tell(found: dict[str, Any]) -> None:
    verdict = found["verdict"]
    subject = f"{verdict['ecosystem']}:{verdict['name']}" + (
        f"@{verdict['version']}" if verdict["version"] else ""
    )
    enforced = [o for o in verdict["objections"] if o["effect"] != "observe"]
    word = "may pass" if verdict["allowed"] else ("is refused" if _is_denied(enforced) else "is held")
    click.echo(f"{show.plain(subject)} {word} ({verdict['mode']}, policy {verdict['revision']}).")
    if found["ours"]:
        click.echo("  The name is ours: upstream is never asked about it.")
    for objection in verdict["objections"]:
        click.echo(f"  {objection['effect']:<8} {objection['rule']}: {show.plain(objection['reason'])}")
        if objection["resembles"]:
            click.echo(f"  {'':<8} resembles {show.plain(objection['resembles'])}")
        if objection["until"]:
            click.echo(f"  {'':<8} until {show.local(objection['until'])}")
        if objection["remedy"]:
            click.echo(f"  {'':<8} {show.plain(objection['remedy'])}")
    if verdict["version"] and not found["files"]:
        click.echo(
            "  Nothing is known here of this version's files; this is judged by name and version alone."
        )
    for file in found["files"]:
        click.echo(f"  {'passes' if file['allowed'] else 'refused':<8} {show.plain(file['filename'])}")


def _is_denied(objections: list[dict[str, Any]]) -> bool:
    return any(objection["effect"] == "deny" for objection in objections)
