"""`registry doctor`: every part looked at, each failure with what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import NEGATIVE, Misused, Unreachable
from registry.pipeline.operations import Check


@click.command(epilog="Example: registry doctor")
@show.json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Look at every part: settings, upstreams, volume, database, back ends.

    A running appliance looks at itself. Where none answers, what can be seen without one is looked at.
    Exit status 1 when something is wrong.
    """
    checks = _checks()
    healthy = all(check["ok"] for check in checks)
    if as_json:
        show.as_json_text({"ok": healthy, "checks": checks})
    else:
        show.table(
            ("part", "state", "what was found"),
            [(check["name"], "ok" if check["ok"] else "WRONG", check["detail"]) for check in checks],
        )
        for check in checks:
            if not check["ok"] and check["remedy"]:
                click.echo(f"{check['name']}: {show.plain(check['remedy'])}", err=True)
    if not healthy:
        ctx.exit(NEGATIVE)


def _checks() -> list[Any]:
    try:
        answered: list[Any] = connect().get("/doctor")["checks"]
    except (Unreachable, Misused) as error:
        from registry.cli.offline import examine  # noqa: PLC0415 - database and all; seldom needed

        nobody = Check(
            name="appliance",
            ok=False,
            detail=error.message,
            remedy="start it with ./scripts/run, then look again",
        )
        found: list[Any] = msgspec.to_builtins([nobody, *examine(os.environ, Path.cwd())])
        return found
    return answered
