"""`registry policy`: what may come in, why not, and deciding it."""

from __future__ import annotations

from typing import Any

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import NEGATIVE
from registry.cli.projects import ecosystem_argument, split_version
from registry.cli.questions import confirm


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


def _deciding(kind: str, doc: str, example: str, *, has_versions: bool) -> None:
    """Add the command that makes entries of one kind."""

    def decide(
        ecosystem: str, pattern: str, reason: str, days: int | None, versions: str = "", *, as_json: bool
    ) -> None:
        api = connect()
        made = api.post(
            "/policy/entries",
            kind=kind,
            ecosystem=ecosystem,
            pattern=pattern,
            versions=versions,
            reason=reason,
            days=days,
        )
        if as_json:
            show.as_json_text(made)
            return
        entry = made["entry"]
        click.echo(
            f"Entry {entry['id']}: {kind} {ecosystem} {entry['pattern']} {entry['versions']}".rstrip() + "."
        )
        _warn(made["problems"])

    decide.__doc__ = doc
    command: Any = show.json_option(decide)
    if has_versions:
        command = click.option("--versions", default="", help="A version range; all versions without it.")(
            command
        )
    command = click.option("--days", type=int, help="For how many days; for ever without it.")(command)
    command = click.option("--reason", required=True, help="Why. Clients and the log show it.")(command)
    command = click.argument("pattern", metavar="NAME-OR-GLOB")(command)
    policy.command(kind, epilog=f"Example: {example}")(ecosystem_argument(command))


_deciding(
    "allow",
    "Let a name pass: past the allowlist and the look-alike check. A denial of the same name stays stronger.",
    'registry policy allow pypi acme-tools --reason "reviewed, TICKET-12"',
    has_versions=True,
)
_deciding(
    "deny",
    "Refuse a name, or versions of it, at every door; what is here already isn't served any more.",
    'registry policy deny npm left-pad --versions "<1.3.0" --reason "broken builds" --days 30',
    has_versions=True,
)
_deciding(
    "claim",
    "Make a name or glob ours: only what is published here counts, and upstream is never asked about it.",
    'registry policy claim npm "@acme/*" --reason "our scope"',
    has_versions=False,
)


@policy.command(epilog='Example: registry policy remove 12 --reason "fixed in 1.3.1"')
@click.argument("entry", type=int)
@click.option("--reason", required=True, help="Why. The log shows it.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@show.json_option
def remove(entry: int, reason: str, *, yes: bool, as_json: bool) -> None:
    """Take an entry back, by the number that `registry policy list` shows."""
    confirm(f"Take policy entry {entry} out of force?", yes=yes)
    removed = connect().delete(f"/policy/entries/{entry}", reason=reason)
    if as_json:
        show.as_json_text(removed)
        return
    was = removed["entry"]
    click.echo(f"Entry {entry} ({was['kind']} {was['ecosystem']} {was['pattern']}) is out of force.")
    _warn(removed["problems"])


@policy.command("list", epilog="Example: registry policy list --kind deny")
@click.option("--kind", type=click.Choice(["allow", "deny", "claim"]), help="Only these.")
@click.option("--ecosystem", help="Only of this one.")
@show.json_option
def list_(kind: str | None, ecosystem: str | None, *, as_json: bool) -> None:
    """List what was allowed, denied and claimed by command, API or page."""
    entries = list(connect().every("/policy/entries", kind=kind, ecosystem=ecosystem))
    if as_json:
        show.as_json_text(entries)
        return
    show.table(
        ("id", "kind", "ecosystem", "pattern", "versions", "until", "author", "reason"),
        [
            (
                e["id"],
                e["kind"],
                e["ecosystem"],
                e["pattern"],
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
        _warn(found["problems"])
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


def _warn(problems: list[str]) -> None:
    if problems:
        click.echo(
            "The policy file is broken; its last good version counts, with what was decided since:", err=True
        )
    for problem in problems:
        click.echo(f"  - {problem}", err=True)
