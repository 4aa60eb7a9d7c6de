"""One ecosystem's entries out of both places: the lines of policy.toml and the operators' rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.errors import Malformed
from registry.model.accounts import PolicyEntry
from registry.model.ecosystem import Ecosystem
from registry.policy.entries import Entry, VersionRange, compile_glob, is_glob
from registry.policy.exemptions import OF_NAMES
from registry.policy.sections import LISTS, Line, Section

_LIST_OF_KIND = {"allow": "allow", "deny": "deny", "claim": "ours", "exempt": "exempt", "recall": "recall"}


@dataclass(frozen=True, slots=True)
class Lists:
    """The entries of one ecosystem, from both places."""

    allow: tuple[Entry, ...]
    deny: tuple[Entry, ...]
    ours: tuple[Entry, ...]
    exempt: tuple[Entry, ...]
    waits: tuple[tuple[Entry, timedelta], ...]
    """Names and globs that wait for another time than the rest."""
    freezes: tuple[tuple[Entry, datetime], ...]
    recalls: tuple[Entry, ...]
    """Rows only: nothing is recalled by a file."""


def lists_of(
    ecosystem: Ecosystem, section: Section, rows: Sequence[PolicyEntry], problems: list[str]
) -> Lists:
    """The file's lines and the rows of one ecosystem. A row may contradict the file, the file not itself."""
    written = {key: _entries(ecosystem, key, lines, problems) for key, lines in section.lists.items()}
    problems += _contradictions(written)
    freezes = []
    if section.freeze is not None:
        place = f"{ecosystem.name}.freeze"
        freezes.append((_freeze(Line(place, "*", undo=f"take {place} out of policy.toml")), section.freeze))
    for row in rows:
        if row.ecosystem != ecosystem.name:
            continue
        if row.cutoff is not None:
            freezes.append((_freeze(_line(row)), row.cutoff))
        else:
            key = _LIST_OF_KIND[row.kind]
            written[key] = written.get(key, ()) + _entries(ecosystem, key, (_line(row),), problems)
    return Lists(
        **{key: written.get(key, ()) for key in LISTS},
        waits=_waits(ecosystem, section, problems),
        freezes=tuple(freezes),
        recalls=written.get("recall", ()),
    )


def _waits(
    ecosystem: Ecosystem, section: Section, problems: list[str]
) -> tuple[tuple[Entry, timedelta], ...]:
    waits = [
        (entry, wait)
        for line, wait in section.age.names
        if (entry := _entry(ecosystem, "age.names", line, problems)) is not None
    ]
    return tuple(waits)


def _freeze(line: Line) -> Entry:
    """A freeze is about a whole ecosystem, so its pattern isn't looked at."""
    return Entry(pattern="*", reason=line.reason, place=line.place, undo=line.undo, until=line.until)


def _line(row: PolicyEntry) -> Line:
    return Line(
        place=f"policy entry {row.id}",
        name=row.pattern,
        versions=row.versions,
        reason=row.reason,
        undo=f"registry {'recall lift' if row.kind == 'recall' else 'policy remove'} {row.id}",
        until=row.until,
        rule=row.rule,
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
    if line.rule in OF_NAMES and line.versions:
        problems.append(f"{line.place}: {line.rule} is about names; take '{line.versions}' out.")
        return None
    return Entry(
        pattern=pattern,
        versions=VersionRange(line.versions, ecosystem.parse_range) if line.versions else None,
        reason=line.reason,
        place=line.place,
        undo=line.undo,
        until=line.until,
        rule=line.rule,
    )


def _contradictions(written: Mapping[str, tuple[Entry, ...]]) -> Iterator[str]:
    """Lines that take each other back, and lines that say the same twice."""
    for entries in written.values():
        seen: dict[tuple[str, str, VersionRange | None], Entry] = {}
        for entry in entries:
            first = seen.setdefault((entry.rule, entry.pattern, entry.versions), entry)
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
