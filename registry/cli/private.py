"""`registry private`: the team's own Python releases, and who built the public ones."""

from __future__ import annotations

from typing import Any, get_args

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import Negative
from registry.cli.jobs import finish, progress
from registry.cli.projects import split_version
from registry.cli.questions import confirm
from registry.pipeline.private_operations import Standings

_release = click.argument("release", metavar="PROJECT@VERSION")
_reason = click.option(
    "--reason", required=True, help="Why; it is logged, and shown where it concerns clients."
)


@click.group()
def private() -> None:
    """The team's own Python releases. npm packages are changed by npm: deprecate, unpublish."""


@private.command(epilog="Example: registry private yank acme-utils@1.4.0 --reason 'loses data on resume'")
@_release
@_reason
@show.json_option
def yank(release: str, reason: str, *, as_json: bool) -> None:
    """Have pip and uv pass a release over, unless it is asked for by its very version."""
    _told("yanked", connect().post("/private/yank", **_named(release), reason=reason), as_json=as_json)


@private.command(epilog="Example: registry private unyank acme-utils@1.4.0")
@_release
@show.json_option
def unyank(release: str, *, as_json: bool) -> None:
    """Take a yank back."""
    _told("as it was before", connect().post("/private/unyank", **_named(release)), as_json=as_json)


@private.command(epilog="Example: registry private delete acme-utils@1.4.0 --reason 'has a password in it'")
@_release
@_reason
@click.option("--yes", is_flag=True, help="Don't ask.")
@show.json_option
def delete(release: str, reason: str, *, yes: bool, as_json: bool) -> None:
    """Take a release away for good. Its file names are never used again."""
    named = _named(release)
    confirm(f"Delete {release} for ever? Whoever locked it can't install it any more.", yes=yes)
    _told("deleted", connect().post("/private/delete", **named, reason=reason), as_json=as_json)


@private.command(epilog="Example: registry private status acme-utils archived --reason 'use acme-tools'")
@click.argument("project")
@click.argument("status", required=False, type=click.Choice(get_args(Standings)))
@click.option("--reason", default="", help="Why; indexes tell it. Every status but active needs one.")
@show.json_option
def status(project: str, status: str | None, reason: str, *, as_json: bool) -> None:
    """Show what a project is, or say it: archived and quarantined ones take no uploads, and of a quarantined
    one no file is listed or given out (PEP 792)."""
    api = connect()
    if status is None:
        said = api.get("/private/status", name=project)
    else:
        said = api.post("/private/status", name=project, status=status, reason=reason)
    if as_json:
        show.as_json_text(said)
        return
    why = f": {show.plain(said['reason'])}" if said["reason"] else ""
    click.echo(f"{said['name']} is {said['status']}{why}.")


@private.command(epilog="Example: registry private rescan")
@show.json_option
def rescan(*, as_json: bool) -> None:
    """Compare pypiserver's files with the index, and list what isn't listed. Status 1 if files are wrong."""
    api = connect()
    with progress(None, "files") as bar:
        job = finish(api, api.post("/private/rescan"), bar)
    found = job["found"]
    if as_json:
        show.as_json_text(job)
    else:
        click.echo(f"{found['known']} files are as they should be.")
        for kind in ("added", "mended", "removed", "missing", "refused"):
            if found[kind]:
                click.echo(f"{kind}: {found[kind]}")
        for complaint in job["complaints"]:
            click.echo(show.plain(complaint))
    if found["missing"] or found["refused"]:
        raise Negative("Some files can't be served as they are listed; see above.")


@private.command(epilog="Example: registry private builders requests")
@click.argument("project")
@show.json_option
def builders(project: str, *, as_json: bool) -> None:
    """Show who built the files of a Python project, public ones too, as far as they were attested."""
    found: list[Any] = list(connect().every("/builders", name=project))
    if as_json:
        show.as_json_text(found)
        return
    show.table(
        ("file", "verdict", "publisher", "checked", "reason"),
        [
            (
                item["filename"],
                item["judgement"]["verdict"],
                item["judgement"]["publisher"],
                show.local(item["checked"]),
                item["judgement"]["reason"],
            )
            for item in found
        ],
    )


@private.command(epilog="Example: registry private metadata")
@show.json_option
def metadata(*, as_json: bool) -> None:
    """Take core metadata out of wheels, public ones too, that were kept without it."""
    files = connect().post("/cache/metadata")["files"]
    if as_json:
        show.as_json_text(files)
        return
    click.echo(f"{len(files)} wheels offer their metadata now.")


def _named(release: str) -> dict[str, str]:
    name, version = split_version(release)
    if version is None or not version:
        raise click.UsageError("Name one release, as in acme-utils@1.4.0.")
    return {"name": name, "version": version}


def _told(what: str, changed: Any, *, as_json: bool) -> None:
    if as_json:
        show.as_json_text(changed)
        return
    click.echo(f"{changed['name']} {changed['version']} is {what}: {', '.join(changed['files'])}.")
    if changed["note"]:
        click.echo(changed["note"])
