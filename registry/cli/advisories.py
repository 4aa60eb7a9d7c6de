"""`registry advisories`: what the world knows to be malicious or vulnerable, read from files."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import NEGATIVE
from registry.ecosystems import ECOSYSTEMS
from registry.errors import Malformed
from registry.model.advisories import Record
from registry.policy.osv import read_osv

BATCH_BYTES = 500_000
BATCH_RECORDS = 2_000
LARGEST_DOCUMENT = 20 * 2**20
SHOWN = 5
"""Unreadable documents that are named; the rest are counted."""


@click.group()
def advisories() -> None:
    """Known malware and vulnerabilities, read from OSV files. Nothing is fetched."""


@advisories.command("import", epilog="Example: registry advisories import osv-npm.zip malicious-packages/")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@show.json_option
@click.pass_context
def import_(ctx: click.Context, paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Read OSV documents: JSON files, folders of them, and zip files.

    Of documents that were read before, only those that were modified since change anything; withdrawn ones
    take themselves back. Status 1 when a document couldn't be read; the others count all the same.
    """
    api, broken = connect(), list[str]()
    read = news = 0
    for batch in _batches(_records(paths, broken)):
        read += len(batch)
        news += api.post("/advisories", records=batch)["news"]
    standing = api.post(
        "/advisories/settle", source=" ".join(path.name for path in paths)[:200], read=read, news=news
    )
    if as_json:
        show.as_json_text({"read": read, "news": news, "broken": broken, "standing": standing})
    else:
        click.echo(
            f"Read {read} advisories, {news} of them news; {standing['advisories']} count from now on."
        )
        for line in broken[:SHOWN]:
            click.echo(f"  left out: {show.plain(line)}", err=True)
        if len(broken) > SHOWN:
            click.echo(f"  and {len(broken) - SHOWN} more", err=True)
    if broken:
        ctx.exit(NEGATIVE)


@advisories.command(epilog="Example: registry advisories status")
@show.json_option
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Say how many advisories there are, and how old. Status 1 when none were ever imported."""
    standing = connect().get("/advisories")
    if as_json:
        show.as_json_text(standing)
    elif standing["imported"] is None:
        click.echo("No advisories were imported; `registry advisories import PATH` reads OSV files.")
    else:
        click.echo(
            f"{standing['advisories']} advisories, the newest of {show.local(standing['newest'])}, imported "
            f"{show.local(standing['imported'])}."
        )
    if standing["imported"] is None:
        ctx.exit(NEGATIVE)


def _records(paths: Iterable[Path], broken: list[str]) -> Iterator[Record]:
    """Those about an ecosystem of ours, one at a time; withdrawn ones always."""
    for name, text in (document for path in paths for document in _documents(path, broken)):
        try:
            record = read_osv(text, ECOSYSTEMS)
        except Malformed as error:
            broken.append(f"{name}: {error}")
            continue
        if record.affected or record.withdrawn:
            yield record


def _documents(path: Path, broken: list[str]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for inner in sorted(path.rglob("*.json")):
            try:
                text = inner.read_bytes()
            except OSError as error:
                broken.append(f"{inner}: {error.strerror}")
                continue
            yield str(inner), text
    elif path.suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(".json") and member.file_size <= LARGEST_DOCUMENT:
                        yield f"{path.name}:{member.filename}", archive.read(member)
        # A member with a password is a RuntimeError.
        except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            broken.append(f"{path}: {error}")
    else:
        yield str(path), path.read_bytes()


def _batches(records: Iterator[Record]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for record in records:
        encoded = len(msgspec.json.encode(record))
        if batch and (size + encoded > BATCH_BYTES or len(batch) >= BATCH_RECORDS):
            yield batch
            batch, size = [], 0
        batch.append(msgspec.to_builtins(record))
        size += encoded
    if batch:
        yield batch
