"""`registry cache`: what is kept here."""

from __future__ import annotations

from itertools import islice

import click

from registry.cli import show
from registry.cli.api import connect


@click.group()
def cache() -> None:
    """What is kept here."""


@cache.command(epilog="Example: registry cache du")
@show.json_option
def du(*, as_json: bool) -> None:
    """Show what the kept files take, by ecosystem and origin."""
    found = connect().get("/cache/usage")
    if as_json:
        show.as_json_text(found)
        return
    show.table(
        ("ecosystem", "origin", "projects", "files", "size"),
        [
            (u["ecosystem"], u["origin"], u["projects"], u["files"], show.size(u["bytes"]))
            for u in found["items"]
        ],
    )


@cache.command("list", epilog="Example: registry cache list --ecosystem npm --limit 20")
@click.option("--ecosystem", help="Only of this one.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many, the largest.")
@show.json_option
def list_(ecosystem: str | None, limit: int, *, as_json: bool) -> None:
    """List the projects of which files are kept, the largest first."""
    projects = list(islice(connect().every("/cache", ecosystem=ecosystem), limit))
    if as_json:
        show.as_json_text(projects)
        return
    show.table(
        ("project", "origin", "files", "size"),
        [
            (
                f"{p['project']['ecosystem']}:{p['project']['name']}",
                p["origin"],
                p["files"],
                show.size(p["bytes"]),
            )
            for p in projects
        ],
    )
