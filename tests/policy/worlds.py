"""Two small packaging worlds, and policies made for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from registry.errors import Malformed
from registry.model.accounts import PolicyEntry
from registry.model.artifacts import Artifact
from registry.model.ecosystem import Ecosystem
from registry.model.names import Project
from registry.policy.advisories import KnownAdvisories
from registry.policy.engine import Policy
from registry.policy.loader import NO_ADVISORIES, parse_policy
from registry.policy.names import KnownNames, parse_names, shipped_names

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD = datetime(2020, 1, 1, tzinfo=UTC)
GUARDED = '[pypi]\nmode = "guarded"\n[npm]\nmode = "guarded"\n'


def parse_pattern(text: str) -> str:
    if not re.fullmatch(r"@?[\w.*?/-]+", text):
        raise Malformed(f"'{text}' is no name: letters, digits, '.', '_' and '-' only.")
    return text.lower().replace("_", "-")


def parse_range(text: str) -> Callable[[str], bool]:
    try:
        specifiers = SpecifierSet(text)
    except InvalidSpecifier:
        raise Malformed(f"'{text}' is no version range; write '>=1,<2'.") from None
    return lambda version: is_version(version) and specifiers.contains(version, prereleases=True)


def version_key(text: str) -> Version | None:
    return Version(text) if is_version(text) else None


def is_version(text: str) -> bool:
    return text[:1].isdigit()


def _world(name: str) -> Ecosystem:
    """As much of an ecosystem as policy looks at."""
    return cast(
        "Ecosystem",
        SimpleNamespace(
            name=name, parse_pattern=parse_pattern, parse_range=parse_range, version_key=version_key
        ),
    )


ECOSYSTEMS = MappingProxyType({name: _world(name) for name in ("pypi", "npm")})
KNOWN: Mapping[str, KnownNames] = {
    "pypi": parse_names("pypi", "requests\nnumpy\npython-dateutil\ndjango\n"),
    "npm": parse_names("npm", "lodash\nreact\ncross-env\n@babel/core\n"),
}


@cache
def shipped() -> Mapping[str, KnownNames]:
    """The lists that ship: a second to index, so once for all tests."""
    return {name: shipped_names(name) for name in ECOSYSTEMS}


def make_policy(
    text: str = GUARDED,
    rows: Sequence[PolicyEntry] = (),
    private: Mapping[str, Sequence[str]] = MappingProxyType({}),
    advisories: KnownAdvisories = NO_ADVISORIES,
) -> Policy:
    return parse_policy(text, rows, ECOSYSTEMS, KNOWN, private, advisories)


def pypi(lines: str, mode: str = "guarded") -> str:
    """A policy file with these lines in its Python section."""
    return f'[pypi]\nmode = "{mode}"\n{lines}\n[npm]\nmode = "guarded"\n'


def row(kind: str, pattern: str, versions: str = "", **more: Any) -> PolicyEntry:
    fields: dict[str, Any] = {"ecosystem": "pypi", "reason": "as asked", "author": "ada", "created": NOW}
    return PolicyEntry(kind=kind, pattern=pattern, versions=versions, **(fields | more))  # type: ignore[arg-type]


def project(name: str, ecosystem: str = "pypi") -> Project:
    return Project(ecosystem, name)


def wheel(name: str, version: str) -> Artifact:
    """An old one, unless its facts are changed."""
    return Artifact(
        project=project(name), filename=f"{name}-{version}-py3-none-any.whl", version=version, published=OLD
    )
