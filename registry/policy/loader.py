"""policy.toml and the operators' rows become one Policy, or a list of everything that is wrong with them.

Nothing here is forgiving: a line that is skipped is a rule that is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from registry.errors import ConfigurationError, Malformed
from registry.model.accounts import PolicyEntry
from registry.model.ecosystem import Ecosystem
from registry.policy.advisories import KnownAdvisories, Malware, NoAdvisories, Vulnerabilities
from registry.policy.age import Age, Ages, Freeze, LateFile
from registry.policy.content import Content
from registry.policy.engine import Policy, Rulebook
from registry.policy.entries import Entry, Roster, VersionRange, compile_glob, is_glob
from registry.policy.exemptions import OF_NAMES
from registry.policy.lookalike.index import LookalikeIndex
from registry.policy.lookalike.rule import Lookalike
from registry.policy.names import KnownNames
from registry.policy.ownership import Owned, Ownership
from registry.policy.places import with_lines
from registry.policy.publishers import BadAttestation, ChangedPublisher, Unattested, Unknown
from registry.policy.recall import Recall
from registry.policy.rules import Allowlist, Denylist, Rule
from registry.policy.scripts import Scripts
from registry.policy.sections import LISTS, Line, PolicyFile, Section, read_sections
from registry.policy.withdrawn import rules_about_withdrawals

NO_ADVISORIES = NoAdvisories()
_LIST_OF_KIND = {"allow": "allow", "deny": "deny", "claim": "ours", "exempt": "exempt", "recall": "recall"}


@dataclass(frozen=True, slots=True)
class _Lists:
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


def parse_policy(
    text: str,
    rows: Sequence[PolicyEntry],
    ecosystems: Mapping[str, Ecosystem],
    known: Mapping[str, KnownNames],
    private: Mapping[str, Sequence[str]],
    advisories: KnownAdvisories = NO_ADVISORIES,
) -> Policy:
    """Join the file, the rows and the names into the policy in force.

    `known` are the reference lists and `private` the canonical names published here, both by ecosystem;
    `advisories` are looked up when a name is first asked about. The order of lists and rows means nothing.
    Raises ConfigurationError with every problem there is.
    """
    file, lists = _read(text, rows, ecosystems)
    owned = {name: Owned(found.ours, private.get(name, ())) for name, found in lists.items()}
    books = {}
    for name, found in lists.items():
        book = _rulebook(name, file, found, known, owned)
        warnings = _rules_of_advisories(ecosystems[name], file, known[name], advisories)
        books[name] = replace(book, rules=(*book.rules, *warnings))
    return Policy(_revision(text, rows, known, private, advisories.generation), books)


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
        if section.mode != "allowlist" and not any((*section.effects.values(), *file.severities.values()))
    ]
    if problems:
        raise ConfigurationError(with_lines(text, problems))
    return file, lists


def _lists(
    ecosystem: Ecosystem, section: Section, rows: Sequence[PolicyEntry], problems: list[str]
) -> _Lists:
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
    return _Lists(
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


def _rulebook(
    ecosystem: str,
    file: PolicyFile,
    lists: _Lists,
    known: Mapping[str, KnownNames],
    owned: Mapping[str, Owned],
) -> Rulebook:
    section = file.sections[ecosystem]
    mode, effects = section.mode, section.effects
    allowed = Roster(lists.allow)
    rules: list[Rule] = [Recall(Roster(lists.recalls))] if lists.recalls else []
    if effect := effects["denylist"]:
        rules.append(Denylist(Roster(lists.deny), effect))
    if effect := effects["lookalike"]:
        matter = allowed.patterns | owned[ecosystem].patterns
        elsewhere = (names.patterns for name, names in owned.items() if name != ecosystem)
        matter |= {pattern for patterns in elsewhere for pattern in patterns if "/" not in pattern}
        index = LookalikeIndex(ecosystem, known, matter)
        rules.append(Lookalike(index=index, allowed=allowed, hold=file.hold, deny=file.deny, effect=effect))
    if mode == "allowlist":
        rules.append(Allowlist(allowed))
    if effect := effects["ownership"]:
        rules.append(Ownership(known[ecosystem], effect))
    rules += _rules_about_files(section, lists)
    rules += _rules_about_publishers(section, file.unknown_publisher)
    return Rulebook(mode=mode, rules=tuple(rules), owned=owned[ecosystem], exemptions=_by_rule(lists.exempt))


def _rules_about_files(section: Section, lists: _Lists) -> Iterator[Rule]:
    effects = section.effects
    ages = Ages(least=section.age.least, waits=lists.waits, undated=section.age.undated)
    if effect := effects["age"]:
        yield Age(ages, effect)
    if effect := effects["late-file"]:
        yield LateFile(ages, effect)
    if effect := effects["freeze"]:
        yield Freeze(lists.freezes, ages, effect)
    if effect := effects["scripts"]:
        yield Scripts(effect)
    if effect := effects["content"]:
        yield Content(effect)
    yield from rules_about_withdrawals(effects)


def _rules_about_publishers(section: Section, unknown: Unknown) -> Iterator[Rule]:
    effects = section.effects
    if effect := effects["publisher"]:
        yield ChangedPublisher(unknown, effect)
    if effect := effects["unattested"]:
        yield Unattested(effect)
    if effect := effects["attestation"]:
        yield BadAttestation(effect)


def _rules_of_advisories(
    ecosystem: Ecosystem, file: PolicyFile, popular: KnownNames, advisories: KnownAdvisories
) -> Iterator[Rule]:
    if effect := file.sections[ecosystem.name].effects["malware"]:
        yield Malware(advisories, ecosystem.version_key, popular, effect)
    severities = {severity: effect for severity, effect in file.severities.items() if effect}
    if severities:
        yield Vulnerabilities(advisories, ecosystem.version_key, severities)


def _by_rule(exemptions: Iterable[Entry]) -> dict[str, Roster]:
    rules: dict[str, list[Entry]] = {}
    for entry in exemptions:
        rules.setdefault(entry.rule, []).append(entry)
    return {rule: Roster(entries) for rule, entries in rules.items()}


def _revision(
    text: str,
    rows: Iterable[PolicyEntry],
    known: Mapping[str, KnownNames],
    private: Mapping[str, Sequence[str]],
    advisories: int,
) -> str:
    """A short hash of everything that decides, equal in every process for equal input."""
    decides = (
        text,
        sorted(msgspec.json.encode(row).decode() for row in rows),
        sorted((name, names.digest) for name, names in known.items()),
        sorted((name, sorted(names)) for name, names in private.items()),
        advisories,
    )
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()[:16]
