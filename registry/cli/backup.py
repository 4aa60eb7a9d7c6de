"""`registry backup`: all that can't be fetched again, in one signed archive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click
import msgspec

from registry import __version__
from registry.cli import show
from registry.cli.api import settings_here
from registry.cli.exits import Negative, Unreachable
from registry.cli.files import PEM
from registry.errors import Conflict, Malformed, Unavailable
from registry.provenance.checkpoints import LogKey, VerifyingKey
from registry.storage import backup as archives


@click.group()
def backup() -> None:
    """All that can't be fetched again, in one signed archive.

    Run as the account of the appliance, on its machine; it may be running.
    """


@backup.command(epilog="Example: registry backup create /mnt/elsewhere/registry-$(date +%F).tar.gz")
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@show.json_option
def create(archive: Path, *, as_json: bool) -> None:
    """Write an archive: database, keys, accounts, private packages, settings and policy.

    It holds secrets; keep it where only administrators read. Public packages aren't in it.
    """
    settings = settings_here()
    path = settings.data / "keys" / "log-key"
    try:
        text = path.read_text("ascii", "replace")
    except OSError as error:
        raise Unreachable(f"{path} can't be read ({error.strerror}); is this the appliance's data?") from None
    config = [path for path in (settings.config, settings.policy) if path.is_file()]
    with _told():
        manifest = archives.create(
            settings.data,
            settings.volume,
            config,
            archive.absolute(),
            key=LogKey(text),
            release=__version__,
            now=datetime.now(UTC),
        )
    _tell(archive, manifest, "is made", as_json=as_json)


@backup.command(epilog="Example: registry backup verify registry-2026-11-21.tar.gz --key log-key.pem")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", type=PEM, help="The log's public key, kept elsewhere; shows forgery too.")
@show.json_option
def verify(archive: Path, key: TextIO | None, *, as_json: bool) -> None:
    """Check that an archive is complete and unedited, and its database and log sound. Status 1 when not."""
    with _told():
        manifest = archives.verify(archive, VerifyingKey(key.read()) if key else None)
    _tell(archive, manifest, "is sound", as_json=as_json)


@backup.command(epilog="Example: registry backup restore registry-2026-11-21.tar.gz")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", type=PEM, help="The log's public key, kept elsewhere.")
@click.option("--new-volume", is_flag=True, help="The LAN volume is lost too: accept an empty one.")
@show.json_option
def restore(archive: Path, key: TextIO | None, *, new_volume: bool, as_json: bool) -> None:
    """Make the data directory of the settings out of an archive. It has to be empty or missing."""
    data = settings_here().data
    with _told():
        manifest = archives.restore(
            archive, data, VerifyingKey(key.read()) if key else None, new_volume=new_volume
        )
    _tell(
        archive, manifest, f"is restored to {data}; its settings are in {data / 'restored'}", as_json=as_json
    )


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, as the command ends with it."""
    try:
        yield
    except (Malformed, Conflict) as error:
        raise Negative(str(error)) from None
    except Unavailable as error:
        raise Unreachable(str(error)) from None


def _tell(archive: Path, manifest: archives.Manifest, what: str, *, as_json: bool) -> None:
    size = sum(member.size for member in manifest.files.values())
    if as_json:
        facts = msgspec.to_builtins(manifest)
        show.as_json_text({**facts, "archive": str(archive), "files": len(manifest.files), "bytes": size})
        return
    files = f"{len(manifest.files)} files, {show.size(size)}"
    click.echo(f"{archive} {what}: {files}, the log up to row {manifest.rows}.")
