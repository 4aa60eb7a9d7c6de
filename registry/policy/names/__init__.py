"""The public names everybody knows: lists by popularity that ship with the product.

A list is text, one name a line, the most popular first; `#` begins a comment. Only facts, no labels: which
name is a slip of which other is worked out in `lookalike/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files

from registry.errors import ConfigurationError


class KnownNames(Mapping[str, int]):
    """The popular names of one ecosystem, canonical, each with its rank from 1."""

    def __init__(self, ecosystem: str, names: Mapping[str, int], digest: str) -> None:
        self.ecosystem = ecosystem
        self.digest = digest
        """sha256 (hex) of what it was read from."""
        self._ranks = names

    def __getitem__(self, name: str) -> int:
        return self._ranks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ranks)

    def __len__(self) -> int:
        return len(self._ranks)

    def __contains__(self, name: object) -> bool:
        return name in self._ranks


def parse_names(ecosystem: str, text: str) -> KnownNames:
    """Read a list. Raises ConfigurationError when it holds no name."""
    lines = (line.strip() for line in text.splitlines())
    names = dict.fromkeys(line for line in lines if line and not line.startswith("#"))
    if not names:
        raise ConfigurationError([f"The list of known {ecosystem} names is empty: write one name a line."])
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return KnownNames(ecosystem, {name: rank for rank, name in enumerate(names, 1)}, digest)


def shipped_names(ecosystem: str) -> KnownNames:
    """The list that ships inside this package; reading it is like importing a module, no I/O of the line."""
    return parse_names(ecosystem, files(__name__).joinpath(f"{ecosystem}.txt").read_text("utf-8"))
