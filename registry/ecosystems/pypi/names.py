"""Names, name patterns, version ranges and file names of the Python world, as `packaging` reads them.

The only module that makes a PyPI `Project`. What a file is called says which project, version and kind it
is; nothing else here looks at files.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from registry.errors import Malformed
from registry.model.names import Project

ECOSYSTEM = "pypi"

MAX_NAME = 200
"""Characters of a project name; the longest public one has 188."""

MAX_FILENAME = 255
"""Characters of a file name: what common file systems hold."""

MAX_RANGE = 1_000
"""Characters of a version range in a policy."""

MAX_TAGS = 1_000
"""Tag combinations that a wheel's name may stand for; real ones stay below a hundred."""

SDIST_SUFFIXES = (".tar.gz", ".zip")
ARTIFACT_SUFFIXES = (".whl", *SDIST_SUFFIXES)
"""What installers still take. Eggs, installers for Windows and the like are no artifacts here."""

_FILENAME = re.compile(r"[A-Za-z0-9._+!-]*")
_PATTERN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "._-*?")


class Outdated(Malformed):
    """An sdist whose version is from before PEP 440: real, but no installer can use it."""


class FileName(msgspec.Struct, frozen=True):
    """What the name of a file says about it."""

    version: str
    """Canonical, with its zeros: `1.0`, `2!1.0rc1`, `1.0+cu118`."""
    kind: Literal["wheel", "sdist"]


def parse_name(text: str) -> Project:
    """Any spelling of a project's name → the project (PEP 503). Raises Malformed."""
    if len(text) > MAX_NAME:
        raise Malformed(f"A project name has at most {MAX_NAME} characters; this one has {len(text)}.")
    _refuse_foreign_letters(text)
    try:
        return Project(ECOSYSTEM, canonicalize_name(text, validate=True))
    except InvalidName:
        raise Malformed(
            f"{shown(text)} isn't a project name: letters, digits and . _ - between them are allowed."
        ) from None


def parse_pattern(text: str) -> str:
    """A name or glob of a policy (`Acme_*`, `*-internal`) → its canonical spelling. Raises Malformed.

    `*` stands for any characters, `?` for one; nothing else is special.
    """
    if not {"*", "?"} & set(text):
        return parse_name(text).name
    if len(text) > MAX_NAME:
        raise Malformed(f"A name pattern has at most {MAX_NAME} characters; this one has {len(text)}.")
    _refuse_foreign_letters(text)
    if not set(text) <= _PATTERN_CHARACTERS:
        raise Malformed(
            f"{shown(text)} isn't a name pattern: letters, digits, . _ - and the wildcards * ? are allowed."
        )
    pattern = canonicalize_name(text)
    if pattern.startswith("-") or pattern.endswith("-"):
        raise Malformed(f"{shown(text)} can't match any project: no name begins or ends with . _ or -.")
    return pattern


def parse_range(text: str) -> Callable[[str], bool]:
    """A version specifier (PEP 440, `>=1.0,<2`) → does this version lie in it? Raises Malformed.

    Prereleases match like any other version: a policy about `<2` means them too. The empty range holds all.
    """
    if len(text) > MAX_RANGE:
        raise Malformed(f"A version range has at most {MAX_RANGE} characters; this one has {len(text)}.")
    try:
        specifier = SpecifierSet(text)
    except InvalidSpecifier:
        hint = f"; write '=={text.strip()}' for that one version" if version_key(text) else ""
        raise Malformed(f"{shown(text)} isn't a version range such as '>=1.0,<2'{hint}.") from None

    def lies_in_range(version: str) -> bool:
        return version_key(version) is not None and specifier.contains(version, prereleases=True)

    return lies_in_range


def parse_version(text: str) -> str:
    """Any spelling of a version → its canonical one (PEP 440). Raises Malformed."""
    if len(text) > MAX_FILENAME or not text.isascii():
        raise Malformed(f"{shown(text)} isn't a version.")
    version = _canonical_version(text)
    if version is None:
        raise Malformed(f"{shown(text)} isn't a version (PEP 440).")
    return version


def version_key(text: str) -> Version | None:
    """A version by its place in PEP 440's order, or None."""
    try:
        return _version(text)
    except InvalidVersion:
        return None


def in_order(versions: Iterable[str]) -> list[str]:
    """Canonical versions, the oldest first (PEP 440)."""
    return sorted(versions, key=_version)


@lru_cache(maxsize=2_048)
def _version(text: str) -> Version:
    """Raises InvalidVersion."""
    return Version(text)


