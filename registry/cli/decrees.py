"""`registry policy allow` and its kin: what an admin puts in force, and takes back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import Negative
from registry.cli.pins import read_pins
from registry.cli.planning import allow_pins
from registry.cli.projects import ecosystem_argument, split_version
from registry.cli.questions import confirm
from registry.ecosystems import ECOSYSTEMS
from registry.policy.exemptions import EXEMPTABLE


def _deciding(kind: str, doc: str, example: str, *, has_versions: bool) -> click.Command:
    """The command that makes entries of one kind."""

    def decide(
        ecosystem: str, pattern: str, reason: str, days: int | None, versions: str = "", *, as_json: bool
    ) -> None:
        _decree(
            as_json=as_json,
            kind=kind,
            ecosystem=ecosystem,
            pattern=pattern,
            versions=versions,
            reason=reason,
            days=days,
        )

    decide.__doc__ = doc
    command: Any = show.json_option(decide)
    if has_versions:
        command = click.option("--versions", default="", help="A version range; all versions without it.")(
            command
        )
    command = click.option("--days", type=int, help="For how many days; for ever without it.")(command)
    command = click.option("--reason", required=True, help="Why. Clients and the log show it.")(command)
    command = click.argument("pattern", metavar="NAME-OR-GLOB")(command)
    return click.command(kind, epilog=f"Example: {example}")(ecosystem_argument(command))


@click.command(
    epilog='Example: registry policy allow pypi acme-tools --reason "reviewed, TICKET-12"; or '
    'registry policy allow --from uv.lock package-lock.json --reason "what we use"'
)
@click.argument("words", nargs=-1, metavar="[ECOSYSTEM NAME-OR-GLOB | MORE-LOCK-FILES...]")
@click.option("--from", "first", type=click.Path(path_type=Path), help="Allow all that lock files name.")
@click.option("--versions", default="", help="A version range; all versions without it.")
@click.option("--pin", is_flag=True, help="With --from: allow only the versions that are locked.")
@click.option("--dry-run", is_flag=True, help="With --from: only say what would be added.")
@click.option("--days", type=int, help="For how many days; for ever without it.")
@click.option("--reason", help="Why. Clients and the log show it.")
@show.json_option
@click.pass_context
def allow(
    ctx: click.Context,
    words: tuple[str, ...],
    first: Path | None,
    versions: str,
    days: int | None,
    reason: str | None,
    *,
    pin: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let a name pass: past the allowlist and the look-alike check. A denial of the same name stays stronger.

    With --from, everything that lock files name, their whole closure. What another rule objects to, and what
    isn't from an index, is left out and told. Status 1 when something was left out.
    """
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason'.")
    if first is not None:
        if versions:
            raise click.UsageError("Lock files say the versions; use --pin, or leave --versions out.")
        pins, unresolved = read_pins([first, *map(Path, words)])
        allow_pins(ctx, pins, unresolved, reason or "-", days, pin=pin, dry_run=dry_run, as_json=as_json)
        return
    if len(words) != 2 or words[0] not in ECOSYSTEMS:
        raise click.UsageError(
            f"Name one of {', '.join(ECOSYSTEMS)} and a name or glob, or lock files with --from."
        )
    if pin or dry_run:
        raise click.UsageError("--pin and --dry-run go with --from.")
    _decree(
        as_json=as_json,
        kind="allow",
        ecosystem=words[0],
        pattern=words[1],
        versions=versions,
        reason=reason,
        days=days,
    )


deny = _deciding(
    "deny",
    "Refuse a name, or versions of it, at every door; what is here already isn't served any more.",
    'registry policy deny npm left-pad --versions "<1.3.0" --reason "broken builds" --days 30',
    has_versions=True,
)
claim = _deciding(
    "claim",
    "Make a name or glob ours: only what is published here counts, and upstream is never asked about it.",
    'registry policy claim npm "@acme/*" --reason "our scope"',
    has_versions=False,
)


