"""Making a data directory out of an archive: at once and whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from registry.errors import Conflict, Unavailable
from registry.provenance.checkpoints import VerifyingKey
from registry.storage.backup.manifest import Manifest
from registry.storage.backup.reading import extract
from registry.storage.connections import connect
from registry.storage.durable import sync_directory


def restore(
    archive: Path, data: Path, key: VerifyingKey | None = None, *, new_volume: bool = False
) -> Manifest:
    """Make a data directory out of an archive, once everything in it was verified.

    Blocks. `data` has to be missing or empty; it appears at once, whole. The files of config/ are put into
    its folder `restored`. With `new_volume` the LAN volume's id is forgotten, so that an empty one is
    accepted. Raises Conflict, Malformed, Unavailable.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Conflict(f"{data} isn't empty; a backup is restored into an empty data directory only.")
    data.parent.mkdir(parents=True, exist_ok=True)
    staged = data.with_name(f".{data.name}.{secrets.token_hex(4)}")
    staged.mkdir(mode=0o700)
    try:
        manifest = extract(archive, staged, key)
        root = staged / "data"
        if (staged / "config").exists():
            (staged / "config").rename(root / "restored")
        if new_volume:
            _forget_volume(root / "registry.db")
        root.chmod(0o700)
        _sync_tree(root)
        if data.exists():
            data.rmdir()
        root.rename(data)
        sync_directory(data.parent)
    except OSError as error:
        raise Unavailable(f"The backup could not be restored: {error}.") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return manifest


def _forget_volume(database: Path) -> None:
    connection = connect(database)
    try:
        connection.execute("DELETE FROM fact WHERE name = 'volume-id/lan'").fetchall()
    finally:
        connection.close()


def _sync_tree(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            descriptor = os.open(Path(folder) / name, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(folder))
