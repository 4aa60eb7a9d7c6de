"""Lock files: what somebody's project pins."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from registry.model.artifacts import Digest
from registry.model.names import Project


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: a project, and the version that is pinned."""

    project: Project
    version: str | None = None
    """As its ecosystem canonicalises it; None where the file leaves it open."""
    digests: tuple[Digest, ...] = ()
    """Those that a file of it may have; empty where the lock file says none."""


class LockFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a lock file says, in its order, each project and version once."""

    ecosystem: str
    entries: tuple[Locked, ...]
    unresolved: tuple[str, ...] = ()
    """Sentences about entries that come from elsewhere: a path, a repository, a URL."""
    includes: tuple[str, ...] = ()
    """Files that belong to it, relative to its folder (`-r` and `-c` of requirements)."""


def lock_file(
    ecosystem: str, found: list[Locked], unresolved: list[str], includes: Iterable[str] = ()
) -> LockFile:
    """Join entries about the same version, with all of their digests."""
    entries: dict[tuple[Project, str | None], Locked] = {}
    for entry in found:
        known = entries.setdefault((entry.project, entry.version), entry)
        if known is not entry:
            digests = tuple(dict.fromkeys((*known.digests, *entry.digests)))
            entries[entry.project, entry.version] = msgspec.structs.replace(known, digests=digests)
    return LockFile(
        ecosystem=ecosystem,
        entries=tuple(entries.values()),
        unresolved=tuple(dict.fromkeys(unresolved)),
        includes=tuple(includes),
    )
