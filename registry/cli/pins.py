"""Lock files on the command line, as the API takes their entries."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from registry.cli.exits import Misused
from registry.ecosystems import ECOSYSTEMS
from registry.errors import Malformed
from registry.model.locks import LockFile


def read_pins(paths: Iterable[Path]) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of all lock files, and sentences about what is from elsewhere. Raises Misused."""
    pins: list[dict[str, Any]] = []
    unresolved: list[str] = []
    for path in paths:
        found = _read(path)
        unresolved += [f"{path}: {sentence}" for sentence in found.unresolved]
        pins += [
            {
                "ecosystem": found.ecosystem,
                "name": entry.project.name,
                "version": entry.version,
                "digests": [str(digest) for digest in entry.digests],
            }
            for entry in found.entries
        ]
    return pins, unresolved


def _read(path: Path) -> LockFile:
    try:
        text = path.read_bytes()
        found = [lock for world in ECOSYSTEMS.values() if (lock := world.read_lock(path.name, text))]
    except OSError as error:
        raise Misused(f"{path} can't be read ({error.strerror}).") from None
    except Malformed as error:
        raise Misused(str(error)) from None
    if not found:
        known = ", ".join(name for world in ECOSYSTEMS.values() for name in world.lock_files)
        raise Misused(f"{path} isn't a lock file that is known by its name; there are {known}.")
    return found[0]
