"""policy.toml and the operators' rows become one Policy, or a list of everything that is wrong with them.

Nothing here is forgiving: a line that is skipped is a rule that is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from registry.errors import ConfigurationError, Malformed
from registry.model.accounts import PolicyEntry
from registry.model.ecosystem import Ecosystem
from registry.policy.engine import Policy, Rulebook
from registry.policy.entries import Entry, Roster, VersionRange, compile_glob, is_glob
from registry.policy.lookalike.index import LookalikeIndex
from registry.policy.lookalike.rule import Lookalike
from registry.policy.names import KnownNames
from registry.policy.ownership import Owned, Ownership
from registry.policy.rules import Allowlist, Denylist, Rule
from registry.policy.sections import Line, PolicyFile, Section, read_sections

_LIST_OF_KIND = {"allow": "allow", "deny": "deny", "claim": "ours"}


@dataclass(frozen=True, slots=True)
class _Lists:
    """The entries of one ecosystem, from both places."""

    allow: tuple[Entry, ...]
    deny: tuple[Entry, ...]
    ours: tuple[Entry, ...]


def parse_policy(
    text: str,
    rows: Sequence[PolicyEntry],
    ecosystems: Mapping[str, Ecosystem],
    known: Mapping[str, KnownNames],
    private: Mapping[str, Sequence[str]],
) -> Policy:
    """Join the file, the rows and the names into the policy in force.

    `known` are the reference lists and `private` the canonical names published here, both by ecosystem. The
    order of lists and rows means nothing. Raises ConfigurationError with every problem there is.
    """
    file, lists = _read(text, rows, ecosystems)
    owned = {name: Owned(found.ours, private.get(name, ())) for name, found in lists.items()}
    books = {name: _rulebook(name, file, found, known, owned) for name, found in lists.items()}
    return Policy(_revision(text, rows, known, private), books)


def check_policy(text: str, rows: Sequence[PolicyEntry], ecosystems: Mapping[str, Ecosystem]) -> None:
    """Whether `parse_policy` would accept file and rows, without the names that take a second to index.

    Raises ConfigurationError with every problem there is.
    """
    _read(text, rows, ecosystems)


def _read(
    text: str, rows: Sequence[PolicyEntry], ecosystems: Mapping[str, Ecosystem]
) -> tuple[PolicyFile, dict[str, _Lists]]:
    problems: list[str] = []
    file = read_sections(text, tuple(ecosystems), problems)
    problems += [
        f"policy entry {row.id}: there is no ecosystem {row.ecosystem!r}; remove the entry."
        for row in rows
        if row.ecosystem not in ecosystems
    ]
    lists = {
        name: _lists(ecosystem, file.sections.get(name, Section()), rows, problems)
        for name, ecosystem in ecosystems.items()
    }
    problems += [
        f"{name}: every rule is off, so everything would pass; switch one on under [rules]."
        for name, section in file.sections.items()
        if section.mode != "allowlist" and not any(file.effects.values())
    ]
    if problems:
        raise ConfigurationError(problems)
    return file, lists


def _lists(
    ecosystem: Ecosystem, section: Section, rows: Sequence[PolicyEntry], problems: list[str]
) -> _Lists:
    """The file's lines and the rows of one ecosystem. A row may contradict the file, the file not itself."""
    written = {key: _entries(ecosystem, key, lines, problems) for key, lines in section.lists.items()}
    problems += _contradictions(written)
    for row in rows:
        if row.ecosystem == ecosystem.name:
            key = _LIST_OF_KIND[row.kind]
            written[key] = written.get(key, ()) + _entries(ecosystem, key, (_line(row),), problems)
    return _Lists(*(written.get(key, ()) for key in ("allow", "deny", "ours")))


def _line(row: PolicyEntry) -> Line:
    return Line(
        place=f"policy entry {row.id}",
        name=row.pattern,
        versions=row.versions,
        reason=row.reason,
        undo=f"registry policy remove {row.id}",
        until=row.until,
    )


def _entries(ecosystem: Ecosystem, key: str, lines: Iterable[Line], problems: list[str]) -> tuple[Entry, ...]:
    return tuple(entry for line in lines if (entry := _entry(ecosystem, key, line, problems)))


def _entry(ecosystem: Ecosystem, key: str, line: Line, problems: list[str]) -> Entry | None:
    try:
        pattern = ecosystem.parse_pattern(line.name)
        if line.versions:
            ecosystem.parse_range(line.versions)
    except Malformed as error:
        problems.append(f"{line.place}: {error}")
        return None
    if key == "ours" and line.versions:
        problems.append(f"{line.place}: a name is ours in all its versions; take '{line.versions}' out.")
        return None
    return Entry(
        pattern=pattern,
        versions=VersionRange(line.versions, ecosystem.parse_range) if line.versions else None,
        reason=line.reason,
        place=line.place,
        undo=line.undo,
        until=line.until,
    )


def _contradictions(written: Mapping[str, tuple[Entry, ...]]) -> Iterator[str]:
    """Lines that take each other back, and lines that say the same twice."""
    for entries in written.values():
        seen: dict[tuple[str, VersionRange | None], Entry] = {}
        for entry in entries:
            first = seen.setdefault((entry.pattern, entry.versions), entry)
            if first is not entry:
                yield f"{entry.place}: '{entry.pattern}' is already in {first.place}; take one of them out."
    for denied in written.get("deny", ()):
        for key in ("allow", "ours"):
            for entry in written.get(key, ()):
                if _covers(denied, entry):
                    yield (
                        f"{entry.place}: '{entry.pattern}' can never pass, {denied.place} denies "
                        f"'{denied.pattern}'; take one of them out."
                    )


def _covers(denied: Entry, entry: Entry) -> bool:
    """Whether nothing that `entry` speaks for is left once `denied` was heard."""
    if denied.versions is not None and denied.versions != entry.versions:
        return False
    if denied.pattern == entry.pattern:
        return True
    return is_glob(denied.pattern) and bool(compile_glob(denied.pattern).fullmatch(entry.pattern))


def _rulebook(
    ecosystem: str,
    file: PolicyFile,
    lists: _Lists,
    known: Mapping[str, KnownNames],
    owned: Mapping[str, Owned],
) -> Rulebook:
    mode = file.sections[ecosystem].mode
    allowed = Roster(lists.allow)
    rules: list[Rule] = []
    if effect := file.effects["denylist"]:
        rules.append(Denylist(Roster(lists.deny), effect))
    if effect := file.effects["lookalike"]:
        matter = allowed.patterns | owned[ecosystem].patterns
        elsewhere = (names.patterns for name, names in owned.items() if name != ecosystem)
        matter |= {pattern for patterns in elsewhere for pattern in patterns if "/" not in pattern}
        index = LookalikeIndex(ecosystem, known, matter)
        rules.append(Lookalike(index=index, allowed=allowed, hold=file.hold, deny=file.deny, effect=effect))
    if mode == "allowlist":
        rules.append(Allowlist(allowed))
    if effect := file.effects["ownership"]:
        rules.append(Ownership(known[ecosystem], effect))
    return Rulebook(mode=mode, rules=tuple(rules), owned=owned[ecosystem])


def _revision(
    text: str,
    rows: Iterable[PolicyEntry],
    known: Mapping[str, KnownNames],
    private: Mapping[str, Sequence[str]],
) -> str:
    """A short hash of everything that decides, equal in every process for equal input."""
    decides = (
        text,
        sorted(msgspec.json.encode(row).decode() for row in rows),
        sorted((name, names.digest) for name, names in known.items()),
        sorted((name, sorted(names)) for name, names in private.items()),
    )
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()[:16]