def parse_filename(project: Project, filename: str) -> FileName:
    """What the name of a file says, which must be a wheel or an sdist of `project`. Raises Malformed."""
    if len(filename) > MAX_FILENAME:
        raise Malformed(f"A file name has at most {MAX_FILENAME} characters; this one has {len(filename)}.")
    if filename.endswith(".whl"):
        return _wheel(project, filename)
    _refuse_foreign_characters(filename)
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            return FileName(_sdist_version(project, filename, filename.removesuffix(suffix)), "sdist")
    raise Malformed(f"{shown(filename)} is neither a wheel (.whl) nor an sdist (.tar.gz, .zip).")


def shown(text: str) -> str:
    """Foreign text as a message may quote it: printable ASCII, one line, not too long."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")


def _wheel(project: Project, filename: str) -> FileName:
    # The wheels of a project share few versions and few tags, so the halves of a name are judged apart, once.
    stem = filename.rsplit("-", 3)[0]
    try:
        if _combinations(filename[len(stem) + 1 : -4]) > MAX_TAGS:
            raise Malformed(f"{shown(filename)} stands for more than {MAX_TAGS} combinations of tags.")
        name, said = _release(stem)
    except InvalidWheelFilename:
        _refuse_foreign_characters(filename)
        raise Malformed(f"{shown(filename)} isn't the name of a wheel.") from None
    if name != project.name:
        raise Malformed(f"{shown(filename)} is a file of {shown(name)}, not of {shown(project.name)}.")
    return said


@lru_cache(maxsize=2_048)
def _release(stem: str) -> tuple[str, FileName]:
    """The project that `name-version[-build]` names, and what it says. Raises InvalidWheelFilename."""
    if not _FILENAME.fullmatch(stem):
        raise InvalidWheelFilename(stem)
    name, _, rest = stem.partition("-")
    version = _canonical_version(rest) if "-" not in rest else None
    if version is not None:
        return _wheel_name(name), FileName(version, "wheel")
    name, parsed, _, _ = parse_wheel_filename(f"{stem}-py3-none-any.whl")
    return name, FileName(str(parsed), "wheel")


@lru_cache(maxsize=1_024)
def _wheel_name(text: str) -> str:
    """The project that a wheel's name begins with. Raises InvalidWheelFilename."""
    return parse_wheel_filename(f"{text}-1-py3-none-any.whl")[0]


@lru_cache(maxsize=4_096)
def _combinations(tags: str) -> int:
    """How many platforms a wheel's last three parts stand for. Raises InvalidWheelFilename.

    Compressed tags are multiplied out when parsed, so those of a hostile name, too many, aren't.
    """
    if not _FILENAME.fullmatch(tags):
        raise InvalidWheelFilename(tags)
    count = math.prod(tag.count(".") + 1 for tag in tags.split("-"))
    if count <= MAX_TAGS:
        parse_wheel_filename(f"a-1-{tags}.whl")
    return count


def _sdist_version(project: Project, filename: str, stem: str) -> str:
    # Names and versions of old sdists may both hold dashes (`zope-a-1.0-1`), so we cut where what stands
    # before is the project's name, as pip does.
    cut = stem.find("-")
    while cut >= 0 and _canonical_name(stem[:cut]) != project.name:
        cut = stem.find("-", cut + 1)
    if cut < 0:
        raise Malformed(f"{shown(filename)} isn't an sdist of {shown(project.name)}.")
    version = _canonical_version(stem[cut + 1 :])
    if version is None:
        raise Outdated(f"{shown(filename)} has no version that PEP 440 knows.")
    return version


@lru_cache(maxsize=1_024)
def _canonical_name(text: str) -> str:
    return canonicalize_name(text)


@lru_cache(maxsize=2_048)
def _canonical_version(text: str) -> str | None:
    version = version_key(text)
    return None if version is None else str(version)


def _refuse_foreign_characters(filename: str) -> None:
    if not _FILENAME.fullmatch(filename):
        raise Malformed(f"{shown(filename)} has characters that no wheel or sdist has in its name.")


def _refuse_foreign_letters(text: str) -> None:
    if text.isascii():
        return
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    hint = f"; did you mean '{plain}'?" if _is_name(plain) else "."
    raise Malformed(f"{shown(text)} has letters outside ASCII, which no project name has{hint}")


def _is_name(text: str) -> bool:
    try:
        canonicalize_name(text, validate=True)
    except InvalidName:
        return False
    return True
