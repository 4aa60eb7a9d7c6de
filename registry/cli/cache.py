"""`registry cache`: what is kept here."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import NEGATIVE
from registry.cli.jobs import finish, progress
from registry.cli.pins import read_pins
from registry.settings import kinds

BATCH = 200
"""Versions that are asked for at a time."""


@click.group()
def cache() -> None:
    """What is kept here."""


@cache.command(epilog="Example: registry cache du")
@show.json_option
def du(*, as_json: bool) -> None:
    """Show what the kept files take, by ecosystem and origin, and what lies on the volume."""
    api = connect()
    found = {**api.get("/cache/usage"), "volume": api.get("/cache/volume")}
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
    volume = found["volume"]
    click.echo(
        f"On the volume: {volume['files']} files, {show.size(volume['bytes'])}; {volume['documents']} index "
        f"documents, {show.size(volume['documents_bytes'])}; {volume['orphans']} that no row names "
        f"({volume['adopted']} adopted), {volume['damaged']} put aside as damaged; "
        f"{show.size(volume['free'])} free."
        + (f" Shared with {volume['neighbours']} other appliances." if volume["neighbours"] else "")
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


@cache.command(epilog="Example: registry cache warm uv.lock package-lock.json")
@click.argument(
    "lockfiles", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@show.json_option
def warm(lockfiles: tuple[Path, ...], *, dry_run: bool, as_json: bool) -> None:
    """Bring in what lock files name, before anybody asks; what policy refuses stays outside.

    Run it again to go on where it was called off. Exit status 1 when something was refused or failed.
    """
    api = connect()
    pins, _ = read_pins(lockfiles)
    wishes = [pin for pin in pins if pin["version"] is not None]
    total: dict[str, Any] = {"here": 0, "fetched": 0, "bytes": 0, "refused": 0, "failed": 0, "complaints": []}
    with progress(len(wishes), "warming") as bar:
        for begin in range(0, len(wishes), BATCH):
            part = wishes[begin : begin + BATCH]
            job = finish(api, api.post("/cache/warm", wishes=part, dry_run=dry_run), bar)
            total["complaints"] += job["complaints"]
            for name, count in job["found"].items():
                total[name] += count
    if as_json:
        show.as_json_text(total)
    else:
        for complaint in total["complaints"]:
            click.echo(f"  {show.plain(complaint)}", err=True)
        verb = "would be fetched" if dry_run else "were fetched"
        click.echo(
            f"{total['fetched']} files {verb} ({show.size(total['bytes'])}), {total['here']} were here; "
            f"{total['refused']} are refused, {total['failed']} failed."
        )
    if total["refused"] or total["failed"]:
        raise SystemExit(NEGATIVE)


@cache.command(epilog="Example: registry cache gc --quota 50GiB --dry-run")
@click.option("--quota", metavar="SIZE", help="Instead of the setting: 800MiB, 50GiB.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@show.json_option
def gc(quota: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Remove files that no row names, and the least recently used beyond the quota.

    Private packages are never touched, pins stay, and so does what was asked for within the hour.
    """
    api = connect()
    with progress(None, "tidying up") as bar:
        job = finish(api, api.post("/cache/gc", quota=_bytes(quota), dry_run=dry_run), bar)
    if as_json:
        show.as_json_text(job)
        return
    found, verb = job["found"], "would be" if dry_run else "were"
    if found["left"]:
        click.echo(f"{found['left']} files without a row stay: another appliance may need them.")
    click.echo(
        f"{found['orphans']} files without a row ({show.size(found['orphans_bytes'])}) and "
        f"{found['given_up']} beyond the quota ({show.size(found['given_up_bytes'])}) {verb} removed."
    )


@cache.command(epilog="Example: registry cache scrub")
@click.option("--anew", is_flag=True, help="Begin anew, not where the last one was called off.")
@show.json_option
def scrub(*, anew: bool, as_json: bool) -> None:
    """Hash every kept file, put damaged ones aside, and fetch them again. Status 1 when one isn't healed.

    Ctrl-C calls it off; the next one goes on from there.
    """
    api = connect()
    with progress(None, "checking") as bar:
        job = finish(api, api.post("/cache/scrub", anew=anew), bar)
    found = job["found"]
    if as_json:
        show.as_json_text(job)
    else:
        for complaint in job["complaints"]:
            click.echo(f"  {show.plain(complaint)}", err=True)
        click.echo(f"{job['done']} files were checked: {found['damaged']} damaged, {found['healed']} healed.")
    if found["healed"] < found["damaged"]:
        raise SystemExit(NEGATIVE)


@cache.command(epilog="Example: registry cache adopt")
@click.option("--dry-run", is_flag=True, help="Only say what would be read.")
@show.json_option
def adopt(*, dry_run: bool, as_json: bool) -> None:
    """Take over files on the volume that no row names: after the database was lost, or went back in time.

    Each is hashed. Nobody gets it before upstream announces a file with the same digests, which then isn't
    fetched. What isn't announced within a month is removed by gc. Run it again to go on where it was called
    off. Exit status 1 when some were damaged.
    """
    api = connect()
    with progress(None, "reading") as bar:
        job = finish(api, api.post("/cache/adopt", dry_run=dry_run), bar)
    found, verb = job["found"], "would be read" if dry_run else "wait for upstream to announce them"
    if as_json:
        show.as_json_text(job)
    else:
        for complaint in job["complaints"]:
            click.echo(f"  {show.plain(complaint)}", err=True)
        click.echo(
            f"{found['adopted']} files ({show.size(found['bytes'])}) {verb}; {found['damaged']} damaged."
        )
    if found["damaged"]:
        raise SystemExit(NEGATIVE)


def _bytes(size: str | None) -> int | None:
    if size is None:
        return None
    try:
        return kinds.size(size)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--quota") from None
