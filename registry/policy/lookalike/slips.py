"""What kind of slip turns a known name into the one asked for, and how to say so."""

from __future__ import annotations

from typing import NamedTuple

from registry.policy.lookalike.edits import Edit, edits
from registry.policy.lookalike.spelling import folded, skeleton, words

_SHORTEST_TWICE = 6
"""Letters of the shortest skeleton in which two edits are still taken for a slip."""


class Slip(NamedTuple):
    """How one name came to be another."""

    kind: str
    """`edit`, `separator`, `unscoped`, `base`, `rescoped`, `version`, `affix`, `visual`, `order`, `family`,
    `vendor`, `scope`, `import`."""
    edits: tuple[Edit, ...] = ()
    added: str = ""
    """The word or letters that an affix or version added."""


def slip(asked: str, known: str) -> Slip | None:
    """The simplest way from `known` to `asked`; None when they aren't alike."""
    mine, theirs = skeleton(asked), skeleton(known)
    scoped, known_scoped = "/" in asked, "/" in known
    if mine == theirs:
        return Slip("separator" if scoped == known_scoped else "unscoped")
    base = skeleton(asked.partition("/")[2]) if scoped else mine
    known_base = skeleton(known.partition("/")[2]) if known_scoped else theirs
    if base == known_base:
        return Slip("rescoped" if scoped else "base")
    if scoped == known_scoped and (added := _added(words(asked), words(known))):
        return added
    changed = edits(theirs, mine)
    if changed is not None and (len(changed) == 1 or len(mine) >= _SHORTEST_TWICE):
        return Slip("edit", changed)
    if folded(mine) == folded(theirs):
        return Slip("visual")
    if sorted(words(asked)) == sorted(words(known)):
        return Slip("order")
    if theirs in mine:
        return Slip("affix", (), mine.replace(theirs, "", 1))
    return None


def _added(mine: tuple[str, ...], theirs: tuple[str, ...]) -> Slip | None:
    """Whole words before or behind the known ones."""
    more = len(mine) - len(theirs)
    if more < 1:
        return None
    if mine[: len(theirs)] == theirs:
        rest = mine[len(theirs) :]
        if all(word.lstrip("v").isdigit() for word in rest):
            return Slip("version", (), rest[0])
    elif mine[more:] == theirs:
        rest = mine[:more]
    else:
        return None
    return Slip("affix", (), rest[0]) if more == 1 and len(theirs[0]) > 2 else None


def told(slip: Slip, target: str) -> str:
    """The slip in words; the name asked for stands before it: "looks like 'requests' with ..."."""
    like = f"looks like '{target}'"
    match slip.kind:
        case "edit":
            return f"{like} with {' and '.join(_told_edit(edit) for edit in slip.edits)}"
        case "separator":
            return f"{like} with other separators"
        case "unscoped" | "base" | "family" | "vendor":
            return f"{like} without its scope"
        case "rescoped":
            return f"{like} under another scope"
        case "scope":
            return f"{like} with its scope misspelt"
        case "version":
            return f"{like} with a version in the name"
        case "affix":
            return f"{like} with '{slip.added}' added"
        case "visual":
            return f"{like} with letters that look the same"
        case "order":
            return f"{like} with its words in another order"
        case _:
            return f"is how '{target}' is imported, not how it is installed"


def _told_edit(edit: Edit) -> str:
    match edit.kind:
        case "transposition":
            return "two letters swapped"
        case "doubling":
            return f"'{edit.now}' doubled"
        case "insertion":
            return f"'{edit.now}' added"
        case "omission" | "undoubling":
            return f"'{edit.was}' missing"
        case _:
            return f"'{edit.now}' for '{edit.was}'"
