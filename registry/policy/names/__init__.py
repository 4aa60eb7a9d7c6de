"""The public names everybody knows: lists by popularity that ship with the product.

`{ecosystem}.txt` has one name a line, the most popular first; `{ecosystem}-also.txt` adds names that are
attacked though they aren't so popular; `{ecosystem}-imports.txt` pairs the names that programs import with
those that installers want. `#` begins a comment. Only facts are here, no labels: which name is a slip of
which other is worked out in `lookalike/`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib.resources import files

from registry.errors import ConfigurationError
from registry.policy.lookalike.language import Language
from registry.policy.lookalike.scopes import Scopes
from registry.policy.lookalike.table import Table

_DEEP = 2_000
"""How many names are also found by two edits: the first ones, which are worth the memory."""
_RANK_OF_ALSO = 300
"""The rank that names count with which are attacked more than they are used."""


class KnownNames(Mapping[str, int]):
    """The known names of one ecosystem, canonical, each with its rank from 1; and what finds their slips.

    Shared by all policies. What finds slips is built when it is first asked for, which takes a second for
    20,000 names; `warm` does it in time.
    """

    def __init__(
        self,
        ecosystem: str,
        names: Iterable[str],
        also: Iterable[str],
        imports: Mapping[str, str],
        prepared: Callable[[], bytes] = bytes,
    ) -> None:
        """`prepared` gives what `prepare_table` made on this machine, or nothing."""
        popular = dict.fromkeys(names)
        if not popular:
            raise ConfigurationError(
                [f"The list of known {ecosystem} names is empty; write one name a line."]
            )
        self.ecosystem = ecosystem
        self._prepared = prepared
        self.imports = imports
        """Import name → what to install."""
        attacked = {name: _RANK_OF_ALSO for name in also if name not in popular}
        self._ranks = attacked | {name: rank for rank, name in enumerate(popular, 1)}
        self.order = tuple(self._ranks)
        """The names as `table` numbers them: those that are attacked first, the others by rank."""
        lines = "\n".join((*self.order, *sorted(f"{name} {target}" for name, target in imports.items())))
        self.digest = hashlib.sha256(lines.encode()).hexdigest()
        """Of all that was read, in hex."""

    @cached_property
    def table(self) -> Table:
        """Finds names by what is left of them after a slip."""
        return self.table_in(self._prepared()) or Table.of(self.order, _DEEP)

    def table_in(self, prepared: bytes) -> Table | None:
        """The table that `prepare_table` made of these names with this code; None for anything else."""
        head = self._made_of()
        digest, packed = prepared[len(head) : len(head) + 32], prepared[len(head) + 32 :]
        sound = prepared.startswith(head) and hashlib.sha256(packed).digest() == digest
        return Table.unpacked(packed) if sound else None

    def prepare_table(self) -> bytes:
        """The table as a file, so that no process of this machine has to work it out again."""
        packed = self.table.packed()
        return self._made_of() + hashlib.sha256(packed).digest() + packed

    def _made_of(self) -> bytes:
        """Differs by whatever makes another table: names, the code that files them, the kind of machine."""
        code = files(f"{__package__.rpartition('.')[0]}.lookalike")
        told = [code.joinpath(file).read_bytes() for file in ("table.py", "spelling.py")]
        return hashlib.sha256(b"".join([self.digest.encode(), sys.byteorder.encode(), *told])).digest()

    @cached_property
    def language(self) -> Language:
        """The words they are made of."""
        return Language(self.order)

    @cached_property
    def scopes(self) -> Scopes:
        """What npm's scopes tell."""
        return Scopes(self.order)

    def warm(self) -> None:
        """Build what finds slips, before somebody waits for it."""
        _ = self.scopes, self.language, self.table

    def __getitem__(self, name: str) -> int:
        return self._ranks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ranks)

    def __len__(self) -> int:
        return len(self._ranks)

    def __contains__(self, name: object) -> bool:
        return name in self._ranks


def parse_names(
    ecosystem: str,
    text: str,
    also: str = "",
    imports: str = "",
    *,
    prepared: Callable[[], bytes] = bytes,
) -> KnownNames:
    """Read the lists. Raises ConfigurationError when there is no name, or an import without its package."""
    pairs = dict.fromkeys(_lines(imports))
    broken = [pair for pair in pairs if len(pair.split()) != 2]
    if broken:
        raise ConfigurationError(
            [f"{ecosystem} imports: {pair!r} is no pair; write import name and package." for pair in broken]
        )
    found = dict(pair.split() for pair in pairs)
    return KnownNames(ecosystem, _lines(text), _lines(also), found, prepared)


@cache
def shipped_names(ecosystem: str) -> KnownNames:
    """The lists inside this package; reading them is like importing a module, no I/O of the line."""
    texts = (_shipped(f"{ecosystem}{part}.txt") for part in ("", "-also", "-imports"))
    return parse_names(ecosystem, *texts, prepared=lambda: _prepared(ecosystem))


def brought_names(ecosystem: str, text: str) -> KnownNames:
    """A list that an operator brought, with the shipped names that are attacked and the shipped imports."""
    return parse_names(
        ecosystem, text, *(_shipped(f"{ecosystem}{part}.txt") for part in ("-also", "-imports"))
    )


def _prepared(ecosystem: str) -> bytes:
    """What `registry policy names prepare` put beside the lists; nothing where it wasn't run."""
    found = files(__name__).joinpath(f"{ecosystem}.table")
    return found.read_bytes() if found.is_file() else b""


def _shipped(file: str) -> str:
    found = files(__name__).joinpath(file)
    return found.read_text("utf-8") if found.is_file() else ""


def _lines(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith("#"))
