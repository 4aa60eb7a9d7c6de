"""Lock files on the command line, as the API takes their entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from registry.cli.exits import Misused
from registry.ecosystems import ECOSYSTEMS
from registry.errors import Malformed
from registry.model.locks import LockFile


def read_pins(paths: Iterable[Path]) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of all lock files and of those that they include, each once, and sentences about what is
    from elsewhere or pinned nowhere. Raises Misused."""
    pins: dict[tuple[str, str, str | None], dict[str, Any]] = {}
    unresolved: list[str] = []
    loose: dict[tuple[str, str], Path] = {}
    for path, found in _files(paths, set()):
        unresolved += [f"{path}: {sentence}" for sentence in found.unresolved]
        for entry in found.entries:
            name = entry.project.name
            pin = pins.setdefault(
                (found.ecosystem, name, entry.version),
                {"ecosystem": found.ecosystem, "name": name, "version": entry.version, "digests": []},
            )
            pin["digests"] += [d for d in map(str, entry.digests) if d not in pin["digests"]]
            if entry.version is None:
                loose.setdefault((found.ecosystem, name), path)
    pinned = {(ecosystem, name) for ecosystem, name, version in pins if version is not None}
    for (ecosystem, name), path in loose.items():
        if (ecosystem, name) in pinned:  # a constraint says which
            del pins[ecosystem, name, None]
        else:
            unresolved.append(f"{path}: '{name}' has no pinned version.")
    return list(pins.values()), unresolved


def _files(paths: Iterable[Path], read: set[Path]) -> Iterator[tuple[Path, LockFile]]:
    """All files, and those that they include; none twice."""
    for path in paths:
        where = path.resolve()
        if where in read:
            continue
        read.add(where)
        found = _read(path)
        yield path, found
        yield from _files((path.parent / name for name in found.includes), read)


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
