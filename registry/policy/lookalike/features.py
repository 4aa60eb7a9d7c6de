"""What speaks for and against a name being a slip of another, as named numbers for the score.

A feature's name begins with the kind of slip it belongs to, so each kind is weighed by itself; numbers are
kept near 1.
"""

from __future__ import annotations

from math import log, log10

from registry.policy.lookalike.edits import Edit
from registry.policy.lookalike.language import Language
from registry.policy.lookalike.scopes import Scopes
from registry.policy.lookalike.slips import Slip
from registry.policy.lookalike.spelling import alike, neighbours, skeleton, sound_alike, words

Features = dict[str, float]

_PLATFORM = frozenset(("js", "py", "python", "node", "npm"))
_VARIANT = _PLATFORM - {"py", "python", "node"} | {
    "ts",
    "lib",
    "plus",
    "pro",
    "lite",
    "cli",
    "core",
    "utils",
    "helper",
    "dev",
}


def compare(
    asked: str, known: str, slip: Slip, rank: int, crowd: int, language: Language, scopes: Scopes
) -> Features:
    """The features of `asked` being `slip` of `known`.

    `rank` is the popularity of the known name from 1; `crowd` is how many known names are about as near.
    """
    fame = log10(rank + 10)
    size = min(len(skeleton(known)), 20) / 10
    match slip.kind:
        case "edit":
            return _edit(asked, known, slip.edits, fame, size, crowd, language)
        case "base":
            return _base(asked, known, fame, size, language, scopes)
        case "rescoped":
            return _rescoped(asked, known, fame, language, scopes)
        case "affix":
            return _affix(asked, known, slip.added, fame, size, language)
        case "version":
            return {
                "version": 1,
                "version.fame": fame,
                "version.size": size,
                "version.v": float(slip.added[0] == "v"),
                "version.words": float(len(words(known)) > 1),
                "version.long": float(len(words(asked)) > len(words(known)) + 1),
            }
        case "separator":
            mine, theirs = words(asked), words(known)
            return {
                "separator": 1,
                "separator.fame": fame,
                "separator.size": size,
                "separator.fewer": float(len(mine) < len(theirs)),
                "separator.more": float(len(mine) > len(theirs)),
                "separator.scoped": float("/" in asked),
            }
        case "unscoped":
            size_of_scope = scopes.sizes[known.partition("/")[0]]
            return {
                "unscoped": 1,
                "unscoped.fame": fame,
                "unscoped.size": size,
                "unscoped.scope": log(size_of_scope) if size_of_scope else 0.0,
                "unscoped.into": float("/" in asked),
            }
        case kind:
            return {kind: 1, f"{kind}.fame": fame, f"{kind}.size": size}


def _edit(
    asked: str, known: str, edits: tuple[Edit, ...], fame: float, size: float, crowd: int, language: Language
) -> Features:
    kind = "edit" if len(edits) == 1 else "edits"
    bare = skeleton(known)
    found: Features = {
        kind: 1,
        f"{kind}.fame": fame,
        f"{kind}.size": size,
        f"{kind}.short": max(0.0, 3 - size * 5),
        f"{kind}.fame_size": fame * size,
        f"{kind}.crowd": log(crowd),
    }
    if ("/" in asked) != ("/" in known):
        found["edit.scope_lost"] = 1
    for edit in edits:
        for name in _of_one_edit(edit, bare):
            found[f"{kind}.{name}"] = 1
        kinds = f"{kind}.{edit.kind}"
        found[kinds] = found.get(kinds, 0) + 1
    mine, theirs = words(asked), words(known)
    if len(mine) == len(theirs):
        found |= _same_structure(mine, theirs, kind, language)
    else:
        found[f"{kind}.regrouped"] = 1
        found["edit.regrouped_more"] = abs(len(mine) - len(theirs)) - 1
        found[f"{kind}.regrouped_seen"] = sum(word in language.words for word in mine) / len(mine)
        found[f"{kind}.odd"] = _odd(mine, theirs, language)
    return found


def _of_one_edit(edit: Edit, bare: str) -> list[str]:
    found = []
    if edit.at == 0:
        found.append("first")
    if edit.at >= len(bare) - 1:
        found.append("last")
    letters = edit.was + edit.now
    if edit.kind == "substitution":
        if alike(edit.was, edit.now):
            found.append("alike")
        elif neighbours(edit.was, edit.now):
            found.append("near_key")
        elif sound_alike(edit.was, edit.now):
            found.append("sound")
        if letters.isdigit():
            found.append("other_digit")
        elif edit.was.isdigit() or edit.now.isdigit():
            found.append("digit_for_letter")
        return found
    if letters.isdigit():
        found.append("digit")
    if letters == "s":
        found.append("plural")
    beside = bare[max(0, edit.at - 1) : edit.at + 1]
    if edit.kind == "insertion" and any(neighbours(edit.now, letter) for letter in beside):
        found.append("slipped_key")
    return found


