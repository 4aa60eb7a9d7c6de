"""Policy before it counts: allow what lock files or the log name, try another file on recorded requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import NEGATIVE
from registry.cli.files import text_of
from registry.cli.moments import since_moment

SHOWN = 20


def allow_pins(
    ctx: click.Context,
    pins: list[dict[str, Any]],
    unresolved: list[str],
    reason: str,
    days: int | None,
    *,
    pin: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Allow all of these in one act, and say what was left out."""
    wanted = [
        {"ecosystem": each["ecosystem"], "name": each["name"], "version": each["version"] if pin else None}
        for each in pins
    ]
    done = connect().post("/policy/allow", pins=wanted, reason=reason, days=days, dry_run=dry_run)
    if as_json:
        show.as_json_text({**done, "unresolved": unresolved})
    else:
        verb = "would be allowed" if dry_run else "are allowed from now on"
        click.echo(f"{len(done['added'])} names {verb}, {done['known']} were already.")
        for entry in done["added"] if dry_run else ():
            click.echo(
                f"  {entry['ecosystem']:<5} {show.plain(entry['pattern'])} {entry['versions']}".rstrip()
            )
        for verdict in done["flagged"]:
            reasons = "; ".join(o["reason"] for o in verdict["objections"] if o["rule"] != "allowlist")
            click.echo(f"  left out: {show.plain(reasons)}", err=True)
        for sentence in unresolved:
            click.echo(f"  not from an index: {show.plain(sentence)}", err=True)
    if done["flagged"] or unresolved:
        ctx.exit(NEGATIVE)


@click.command(epilog="Example: registry policy learn --since 30d")
@click.option("--since", default="30d", show_default=True, help="2026-11-21, 12h, 7d.")
@click.option("--apply", "apply", is_flag=True, help="Allow them, too.")
@click.option("--pin", is_flag=True, help="With --apply: only the versions that were used.")
@click.option("--days", type=int, help="With --apply: for how many days; for ever without it.")
@click.option("--reason", help="With --apply: why. Clients and the log show it.")
@show.json_option
@click.pass_context
def learn(
    ctx: click.Context,
    since: str,
    days: int | None,
    reason: str | None,
    *,
    apply: bool,
    pin: bool,
    as_json: bool,
) -> None:
    """Propose an allowlist of what was really used, as lines for policy.toml; with --apply, allow it."""
    used = connect().get("/policy/used", since=since_moment(since))["items"]
    if apply:
        if reason is None:
            raise click.UsageError("Missing option '--reason'.")
        pins = [
            {"ecosystem": each["ecosystem"], "name": each["name"], "version": version}
            for each in used
            for version in (each["versions"] if pin else [None])
        ]
        allow_pins(ctx, pins, [], reason, days, pin=pin, dry_run=False, as_json=as_json)
        return
    if as_json:
        show.as_json_text(used)
        return
    for ecosystem in sorted({each["ecosystem"] for each in used}):
        click.echo(f"[{ecosystem}]\nallow = [")
        for each in used:
            if each["ecosystem"] == ecosystem:
                versions = ", ".join(each["versions"][-3:])
                click.echo(f'    "{each["name"]}",  # {each["deliveries"]} times, {show.plain(versions)}')
        click.echo("]")
    if not used:
        click.echo("Nothing public was delivered since.")


@click.command(epilog="Example: registry policy test candidate.toml --since 30d")
@click.argument("candidate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--since", default="30d", show_default=True, help="2026-11-21, 12h, 7d.")
@show.json_option
@click.pass_context
def test(ctx: click.Context, candidate: Path, since: str, *, as_json: bool) -> None:
    """Try another policy file on the recorded requests: what would newly be refused, and what let through.

    Every request is judged as of its own time, by what is known of the file. Nothing changes. Status 1 when
    something that was let through would be refused.
    """
    found = connect().post("/policy/test", text=text_of(candidate), since=since_moment(since))
    if as_json:
        show.as_json_text(found)
    else:
        some = "" if found["complete"] else " (the newest; there are more)"
        click.echo(f"{found['requests']} requests since {show.local(found['since'])}{some}.")
        for title, key in (("newly refused", "refused"), ("newly allowed", "allowed")):
            click.echo(f"{len(found[key])} {title}:" if found[key] else f"Nothing {title}.")
            for each in found[key][:SHOWN]:
                version = f"@{each['version']}" if each["version"] else ""
                clients = ", ".join(each["clients"])
                click.echo(
                    f"  {each['ecosystem']}:{show.plain(each['name'])}{version}, {each['requests']} times by "
                    f"{show.plain(clients)}: {show.plain(each['reason'])}"
                )
            if len(found[key]) > SHOWN:
                click.echo(f"  and {len(found[key]) - SHOWN} more; --json shows all")
    if found["refused"]:
        ctx.exit(NEGATIVE)
