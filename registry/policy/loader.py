"""policy.toml and the operators' rows become one Policy, or a list of everything that is wrong with them.

Nothing here is forgiving: a line that is skipped is a rule that is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from registry.errors import ConfigurationError
from registry.model.accounts import PolicyEntry
from registry.model.ecosystem import Ecosystem
from registry.policy.advisories import KnownAdvisories, Malware, NoAdvisories, Vulnerabilities
from registry.policy.age import Age, Ages, Freeze, LateFile
from registry.policy.content import Content
from registry.policy.engine import Policy, Rulebook
from registry.policy.entries import Entry, Roster
from registry.policy.lists import Lists, lists_of
from registry.policy.lookalike.index import LookalikeIndex
from registry.policy.lookalike.rule import Lookalike
from registry.policy.names import KnownNames
from registry.policy.ownership import Owned, Ownership
from registry.policy.places import with_lines
from registry.policy.publishers import BadAttestation, ChangedPublisher, Unattested, Unknown
from registry.policy.recall import Recall
from registry.policy.rules import Allowlist, Denylist, Rule
from registry.policy.scripts import Scripts
from registry.policy.sections import PolicyFile, Section, read_sections
from registry.policy.withdrawn import rules_about_withdrawals

NO_ADVISORIES = NoAdvisories()


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
) -> tuple[PolicyFile, dict[str, Lists]]:
    problems: list[str] = []
    file = read_sections(text, tuple(ecosystems), problems)
    problems += [
        f"policy entry {row.id}: there is no ecosystem {row.ecosystem!r}; remove the entry."
        for row in rows
        if row.ecosystem not in ecosystems
    ]
    lists = {
        name: lists_of(ecosystem, file.sections.get(name, Section()), rows, problems)
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


def _rulebook(
    ecosystem: str,
    file: PolicyFile,
    lists: Lists,
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


def _rules_about_files(section: Section, lists: Lists) -> Iterator[Rule]:
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
