"""The older kinds of audit: a client's whole tree in, a report with paths out.

npm 6 asks so, and npm 7 to 10 where the newer kind failed. The tree is taken apart into names and versions,
which are answered like any other audit, and put together again around the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from registry.errors import Malformed

SEVERITIES = ("info", "low", "moderate", "high", "critical")
MAX_INSTALLED = 200_000
"""Packages of one tree, each place counted."""

Places = dict[str, dict[str, list[str]]]
"""Package name → version → where it is installed: `parent>child`."""

_MODULES = "node_modules/"


def read_tree(body: bytes) -> Places:
    """The installed packages of a tree, nested as in lock files of npm 6 (`dependencies`) or flat as in later
    ones (`packages`). Raises Malformed, also for a tree that was left out (npm 7 to 10 do that where their
    lock file has no `dependencies`): nothing found in nothing would read as no vulnerabilities."""
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise Malformed("An audit of this kind is a JSON object with the tree in 'dependencies'.")
    found: Places = {}
    for number, (name, version, place) in enumerate((*_nested(tree), *_flat(tree))):
        if number >= MAX_INSTALLED:
            raise Malformed(f"An audit has at most {MAX_INSTALLED} installed packages.")
        places = found.setdefault(name, {}).setdefault(version, [])
        if place not in places:
            places.append(place)
    if not found and tree.get("requires"):
        raise Malformed("Nothing was audited: the audit requires packages and lists none that are installed.")
    return found


def report(places: Places, answer: bytes, parse_range: Callable[[str], Callable[[str], bool]]) -> bytes:
    """The report that npm 6 prints, made of the newer kind's answer (name → advisories) about the tree.

    What npm would repair by itself isn't worked out: every finding is one to review. An advisory whose range
    nobody can read means all versions.
    """
    advisories: dict[str, Any] = {}
    actions: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for name, told in msgspec.json.decode(answer).items():
        for each in told:
            key = str(each.get("id"))
            meant = _meant(str(each.get("vulnerable_versions") or "*"), parse_range)
            findings = [
                {"version": version, "paths": paths}
                for version, paths in places.get(name, {}).items()
                if meant(version)
            ]
            if not findings:
                continue
            advisories[key] = {
                "cwe": "", "patched_versions": "<0.0.0", "overview": "", "recommendation": "", **each,
                "module_name": name, "findings": findings,
            }  # fmt: skip
            paths = [path for finding in findings for path in finding["paths"]]
            resolves = [
                {"id": each.get("id"), "path": path, "dev": False, "optional": False, "bundled": False}
                for path in paths
            ]
            actions.append({"action": "review", "module": name, "resolves": resolves})
            severity = each.get("severity")
            counts[severity if severity in SEVERITIES else "high"] += len(paths)
    total = sum(len(paths) for versions in places.values() for paths in versions.values())
    metadata = {
        "vulnerabilities": {severity: counts[severity] for severity in SEVERITIES},
        "dependencies": total, "devDependencies": 0, "optionalDependencies": 0, "totalDependencies": total,
    }  # fmt: skip
    return msgspec.json.encode(
        {"actions": actions, "advisories": advisories, "muted": [], "metadata": metadata}
    )


def _meant(text: str, parse_range: Callable[[str], Callable[[str], bool]]) -> Callable[[str], bool]:
    try:
        return parse_range(text)
    except Malformed:
        return lambda _: True


def _nested(tree: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    waiting = [("", tree.get("dependencies"))]
    while waiting:
        above, dependencies = waiting.pop()
        for name, entry in dependencies.items() if isinstance(dependencies, dict) else ():
            if not isinstance(entry, dict):
                continue
            place = f"{above}>{name}" if above else name
            waiting.append((place, entry.get("dependencies")))
            yield from _named(name, entry.get("version"), place)


def _flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    packages = tree.get("packages")
    for path, entry in packages.items() if isinstance(packages, dict) else ():
        if not isinstance(entry, dict) or _MODULES not in path:
            continue
        steps = path.partition(_MODULES)[2].split(f"/{_MODULES}")
        name = entry.get("name")
        yield from _named(name if isinstance(name, str) else steps[-1], entry.get("version"), ">".join(steps))


def _named(name: str, version: object, place: str) -> Iterator[tuple[str, str, str]]:
    """One package, by its own name where it is installed under another (`npm:other@1.0.0`); none for what
    comes from an address or a folder."""
    if not isinstance(version, str):
        return
    if version.startswith("npm:"):
        name, _, version = version.removeprefix("npm:").rpartition("@")
    if name and version and not set(version) & set(":/"):
        yield name, version, place
