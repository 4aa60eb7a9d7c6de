"""What can be told about an appliance on this machine while it doesn't answer. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from registry.ecosystems import ECOSYSTEMS
from registry.errors import ConfigurationError
from registry.pipeline.operations import Check
from registry.policy.loader import parse_policy
from registry.policy.names import parse_names
from registry.settings import Settings, load_settings
from registry.storage.filesystems import filesystem_of, is_remote
from registry.storage.inspection import damage, volume_of

OWN = "make it a writable directory of the account that runs the appliance"


def examine(environ: Mapping[str, str], directory: Path) -> Iterator[Check]:
    """Settings first; without them nothing else can be found."""
    try:
        settings = load_settings(environ, directory)
    except ConfigurationError as error:
        for problem in error.problems:
            yield Check(
                name="settings", ok=False, detail=problem, remedy=f"correct {directory}'s configuration"
            )
        return
    yield Check(name="settings", ok=True, detail=f"{settings.config}, {settings.host}:{settings.port}")
    yield from _policy(settings)
    yield _folder("data directory", settings.data, "REGISTRY_DATA")
    yield _database(settings.data / "registry.db")
    yield _lan_volume(settings)


def _policy(settings: Settings) -> Iterator[Check]:
    try:
        text = settings.policy.read_text("utf-8")
        # The shipped lists of known names take seconds to index, and no mistake depends on them.
        parse_policy(text, (), ECOSYSTEMS, {name: parse_names(name, "known") for name in ECOSYSTEMS}, {})
    except ConfigurationError as error:
        for problem in error.problems:
            yield Check(name="policy", ok=False, detail=problem, remedy=f"correct {settings.policy}")
    except (OSError, UnicodeDecodeError) as error:
        yield Check(
            name="policy", ok=False, detail=f"can't be read ({error})", remedy=f"restore {settings.policy}"
        )
    else:
        yield Check(name="policy", ok=True, detail=str(settings.policy))


def _folder(name: str, path: Path, setting: str) -> Check:
    if not path.exists():
        return Check(name=name, ok=True, detail=f"{path} isn't there yet; the first start makes it")
    if not path.is_dir() or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Check(
            name=name, ok=False, detail=f"{path} can't be written to", remedy=f"{OWN}, or set {setting}"
        )
    space = os.statvfs(path)
    free = space.f_bavail * space.f_frsize
    return Check(name=name, ok=True, detail=f"{path}, {free / 2**30:.1f} GiB free")


def _lan_volume(settings: Settings) -> Check:
    folder = _folder("LAN volume", settings.volume, "REGISTRY_VOLUME")
    expected = volume_of(settings.data / "registry.db", "lan")
    if not folder.ok or expected is None:
        return folder
    try:
        found = (settings.volume / "volume-id").read_text("ascii", "replace").strip()
    except OSError:
        found = ""
    if found == expected:
        return folder
    return Check(
        name="LAN volume",
        ok=False,
        detail=f"{settings.volume} has volume-id {found[:8] or 'none'}, the database expects {expected[:8]}",
        remedy="mount the right one; if it is lost, docs/backup.md says how a new one takes its place",
    )


def _database(path: Path) -> Check:
    if is_remote(filesystem_of(path)):
        return Check(
            name="database",
            ok=False,
            detail=f"{path} is on a network file system, where it gets damaged",
            remedy="set REGISTRY_DATA to a directory on a local disk",
        )
    if not path.exists():
        return Check(name="database", ok=True, detail=f"{path} isn't there yet; the first start makes it")
    problem = damage(path)
    remedy = "stop the appliance, keep the file aside and restore the last backup" if problem else ""
    return Check(name="database", ok=problem is None, detail=problem or f"{path} is sound", remedy=remedy)
