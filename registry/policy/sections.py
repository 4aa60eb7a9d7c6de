"""The shape of policy.toml: its keys, and what each may hold. Names and ranges are read in the loader.

Every problem is one sentence that begins with the key: what is wrong, what to do.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast, get_args

from registry.model.advisories import Severity
from registry.model.decisions import Effect
from registry.policy.age import Undated
from registry.policy.exemptions import EXEMPTABLE
from registry.policy.publishers import Unknown
from registry.policy.tables import check_keys, moment, number, table, word

MODES = ("allowlist", "guarded", "observe")
LISTS = ("allow", "deny", "ours", "exempt")
EFFECTS: Mapping[str, Effect | None] = {**{effect.value: effect for effect in Effect}, "off": None}
UNDATED: tuple[str, ...] = get_args(Undated)
UNKNOWN: tuple[str, ...] = get_args(Unknown)
ABOUT_NAMES = ("denylist", "malware", "lookalike", "ownership")
"""Rules that object to a name as a whole, which can't be hidden: there is no index to leave it out of."""
SHIPPED: Mapping[str, Effect | None] = {
    "denylist": Effect.DENY,
    "malware": Effect.DENY,
    "lookalike": Effect.DENY,
    "ownership": Effect.DENY,
    "age": Effect.HOLD,
    "late-file": Effect.HOLD,
    "freeze": Effect.HOLD,
    "scripts": None,
    "content": Effect.HOLD,
    "quarantined": Effect.DENY,
    "removed": Effect.OBSERVE,
    "yanked": None,
    "publisher": Effect.OBSERVE,
    "unattested": None,
    "attestation": Effect.OBSERVE,
}
"""What a rule does where the file says nothing."""
RULES = tuple(SHIPPED)
"""Rules whose effect can be set; the allowlist is switched by the mode."""

_COMMON = ("rules", "age", "lookalike", "vulnerabilities", "publisher")
_LINE_KEYS = ("name", "versions", "reason")
_EXEMPT_KEYS = (*_LINE_KEYS, "rule", "until")
_AGE_KEYS = ("days", "undated", "names")
_SCORES = {"hold": 0.5, "deny": 0.9}
_MOST_DAYS = 3_650
SEVERITIES: Mapping[Severity, Effect | None] = {
    "critical": Effect.OBSERVE,
    "high": Effect.OBSERVE,
    "medium": None,
    "low": None,
    "unknown": None,
}
"""What a vulnerability does where the file says nothing: a new one doesn't stop everybody's builds."""


