"""`registry check`: what the entries of lock files would meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import NEGATIVE
from registry.cli.pins import read_pins

PAGE = 5_000


@click.command(epilog="Example: registry check uv.lock package-lock.json")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--all", "everything", is_flag=True, help="Show what is allowed, too.")
@show.json_option
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], *, everything: bool, as_json: bool) -> None:
    """Say for every entry whether it may pass: allowed, held, refused, absent, or of other bytes (mismatch).

    Nothing is installed and no upstream is asked; of what is absent only the name is known. Status 1 when
    an entry is held, refused or a mismatch.
    """
    pins, unresolved = read_pins(files)
    api = connect()
    items: list[dict[str, Any]] = []
    for start in range(0, len(pins), PAGE):
        items += api.post("/check", pins=pins[start : start + PAGE])["items"]
    wrong = [item for item in items if item["state"] not in {"allowed", "absent"}]
    if as_json:
        show.as_json_text({"ok": not wrong, "items": items, "unresolved": unresolved})
    else:
        shown = [item for item in items if everything or item["state"] != "allowed"]
        show.table(
            ("state", "package", "version", "until", "reason"),
            [(i["state"], _name(i), i["version"], show.local(i["until"]), i["reason"]) for i in shown],
        )
        for sentence in unresolved:
            click.echo(f"not from here: {show.plain(sentence)}", err=True)
        click.echo(f"{len(items)} entries, {len(wrong)} of them would be stopped.")
    if wrong:
        ctx.exit(NEGATIVE)


def _name(item: dict[str, Any]) -> str:
    return f"{item['ecosystem']}:{item['name']}"
