"""Lock files of Python: pip's requirements, uv, poetry, pdm, Pipenv, and pylock.toml (PEP 751)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from registry.ecosystems.pypi.names import parse_name, parse_version, shown
from registry.errors import Malformed
from registry.model.artifacts import STRENGTH, Digest
from registry.model.locks import Locked, LockFile, lock_file

_Found = tuple[list[Locked], list[str], list[str]]
"""Entries, sentences about what is from elsewhere, files that belong to it."""

_HASH = re.compile(r"--hash[= ]\s*(\S+)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[= ]*(\S.*)")
_URL = re.compile(r"\w+://")
_ELSEWHERE = ("-e", "--editable", ".", "/", "file:", "git+", "http://", "https://")


def read_lock(filename: str, text: bytes) -> LockFile | None:
    """A lock file; None where the name is none of Python's. Raises Malformed for what it can't be."""
    reader = next((reader for pattern, reader in _READERS.items() if fnmatch(filename, pattern)), None)
    if reader is None:
        return None
    try:
        found, unresolved, includes = reader(text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Malformed(
            f"{shown(filename)} isn't what it is called ({type(error).__name__}: {error})."
        ) from None
    return lock_file("pypi", found, unresolved, includes)


def _requirements(text: bytes) -> _Found:
    found: list[Locked] = []
    unresolved: list[str] = []
    includes: list[str] = []
    whole = re.sub(r"\\\r?\n", " ", text.decode("utf-8-sig"))
    for line in (_COMMENT.sub("", written).strip() for written in whole.splitlines()):
        if not line:
            continue
        include = _INCLUDE.fullmatch(line)
        if include is not None and not _URL.match(include[1]):
            includes.append(include[1])
            continue
        if include is not None or line.startswith(_ELSEWHERE):
            unresolved.append(f"{shown(line)} isn't from an index.")
            continue
        if line.startswith("-"):
            continue
        digests = [digest for each in _HASH.findall(line) if (digest := _digest(each))]
        try:
            requirement = Requirement(re.split(r"\s--", line)[0].strip())
        except InvalidRequirement:
            unresolved.append(f"{shown(line)} is no requirement.")
            continue
        if requirement.url:
            unresolved.append(f"'{requirement.name}' isn't from an index.")
            continue
        pins = [
            s.version for s in requirement.specifier if s.operator in {"==", "==="} and "*" not in s.version
        ]
        _add(found, unresolved, requirement.name, pins[0] if len(pins) == 1 else None, digests)
    return found, unresolved, includes


def _toml(*elsewhere: str) -> Callable[[bytes], _Found]:
    """A file of `[[package]]` or `[[packages]]`, in which these keys say that one isn't from an index."""

    def read(text: bytes) -> _Found:
        document = tomllib.loads(text.decode("utf-8"))
        found: list[Locked] = []
        unresolved: list[str] = []
        for package in document.get("package", document.get("packages", [])):
            source = package.get("source") or {}
            kind = source.get("type", "")
            if kind in {"git", "url", "directory", "file"} or any(
                k in source or k in package for k in elsewhere
            ):
                if not {"virtual", "editable"} & {*source, *package}:  # that is the project itself
                    unresolved.append(f"{shown(str(package['name']))} isn't from an index.")
                continue
            files = [*package.get("wheels", []), *package.get("files", [])]
            files += [package["sdist"]] if package.get("sdist") else []
            _add(found, unresolved, package["name"], package.get("version"), _digests(files))
        return found, unresolved, []

    return read


def _pipfile(text: bytes) -> _Found:
    document = json.loads(text)
    found: list[Locked] = []
    unresolved: list[str] = []
    for group, packages in document.items():
        if group == "_meta":
            continue
        for name, package in packages.items():
            version = package.get("version")
            if version is None:
                unresolved.append(f"{shown(name)} isn't from an index.")
                continue
            digests = [digest for each in package.get("hashes", []) if (digest := _digest(each))]
            _add(found, unresolved, name, version.removeprefix("=="), digests)
    return found, unresolved, []


def _add(
    found: list[Locked], unresolved: list[str], name: str, version: str | None, digests: Iterable[Digest]
) -> None:
    try:
        canonical = None if version is None else parse_version(version)
        found.append(Locked(project=parse_name(name), version=canonical, digests=tuple(digests)))
    except Malformed as error:
        unresolved.append(str(error))


def _digests(files: Iterable[Mapping[str, Any]]) -> list[Digest]:
    digests = []
    for file in files:
        told = file.get("hashes") or {}
        digests += [Digest(name, value.lower()) for name, value in told.items() if name in STRENGTH]
        digest = _digest(str(file.get("hash", "")))
        if digest is not None:
            digests.append(digest)
    return digests


def _digest(text: str) -> Digest | None:
    algorithm, colon, value = text.partition(":")
    return Digest(algorithm, value.lower()) if colon and algorithm in STRENGTH else None


_READERS: Mapping[str, Callable[[bytes], _Found]] = {
    "uv.lock": _toml("editable", "virtual", "git", "path", "directory", "url"),
    "poetry.lock": _toml(),
    "pdm.lock": _toml("git", "path", "url", "editable"),
    "pylock*.toml": _toml("vcs", "directory", "archive"),
    "Pipfile.lock": _pipfile,
    "*.txt": _requirements,
    "*.in": _requirements,
}
LOCK_FILES = tuple(_READERS)
"""The names of lock files, as globs."""