@dataclass(frozen=True, slots=True)
class Line:
    """One element of a list as somebody wrote it, in the file or in a row."""

    place: str
    """`pypi.allow[2]`, counted from 1; `policy entry 12`."""
    name: str
    versions: str = ""
    reason: str = ""
    undo: str = ""
    until: datetime | None = None
    """When it ends by itself; in the file only exemptions do."""
    rule: str = ""
    """What an exemption is from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeSection:
    """How old versions must be."""

    least: timedelta = timedelta(days=3)
    undated: Undated = "new-only"
    names: tuple[tuple[Line, timedelta], ...] = ()
    """Other waits for single names and globs."""


@dataclass(frozen=True, slots=True)
class Section:
    """One ecosystem's part."""

    mode: str = "guarded"
    lists: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    """By the names in LISTS."""
    effects: Mapping[str, Effect | None] = field(default_factory=lambda: SHIPPED)
    """By the names in RULES; None for a rule that is switched off."""
    age: AgeSection = AgeSection()
    freeze: datetime | None = None


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The whole file."""

    sections: Mapping[str, Section]
    hold: float
    deny: float
    """The look-alike scores from which a name is held, and refused."""
    severities: Mapping[Severity, Effect | None] = field(default_factory=lambda: SEVERITIES)
    """What vulnerabilities do."""
    unknown_publisher: Unknown = "pass"


def read_sections(text: str, ecosystems: Sequence[str], problems: list[str]) -> PolicyFile:
    """Take the file apart; what is wrong is added to `problems`, and defaults stand in for it."""
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"policy.toml: is not TOML: {error}; mend that line.")
        return PolicyFile({}, 0, 0)
    check_keys("", whole, (*ecosystems, *_COMMON), problems)
    scores = _scores(table("lookalike", whole.get("lookalike", {}), tuple(_SCORES), problems), problems)
    effects = _effects("rules", whole.get("rules", {}), SHIPPED, problems)
    age = _age("age", whole.get("age", {}), AgeSection(), problems)
    return PolicyFile(
        sections={name: _section(name, whole.get(name, {}), effects, age, problems) for name in ecosystems},
        hold=scores["hold"],
        deny=scores["deny"],
        severities=_severities(whole.get("vulnerabilities", {}), problems),
        unknown_publisher=_unknown(whole.get("publisher", {}), problems),
    )


def _section(
    name: str, value: object, effects: Mapping[str, Effect | None], age: AgeSection, problems: list[str]
) -> Section:
    found = table(name, value, ("mode", *LISTS, "freeze", "age", "rules"), problems)
    quoted = ", ".join(f'"{mode}"' for mode in MODES)
    if "mode" not in found:
        problems.append(f"{name}.mode: is missing; choose one of {quoted}.")
        mode = "guarded"
    else:
        mode = word(f"{name}.mode", "no mode", found["mode"], MODES, "guarded", problems)
    freeze = moment(f"{name}.freeze", found["freeze"], problems) if "freeze" in found else None
    return Section(
        mode=mode,
        lists={key: tuple(_lines(f"{name}.{key}", found.get(key, []), problems)) for key in LISTS},
        effects=_effects(f"{name}.rules", found.get("rules", {}), effects, problems),
        age=_age(f"{name}.age", found.get("age", {}), age, problems),
        freeze=freeze,
    )


def _lines(key: str, value: object, problems: list[str]) -> Iterable[Line]:
    exempting = key.endswith(".exempt")
    for place, item in _items(key, value, problems):
        undo = f"take {place} out of policy.toml"
        if isinstance(item, str) and not exempting:
            name, versions = split_range(item)
            yield Line(place, name, versions, undo=undo)
        elif isinstance(item, dict):
            found = table(place, item, _EXEMPT_KEYS if exempting else _LINE_KEYS, problems)
            texts = {part: found[part] for part in (*_LINE_KEYS, "rule") if part in found}
            wrong = [part for part, text in texts.items() if not isinstance(text, str)]
            problems.extend(f"{place}.{part}: must be a text in quotes." for part in wrong)
            if "name" not in found:
                problems.append(f'{place}: has no name; write {{ name = "...", reason = "..." }}.')
            elif not wrong:
                name, versions, reason = (str(texts.get(part, "")) for part in _LINE_KEYS)
                line = Line(place, name, versions, reason, undo)
                yield _exemption(line, found, problems) if exempting else line
        else:
            form = '{ rule = "...", name = "...", until = ..., reason = "..." }'
            meant = f"write {form}" if exempting else 'write "name" or "name>=1,<2"'
            problems.append(f"{place}: {item!r} is no {'exemption' if exempting else 'name'}; {meant}.")


def _exemption(line: Line, found: Mapping[str, object], problems: list[str]) -> Line:
    """An exemption has a rule, a reason and an end."""
    problems.extend(
        f"{line.place}: has no {part}; every exemption has a rule, a reason and an end."
        for part in ("rule", "reason", "until")
        if not found.get(part)
    )
    rule = word(
        f"{line.place}.rule", "no rule to be exempt from", found.get("rule", ""), EXEMPTABLE, "", problems
    )
    until = moment(f"{line.place}.until", found["until"], problems) if found.get("until") else None
    return Line(line.place, line.name, line.versions, line.reason, line.undo, until, rule)


def _items(key: str, value: object, problems: list[str]) -> Iterable[tuple[str, object]]:
    if not isinstance(value, list):
        problems.append(f'{key}: must be a list of names; write {key.rpartition(".")[2]} = ["name", ...].')
        return
    for number_, item in enumerate(value, 1):
        yield f"{key}[{number_}]", item


def split_range(text: str) -> tuple[str, str]:
    """Part a name from the range behind it: `django>=4,<6`, `lodash@^4`, `@acme/ui@^1`."""
    text = text.strip()
    end = next((i for i, c in enumerate(text) if i and c in "<>=!~@ "), len(text))
    return text[:end], text[end:].strip().removeprefix("@").strip()


def _effects(
    key: str, value: object, defaults: Mapping[str, Effect | None], problems: list[str]
) -> dict[str, Effect | None]:
    effects = dict(defaults)
    for rule, said in table(key, value, RULES, problems).items():
        if rule not in effects:
            continue
        effect = EFFECTS[word(f"{key}.{rule}", "no effect", said, tuple(EFFECTS), "deny", problems)]
        if effect is Effect.HIDE and rule in ABOUT_NAMES:
            problems.append(f'{key}.{rule}: can\'t hide a name, only files; write "deny" or "hold".')
        effects[rule] = effect
    return effects


def _severities(value: object, problems: list[str]) -> dict[Severity, Effect | None]:
    severities = dict(SEVERITIES)
    for severity, said in table("vulnerabilities", value, tuple(SEVERITIES), problems).items():
        if severity in severities:
            key = f"vulnerabilities.{severity}"
            effect = EFFECTS[word(key, "no effect", said, tuple(EFFECTS), "deny", problems)]
            severities[severity] = effect
    return severities


def _age(key: str, value: object, defaults: AgeSection, problems: list[str]) -> AgeSection:
    found = table(key, value, _AGE_KEYS, problems)
    names = []
    for place, item in _items(f"{key}.names", found.get("names", []), problems):
        each = table(place, item, ("name", "days", "reason"), problems)
        if not isinstance(each.get("name"), str) or "days" not in each:
            problems.append(f'{place}: write {{ name = "...", days = 0, reason = "..." }}.')
            continue
        line = Line(place, str(each["name"]), reason=str(each.get("reason", "")))
        names.append((line, _days(f"{place}.days", each["days"], problems)))
    least = _days(f"{key}.days", found["days"], problems) if "days" in found else defaults.least
    undated = found.get("undated", defaults.undated)
    return AgeSection(
        least=least,
        undated=cast(
            "Undated", word(f"{key}.undated", "unknown", undated, UNDATED, defaults.undated, problems)
        ),
        names=(*defaults.names, *names),
    )


def _unknown(value: object, problems: list[str]) -> Unknown:
    said = table("publisher", value, ("unknown",), problems).get("unknown", "pass")
    return cast("Unknown", word("publisher.unknown", "no answer", said, UNKNOWN, "pass", problems))


def _days(key: str, value: object, problems: list[str]) -> timedelta:
    return timedelta(days=number(key, value, _MOST_DAYS, 3, problems))


def _scores(found: Mapping[str, object], problems: list[str]) -> dict[str, float]:
    scores = dict(_SCORES)
    for key, default in _SCORES.items():
        value = found.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            problems.append(f"lookalike.{key}: {value!r} is no score; write a number above 0 and up to 1.")
        else:
            scores[key] = float(value)
    if scores["hold"] > scores["deny"]:
        problems.append("lookalike.hold: is above lookalike.deny; a name is held from a lower score on.")
    return scores
