"""The shape of policy.toml: its keys, and what each may hold. Names and ranges are read in the loader.

Every problem is one sentence that begins with the key: what is wrong, what to do.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from registry.model.decisions import Effect

MODES = ("allowlist", "guarded", "observe")
LISTS = ("allow", "deny", "ours")
EFFECTS: Mapping[str, Effect | None] = {**{effect.value: effect for effect in Effect}, "off": None}
RULES = ("denylist", "lookalike", "ownership")
"""Rules whose effect can be set; the allowlist is switched by the mode."""

_SCORES = {"hold": 0.5, "deny": 0.9}

_QUOTED_EFFECTS = ", ".join(f'"{name}"' for name in EFFECTS)
_QUOTED_MODES = ", ".join(f'"{name}"' for name in MODES)


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
    """Only rows of the database end by themselves."""


@dataclass(frozen=True, slots=True)
class Section:
    """One ecosystem's part."""

    mode: str = "guarded"
    lists: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    """By the names in LISTS."""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The whole file."""

    sections: Mapping[str, Section]
    effects: Mapping[str, Effect | None]
    """By the names in RULES; None for a rule that is switched off."""
    hold: float
    deny: float
    """The look-alike scores from which a name is held, and refused."""


def read_sections(text: str, ecosystems: Sequence[str], problems: list[str]) -> PolicyFile:
    """Take the file apart; what is wrong is added to `problems`, and defaults stand in for it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"policy.toml: is not TOML: {error}; mend that line.")
        return PolicyFile({}, {}, 0, 0)
    _check_keys("", table, (*ecosystems, "rules", "lookalike"), problems)
    scores = _scores(_table("lookalike", table.get("lookalike", {}), tuple(_SCORES), problems), problems)
    return PolicyFile(
        sections={name: _section(name, table.get(name, {}), problems) for name in ecosystems},
        effects=_effects(_table("rules", table.get("rules", {}), RULES, problems), problems),
        hold=scores["hold"],
        deny=scores["deny"],
    )


def _section(name: str, value: object, problems: list[str]) -> Section:
    table = _table(name, value, ("mode", *LISTS), problems)
    mode = table.get("mode")
    if mode is None:
        problems.append(f"{name}.mode: is missing; choose one of {_QUOTED_MODES}.")
    elif mode not in MODES:
        meant = _did_you_mean(mode, MODES)
        problems.append(f"{name}.mode: {mode!r} is no mode{meant}; choose one of {_QUOTED_MODES}.")
    lists = {key: tuple(_lines(f"{name}.{key}", table.get(key, []), problems)) for key in LISTS}
    return Section(str(mode), lists)


def _lines(key: str, value: object, problems: list[str]) -> Iterable[Line]:
    if not isinstance(value, list):
        problems.append(f'{key}: must be a list of names; write {key.partition(".")[2]} = ["name", ...].')
        return
    for number, item in enumerate(value, 1):
        place = f"{key}[{number}]"
        if isinstance(item, str):
            name, versions = split_range(item)
            yield Line(place, name, versions, undo=f"take {place} out of policy.toml")
        elif isinstance(item, dict):
            table = _table(place, item, ("name", "versions", "reason"), problems)
            wrong = [part for part, text in table.items() if not isinstance(text, str)]
            problems.extend(f"{place}.{part}: must be a text in quotes." for part in wrong)
            if "name" not in table:
                problems.append(f'{place}: has no name; write {{ name = "...", reason = "..." }}.')
            elif not wrong:
                name, versions, reason = (str(table.get(key, "")) for key in ("name", "versions", "reason"))
                yield Line(place, name, versions, reason, undo=f"take {place} out of policy.toml")
        else:
            problems.append(f'{place}: {item!r} is no name; write "name" or "name>=1,<2".')


def split_range(text: str) -> tuple[str, str]:
    """Part a name from the range behind it: `django>=4,<6`, `lodash@^4`, `@acme/ui@^1`."""
    text = text.strip()
    end = next((i for i, c in enumerate(text) if i and c in "<>=!~@ "), len(text))
    return text[:end], text[end:].strip().removeprefix("@").strip()


def _effects(table: Mapping[str, object], problems: list[str]) -> dict[str, Effect | None]:
    effects: dict[str, Effect | None] = dict.fromkeys(RULES, Effect.DENY)
    for rule, value in table.items():
        if rule not in effects:
            continue
        if isinstance(value, str) and value in EFFECTS:
            effects[rule] = EFFECTS[value]
        else:
            meant = _did_you_mean(value, EFFECTS)
            problems.append(f"rules.{rule}: {value!r} is no effect{meant}; choose one of {_QUOTED_EFFECTS}.")
    return effects


def _scores(table: Mapping[str, object], problems: list[str]) -> dict[str, float]:
    scores = dict(_SCORES)
    for key, default in _SCORES.items():
        value = table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            problems.append(f"lookalike.{key}: {value!r} is no score; write a number above 0 and up to 1.")
        else:
            scores[key] = float(value)
    if scores["hold"] > scores["deny"]:
        problems.append("lookalike.hold: is above lookalike.deny; a name is held from a lower score on.")
    return scores


def _table(key: str, value: object, allowed: Sequence[str], problems: list[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        problems.append(f"{key}: must be a table; write [{key}] on a line of its own.")
        return {}
    _check_keys(f"{key}.", value, allowed, problems)
    return value


def _check_keys(prefix: str, table: Iterable[str], allowed: Sequence[str], problems: list[str]) -> None:
    for key in table:
        if key not in allowed:
            known = ", ".join(allowed)
            problems.append(f"{prefix}{key}: is no key{_did_you_mean(key, allowed)}; there are: {known}.")


def _did_you_mean(value: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(value), list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
