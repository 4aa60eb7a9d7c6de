"""`registry policy names`: the lists of names that look-alikes are measured against."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from registry.cli import show
from registry.cli.api import connect
from registry.cli.exits import Misused
from registry.cli.files import text_of
from registry.cli.projects import ecosystem_argument
from registry.ecosystems import ECOSYSTEMS
from registry.policy import names as shipped


@click.group()
def names() -> None:
    """The names that everybody knows: what look-alikes are measured against."""


@names.command(epilog="Example: registry policy names status")
@show.json_option
def status(*, as_json: bool) -> None:
    """Say how many names are known, and the digest of each list."""
    found = connect().get("/policy/names")["items"]
    if as_json:
        show.as_json_text(found)
        return
    show.table(
        ("ecosystem", "names", "digest"),
        [(each["ecosystem"], each["names"], each["digest"][:16]) for each in found],
    )


@names.command(epilog="Example: registry policy names prepare")
@show.json_option
def prepare(*, as_json: bool) -> None:
    """Work out, once for this machine, what finds slips of the shipped names; scripts/setup does it.

    It is put beside the lists. Where it is missing, or belongs to other names, every process works it out for
    itself when it starts.
    """
    folder = Path(str(resources.files(shipped)))
    made = []
    for ecosystem in ECOSYSTEMS:
        file, known = folder / f"{ecosystem}.table", shipped.shipped_names(ecosystem)
        if file.exists() and known.table_in(file.read_bytes()) is not None:
            continue
        part = file.with_suffix(".part")
        try:
            part.write_bytes(known.prepare_table())
            part.replace(file)
        except OSError as error:
            raise Misused(f"{file} can't be written ({error.strerror}); every start works it out.") from None
        made.append(str(file))
    if as_json:
        show.as_json_text(made)
    for each in made if not as_json else ():
        click.echo(f"{each} is there now.")


@names.command(epilog="Example: registry policy names update pypi top-pypi.txt")
@ecosystem_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@show.json_option
def update(ecosystem: str, file: Path, *, as_json: bool) -> None:
    """Put another list in force: a file with one name a line, the most popular first.

    What stands behind a tab, and lines that begin with #, are left out. The list counts at once, and is kept
    in the data directory.
    """
    done = connect().put("/policy/names", ecosystem=ecosystem, text=text_of(file))
    if as_json:
        show.as_json_text(done)
        return
    click.echo(
        f"{done['names']} {ecosystem} names are known from now on; {done['left_out']} lines were none."
    )
