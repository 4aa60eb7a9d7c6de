"""`registry audit`: what came in and went out, and who has it. (Whether the log is whole: proof.py.)"""

from __future__ import annotations

from typing import Any

import click

from registry.cli import show
from registry.cli.api import Api, connect
from registry.cli.exits import Misused
from registry.cli.moments import since_moment
from registry.cli.projects import split_project
from registry.cli.proof import checkpoint, export, key, prune, replace_key, verify
from registry.ecosystems import ECOSYSTEMS
from registry.model.events import Kind

PAGE = 1_000


@click.group()
def audit() -> None:
    """What came in and went out, who has it, and whether the log is whole."""


for command in (verify, checkpoint, key, replace_key, export, prune):
    audit.add_command(command)


@audit.command(epilog="Example: registry audit log --kind refusal --since 7d")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([k.value for k in Kind]), help="Only these."
)
@click.option(
    "--project", metavar="PROJECT[@VERSION]", help="Only of this one: pypi:requests, npm:@acme/ui@1.0.0."
)
@click.option("--actor", help="Only by this user.")
@click.option("--since", metavar="TIME", help="Only from then on: 2026-11-21, 2026-11-21T08:00, 12h, 7d.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1), help="How many rows, the newest."
)
@show.json_option
def log(
    kinds: tuple[str, ...],
    project: str | None,
    actor: str | None,
    since: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show rows of the log, newest first."""
    ecosystem, name, version = split_project(project) if project else (None, None, None)
    if project and ecosystem is None:
        raise click.BadParameter(f"name the ecosystem too: pypi:{project}", param_hint="--project")
    rows: list[Any] = []
    before: int | None = None
    api = connect()
    while len(rows) < limit:
        page = api.get(
            "/audit/log",
            kinds=",".join(kinds) or None,
            ecosystem=ecosystem,
            name=name,
            version=version,
            actor=actor,
            since=since and since_moment(since),
            before=before,
            limit=min(PAGE, limit - len(rows)),
        )
        rows += page["items"]
        before = page["next"]
        if before is None:
            break
    if as_json:
        show.as_json_text(rows)
        return
    show.table(("row", "time", "kind", "actor", "what"), [_line(row) for row in rows])


@audit.command(epilog="Example: registry audit who requests@2.32.0")
@click.argument("project", metavar="PROJECT[@VERSION]")
@show.json_option
def who(project: str, *, as_json: bool) -> None:
    """List who was given files of a project.

    PROJECT is a name in either ecosystem, or in one: pypi:requests, npm:@acme/ui@1.0.0.
    """
    ecosystem, name, version = split_project(project)
    receipts = _receipts(connect(), [ecosystem] if ecosystem else list(ECOSYSTEMS), name, version)
    if as_json:
        show.as_json_text(receipts)
        return
    show.table(
        ("who", "address", "project", "version", "times", "first", "last"),
        [
            (
                r["actor"],
                r["address"],
                f"{r['project']['ecosystem']}:{r['project']['name']}",
                r["version"],
                r["count"],
                show.local(r["first"]),
                show.local(r["last"]),
            )
            for r in receipts
        ],
    )


def _receipts(api: Api, ecosystems: list[str], name: str, version: str | None) -> list[Any]:
    """Of every ecosystem in which the name is one at all."""
    found: list[Any] = []
    complaints: list[Misused] = []
    for ecosystem in ecosystems:
        try:
            found += api.every("/audit/who", ecosystem=ecosystem, name=name, version=version)
        except Misused as complaint:
            complaints.append(complaint)
    if len(complaints) == len(ecosystems):
        raise complaints[0]
    return sorted(found, key=lambda receipt: str(receipt["last"]), reverse=True)


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    event = row["event"]
    return row["seq"], show.local(event["at"]), event["kind"], event["actor"], _what(event)


def _what(event: dict[str, Any]) -> str:
    """What an event is about, and what is particular to it, on a line."""
    detail = {key: value for key, value in event["detail"].items() if value not in {None, ""}}
    subject = [str(detail.pop("action", "")), str(detail.pop("subject", ""))]
    if event["project"]:
        version = f"@{event['version']}" if event["version"] else ""
        subject.append(f"{event['project']['ecosystem']}:{event['project']['name']}{version}")
    subject.append(event["filename"] or (event["sha256"] or ""))
    return " ".join([*filter(None, subject), *(f"{key}={value}" for key, value in detail.items())])