@click.command(
    epilog='Example: registry policy exempt age pypi urllib3@2.6.1 --days 7 --reason "the fix is needed"'
)
@click.argument("rule", type=click.Choice(EXEMPTABLE))
@ecosystem_argument
@click.argument("project", metavar="NAME-OR-GLOB[@VERSION]")
@click.option("--versions", default="", help="A version range; all versions without it.")
@click.option("--days", type=int, required=True, help="For how many days.")
@click.option("--reason", required=True, help="Why. Clients and the log show it.")
@show.json_option
def exempt(
    rule: str, ecosystem: str, project: str, versions: str, days: int, reason: str, *, as_json: bool
) -> None:
    """Let a name, or versions of it, past one rule for some days. It ends by itself, and is recorded."""
    name, version = split_version(project)
    if version is not None and versions:
        raise click.UsageError("The version is given twice; leave one of them out.")
    _decree(
        as_json=as_json,
        kind="exempt",
        rule=rule,
        ecosystem=ecosystem,
        pattern=name,
        versions=version or versions,
        reason=reason,
        days=days,
    )


@click.command(epilog='Example: registry policy freeze npm 2026-11-01 --reason "worm going round"')
@ecosystem_argument
@click.argument("moment", metavar="DATE", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]))
@click.option("--days", type=int, help="For how many days; until it is taken back without it.")
@click.option("--reason", required=True, help="Why. Clients and the log show it.")
@show.json_option
def freeze(ecosystem: str, moment: datetime, days: int | None, reason: str, *, as_json: bool) -> None:
    """Draw a line in the sand: what was published after DATE (UTC) stays outside until it is unfrozen."""
    cutoff = moment.replace(tzinfo=UTC).isoformat()
    _decree(as_json=as_json, kind="freeze", ecosystem=ecosystem, cutoff=cutoff, reason=reason, days=days)


@click.command(epilog='Example: registry policy unfreeze npm --reason "over"')
@ecosystem_argument
@click.option("--reason", required=True, help="Why. The log shows it.")
@show.json_option
def unfreeze(ecosystem: str, reason: str, *, as_json: bool) -> None:
    """Take back every freeze of an ecosystem that was made by command. One in policy.toml stays."""
    api = connect()
    frozen = list(api.every("/policy/entries", kind="freeze", ecosystem=ecosystem))
    if not frozen:
        raise Negative(f"No freeze of {ecosystem} was made by command; look for `freeze` in policy.toml.")
    removed = [api.delete(f"/policy/entries/{entry['id']}", reason=reason) for entry in frozen]
    if as_json:
        show.as_json_text(removed)
        return
    for each in removed:
        click.echo(f"Entry {each['entry']['id']}: {ecosystem} is no longer frozen.")
    show_problems(removed[-1]["problems"])


def _decree(*, as_json: bool, **decree: object) -> None:
    """Put something in force, and say what was understood."""
    made = connect().post("/policy/entries", **decree)
    if as_json:
        show.as_json_text(made)
        return
    entry = made["entry"]
    parts = [entry["kind"], entry["rule"], entry["ecosystem"], entry["pattern"], entry["versions"]]
    if entry["cutoff"]:
        parts = [entry["kind"], entry["ecosystem"], "what was published after", entry["cutoff"]]
    until = f", until {show.local(entry['until'])}" if entry["until"] else ""
    click.echo(f"Entry {entry['id']}: {show.plain(' '.join(filter(None, parts)))}{until}.")
    show_problems(made["problems"])


@click.command(epilog='Example: registry policy remove 12 --reason "fixed in 1.3.1"')
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
    show_problems(removed["problems"])


def show_problems(problems: list[str]) -> None:
    """Say why what was decided doesn't count as it stands: the policy file is broken."""
    if problems:
        click.echo(
            "The policy file is broken; its last good version counts, with what was decided since:", err=True
        )
    for problem in problems:
        click.echo(f"  - {problem}", err=True)
