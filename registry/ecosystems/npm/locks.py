"""Lock files of npm, pnpm, yarn (1 and later) and bun.

pnpm's and yarn's are YAML as these programs write it, which is regular enough to be read line by line; what
a person wrote otherwise is taken for broken, never for something else.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from registry.ecosystems.npm.names import clean_version, parse_name
from registry.errors import Malformed
from registry.model.artifacts import STRENGTH, Digest
from registry.model.locks import Locked, LockFile, lock_file

_Found = tuple[list[Locked], list[str]]

_PNPM_KEY = re.compile(r"'?/?((?:@[^/]+/)?[^@/'(]+)[@/]([^('_]+)(?:[(_][^']*)?'?$")
_YARN_FIELD = re.compile(r'\s+"?(version|resolved|resolution|integrity)"?:? "?([^"\s]+)"?\s*$')


def read_lock(filename: str, text: bytes) -> LockFile | None:
    """A lock file; None where the name is none of npm's. Raises Malformed for what it can't be."""
    reader = next((reader for pattern, reader in _READERS.items() if fnmatch(filename, pattern)), None)
    if reader is None:
        return None
    try:
        found, unresolved = reader(text.decode("utf-8-sig"))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise Malformed(f"{filename!a} isn't what it is called ({type(error).__name__}: {error}).") from None
    return lock_file("npm", found, unresolved)


def _package_lock(text: str) -> _Found:
    document = json.loads(text)
    found: list[Locked] = []
    unresolved: list[str] = []
    packages: Iterator[tuple[str, Mapping[str, Any]]]
    if "packages" in document:
        packages = (
            (package.get("name") or path.rpartition("node_modules/")[2], package)
            for path, package in document["packages"].items()
            if "node_modules/" in path
        )
    else:
        packages = _nested(document.get("dependencies", {}))
    for name, package in packages:
        if package.get("link") or package.get("bundled") or package.get("inBundle"):
            continue
        version, resolved = package.get("version"), package.get("resolved", "")
        if not version or resolved.startswith(("git", "file:")):
            unresolved.append(f"{name!a} isn't from a registry.")
            continue
        _add(found, unresolved, name, version, package.get("integrity", ""))
    return found, unresolved


def _nested(dependencies: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Version 1: dependencies in dependencies."""
    for name, package in dependencies.items():
        version = str(package.get("version", ""))
        alias = re.fullmatch(r"npm:(@?[^@]+)@(.+)", version)
        yield (alias[1], {**package, "version": alias[2]}) if alias else (name, package)
        yield from _nested(package.get("dependencies", {}))


def _pnpm(text: str) -> _Found:
    found: list[Locked] = []
    unresolved: list[str] = []
    if not re.search(r"^lockfileVersion:", text, re.MULTILINE):
        raise ValueError("it has no lockfileVersion")
    section, key = "", ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            section = line.rstrip(": \r")
        elif section == "packages" and re.match(r"  \S.*:\s*$", line):
            key = line.strip().rstrip(":")
        elif section == "packages" and line.startswith("    resolution:"):
            match = _PNPM_KEY.match(key)
            integrity = re.search(r"integrity: ([^,}\s]+)", line)
            if match is None or integrity is None or clean_version(match[2]) is None:
                unresolved.append(f"{key!a} isn't from a registry.")
            else:
                _add(found, unresolved, match[1], match[2], integrity[1])
    return found, unresolved


def _yarn(text: str) -> _Found:
    found: list[Locked] = []
    unresolved: list[str] = []
    keys, fields = "", dict[str, str]()

    def close() -> None:
        if not keys or keys.startswith("__metadata"):
            return
        name, reference = _split(fields.get("resolution") or keys.split(",")[0].strip('" :'))
        if reference.startswith("npm:") and "@" in reference[5:]:  # an alias: its own name comes first
            name, reference = _split(reference.removeprefix("npm:"))
        if reference.startswith(("workspace:", "patch:")):  # what is patched has an entry of its own
            return
        resolved = fields.get("resolved", "")
        elsewhere = ("git", "file:", "link:", "portal:", "http", "exec:")
        if (
            ("resolution" in fields and not reference.startswith("npm:") and reference.startswith(elsewhere))
            or resolved.startswith(("git", "file:"))
            or ".git#" in resolved
        ):
            unresolved.append(f"{name!a} isn't from a registry.")
        else:
            _add(found, unresolved, name, fields["version"], fields.get("integrity", ""))

    for line in (*text.splitlines(), "end:"):
        if line and not line[0].isspace() and not line.startswith("#"):
            close()
            keys, fields = line, {}
        elif (match := _YARN_FIELD.match(line)) and len(line) - len(line.lstrip()) == 2:
            fields[match[1]] = match[2]
    return found, unresolved


def _split(text: str) -> tuple[str, str]:
    """`@scope/name@range` in two."""
    end = text.index("@", 1)
    return text[:end], text[end + 1 :]


def _bun(text: str) -> _Found:
    found: list[Locked] = []
    unresolved: list[str] = []
    for package in json.loads(re.sub(r",(\s*[}\]])", r"\1", text))["packages"].values():
        name, version = _split(package[0])
        if version.startswith("workspace:"):
            continue
        if clean_version(version) is None:
            unresolved.append(f"{name!a} isn't from a registry.")
        else:
            _add(found, unresolved, name, version, next((p for p in package[1:] if _is_integrity(p)), ""))
    return found, unresolved


def _is_integrity(part: object) -> bool:
    return isinstance(part, str) and part.startswith("sha")


def _add(found: list[Locked], unresolved: list[str], name: str, version: str, integrity: str) -> None:
    clean = clean_version(version)
    if clean is None:
        unresolved.append(f"{name!a} isn't from a registry.")
        return
    try:
        found.append(Locked(project=parse_name(name), version=clean, digests=_digests(integrity)))
    except Malformed as error:
        unresolved.append(str(error))


def _digests(integrity: str) -> tuple[Digest, ...]:
    digests = []
    for part in integrity.split():
        algorithm, _, value = part.partition("-")
        try:
            raw = base64.b64decode(value.partition("?")[0], validate=True)
        except (binascii.Error, ValueError):
            continue
        if algorithm in STRENGTH:
            digests.append(Digest(algorithm, raw.hex()))
    return tuple(digests)


_READERS: Mapping[str, Callable[[str], _Found]] = {
    "package-lock.json": _package_lock,
    "npm-shrinkwrap.json": _package_lock,
    "pnpm-lock.yaml": _pnpm,
    "yarn.lock": _yarn,
    "bun.lock": _bun,
}
LOCK_FILES = tuple(_READERS)
"""The names of lock files, as globs."""