def _same_structure(
    mine: tuple[str, ...], theirs: tuple[str, ...], kind: str, language: Language
) -> Features:
    """The two names have as many words: what the changed one says."""
    changed = [pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1]]
    found: Features = {"edit.words": min(len(theirs) - 1, 3)}
    if not changed:
        return found
    new, old = max(changed, key=lambda pair: len(pair[0]))
    if len(theirs) > 1:
        found["edit.word_short"] = max(0, 6 - len(old)) / 2
        found["edit.word_first"] = float(mine[0] != theirs[0])
    found[f"{kind}.word_seen"] = language.seen(new)
    found[f"{kind}.word_known"] = float(new in language.words)
    found["edit.word_common"] = language.seen(old)
    found[f"{kind}.odd"] = _odd((new,), (old,), language)
    if len(changed) > 1:
        found["edit.words_changed"] = 1
    return found


def _odd(mine: tuple[str, ...], theirs: tuple[str, ...], language: Language) -> float:
    return (sum(map(language.surprise, mine)) - sum(map(language.surprise, theirs))) / 3


def _base(asked: str, known: str, fame: float, size: float, language: Language, scopes: Scopes) -> Features:
    scope, _, base = known.partition("/")
    parts = words(base)
    opening = scopes.opening(parts[0])
    return {
        "base": 1,
        "base.fame": fame,
        "base.size": size,
        "base.words": min(len(parts), 5),
        "base.one_word": float(len(parts) == 1),
        "base.elsewhere": log(max(1, scopes.bases[skeleton(base)])),
        "base.scope": log(max(1, scopes.sizes[scope])),
        "base.common": min(map(language.seen, parts)),
        "base.exact": float(words(asked) == parts),
        "base.share": opening[scope] / max(1, opening.total()),
        "base.unscoped": log(1 + opening[""]),
        "base.says_scope": float(scope.removeprefix("@") in parts),
    }


def _rescoped(asked: str, known: str, fame: float, language: Language, scopes: Scopes) -> Features:
    base = asked.partition("/")[2]
    parts = words(base)
    return {
        "rescoped": 1,
        "rescoped.fame": fame,
        "rescoped.size": min(len(skeleton(base)), 20) / 10,
        "rescoped.words": min(len(parts), 5),
        "rescoped.one_word": float(len(parts) == 1),
        "rescoped.elsewhere": log(1 + scopes.bases[skeleton(base)]),
        "rescoped.common": min(map(language.seen, parts)),
        "rescoped.from_scope": float("/" in known),
    }


def _affix(asked: str, known: str, added: str, fame: float, size: float, language: Language) -> Features:
    return {
        "affix": 1,
        "affix.fame": fame,
        "affix.size": size,
        "affix.number": float(added.isdigit()),
        "affix.glued": float(added not in words(asked)),
        "affix.platform": float(added in _PLATFORM),
        "affix.variant": float(added in _VARIANT),
        "affix.front": float(skeleton(asked).startswith(added)),
        "affix.seen": language.seen(added),
        "affix.words": float(len(words(known)) > 1),
    }


def guess_family(asked: str, language: Language, scopes: Scopes) -> tuple[str, Features] | None:
    """An unscoped name that begins as only one scope's names do, and the name it would have there."""
    parts = words(asked)
    family = scopes.family(parts) if len(parts) > 1 else None
    if family is None or family.members < family.total / 2:
        return None
    return f"{family.scope}/{asked.lower()}", {
        "family": 1,
        "family.members": log(family.members),
        "family.share": family.members / family.total,
        "family.of_word": family.members / max(1, language.words[parts[0]]),
        "family.word": language.seen(parts[0]),
        "family.words": min(len(parts), 4),
        "family.scope": log(scopes.sizes[family.scope]),
        "family.size": min(len(skeleton(asked)), 30) / 10,
        "family.seen": min(map(language.seen, parts[1:])),
    }


def guess_vendor(asked: str, scopes: Scopes) -> tuple[str, Features] | None:
    """An unscoped name that begins with a scope's own name: `azure-template`, meant for `@azure/template`."""
    parts = words(asked)
    scope = scopes.vendor(parts[0]) if len(parts) > 1 else None
    if scope is None or scopes.sizes[scope] < 3:
        return None
    inside, outside = scopes.sizes[scope], scopes.opening(parts[0])[""]
    return f"{scope}/{asked.lower()[len(parts[0]) + 1 :]}", {
        "vendor": 1,
        "vendor.scope": log(inside),
        "vendor.unscoped": log(1 + outside),
        "vendor.words": min(len(parts), 4),
        "vendor.share": inside / (inside + outside),
    }
