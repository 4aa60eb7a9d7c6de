"""`registry audit verify` and its kin: that the log is whole, for us and for those who needn't trust us."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click
import msgspec

from registry.cli import show
from registry.cli.api import Api, connect
from registry.cli.exits import NEGATIVE, Misused, Negative
from registry.cli.files import PEM
from registry.cli.moments import since_moment
from registry.cli.questions import confirm
from registry.errors import Malformed
from registry.model.checkpoints import Checkpoint, Link
from registry.provenance.checkpoints import VerifyingKey
from registry.provenance.export import checkpoint_line, read_checkpoints, read_line
from registry.provenance.export import verify as verify_export

PAGE = 1_000


@click.command(epilog="Example: registry audit verify --checkpoint noted-in-march.json && echo whole")
@click.option(
    "--checkpoint", "held", type=click.File("rb"), help="One that was kept elsewhere, which has to fit."
)
@click.option(
    "--export", "exported", type=click.File("rb"), help="Check this file instead; asks no appliance."
)
@click.option("--key", type=PEM, help="The log's public key, for --export.")
@show.json_option
@click.pass_context
def verify(
    ctx: click.Context, held: BinaryIO | None, exported: BinaryIO | None, key: TextIO | None, *, as_json: bool
) -> None:
    """Check that no row of the log was changed, taken out or put in. Exit status 1 when one was."""
    try:
        checkpoints = read_checkpoints(held.read()) if held else ()
        if held and not checkpoints:
            raise click.BadParameter("there is no checkpoint in it", param_hint="--checkpoint")
        if exported is None:
            found = _verified_there(checkpoints)
        elif key is None:
            raise click.UsageError("--export needs --key, the public key that `registry audit key` printed.")
        else:
            found = _verified_here(exported, key.read(), checkpoints)
    except Malformed as error:
        raise Misused(str(error)) from None
    if as_json:
        show.as_json_text(found)
    elif found["intact"]:
        click.echo(
            f"The log is whole: rows {found['begins_after'] + 1} to {found['rows']}, the last one "
            f"{found['head']}. Checkpoints that fit: {found['checkpoints']}, the last one of row "
            f"{found['proved']}."
        )
    else:
        click.echo(f"The log was changed at row {found['row']}: {show.plain(found['reason'])}", err=True)
    if not found["intact"]:
        ctx.exit(NEGATIVE)


@click.command(epilog="Example: registry audit checkpoint > /mnt/elsewhere/checkpoint.json")
@show.json_option
def checkpoint(*, as_json: bool) -> None:
    """Print a signed checkpoint about the newest row, to be kept where nobody here can change it."""
    made = connect().post("/audit/checkpoints")
    if as_json:
        show.as_json_text(made)
        return
    click.echo(checkpoint_line(msgspec.convert(made, Checkpoint)).decode())


@click.command(epilog="Example: registry audit key > log-key.pem")
@show.json_option
def key(*, as_json: bool) -> None:
    """Print the public key that checkpoints are verified by, after those that it has replaced."""
    found = connect().get("/audit/key")
    if as_json:
        show.as_json_text(found)
        return
    click.echo(found["pem"].strip())


@click.command(
    epilog='Example: registry audit replace-key --reason "the old one was on a lost laptop" > log-key.pem'
)
@click.option("--reason", required=True, help="Why. The log shows it.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@show.json_option
def replace_key(reason: str, *, yes: bool, as_json: bool) -> None:
    """Sign checkpoints with a fresh key from now on, and print what all of them are verified by.

    What the old key signed stays verifiable; what it signs from now on isn't believed.
    """
    confirm("Replace the key that the log's checkpoints are signed with?", yes=yes)
    made = connect().post("/audit/key", reason=reason)
    if as_json:
        show.as_json_text(made)
        return
    click.echo(made["pem"].strip())


@click.command(epilog="Example: registry audit export --output log-2026.jsonl")
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A new file, mode 0600."
)
@show.json_option
def export(output: Path, *, as_json: bool) -> None:
    """Write all rows and checkpoints to a file that anyone can verify with the public key."""
    api = connect()
    api.post("/audit/checkpoints")
    rows, _ = _write_export(api, output, None)
    if as_json:
        show.as_json_text({"output": str(output), "rows": rows})
        return
    click.echo(
        f"{rows} rows are in {output}; check it with `registry audit verify --export {output} --key ...`."
    )


@click.command(
    epilog='Example: registry audit prune --before 2026-01-01 --export log-2025.jsonl --reason "one year"'
)
@click.option("--before", required=True, metavar="TIME", help="Take out what is older: 2026-01-01, 365d.")
@click.option(
    "--export",
    "output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file that the rows are written to first.",
)
@click.option("--reason", required=True, help="Why. The log shows it.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@show.json_option
def prune(before: str, output: Path, reason: str, *, yes: bool, as_json: bool) -> None:
    """Export the oldest rows of the log, then put a signed checkpoint in their place.

    The chain stays verifiable: it goes on from the checkpoint, and so does the exported file up to it.
    """
    api = connect()
    through = api.get("/audit/before", at=since_moment(before))["seq"]
    if through == 0:
        raise Negative("No row is that old; nothing was taken out.")
    confirm(f"Take the rows up to {through} out of the log, once {output} has them?", yes=yes)
    rows, last = _write_export(api, output, through)
    if last is None or last.seq != through:
        raise Negative(f"Row {through} could not be exported; nothing was taken out.")
    done = api.post("/audit/prune", through=through, hash=last.hash, reason=reason)
    if as_json:
        show.as_json_text({**done, "output": str(output)})
        return
    click.echo(f"{done['rows']} rows were taken out of the log; {rows} are in {output}. Keep that file.")


def _verified_there(checkpoints: Sequence[Checkpoint]) -> dict[str, Any]:
    """By the running appliance, for each checkpoint; the first bad news counts."""
    api = connect()
    found: dict[str, Any] = {}
    for held in checkpoints or (None,):
        found = api.get("/audit/verify", **(msgspec.to_builtins(held) if held else {}))
        if not found["intact"]:
            break
    return found


def _verified_here(exported: BinaryIO, pem: str, checkpoints: Sequence[Checkpoint]) -> dict[str, Any]:
    walk, wrong = verify_export(exported, VerifyingKey(pem), checkpoints)
    return {
        "intact": wrong is None,
        "rows": walk.rows,
        "head": walk.head,
        "row": wrong.seq if wrong else None,
        "reason": wrong.reason if wrong else "",
        "begins_after": walk.begins_after,
        "proved": walk.proved,
        "checkpoints": walk.confirmed,
    }


def _write_export(api: Api, output: Path, through: int | None) -> tuple[int, Link | None]:
    """Rows up to `through` to a new file, durably; gives how many there are and the last of them."""
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Misused(f"{output} can't be made ({error.strerror}); name a new file.") from None
    rows, last = 0, None
    after: int | None = 0
    with os.fdopen(descriptor, "wb") as file:
        while after is not None:
            page = api.get("/audit/export", after=after, through=through, limit=PAGE)
            for text in page["lines"]:
                line = text.encode()
                file.write(line + b"\n")
                part = read_line(line)
                if isinstance(part, Link):
                    rows, last = rows + 1, part
            after = page["next"]
        file.flush()
        os.fsync(file.fileno())
    return rows, last
