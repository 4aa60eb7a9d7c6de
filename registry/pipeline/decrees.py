"""What an operator says, checked and written down as an entry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from registry.errors import Malformed
from registry.model.accounts import EntryKind, PolicyEntry
from registry.model.ecosystem import Ecosystem
from registry.policy.exemptions import EXEMPTABLE, OF_NAMES

WHOLE = "*"
"""The pattern of a freeze, which is about a whole ecosystem."""


class Decree(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to be in force from now on."""

    kind: EntryKind
    ecosystem: str
    pattern: str = WHOLE
    """A name or a glob; nothing for a freeze."""
    versions: str = ""
    """A range in the ecosystem's grammar, or one version; empty for all."""
    reason: str
    days: int | None = None
    """For how long; for ever when left out, which no exemption is."""
    rule: str = ""
    """What an exemption is from."""
    cutoff: datetime | None = None
    """The moment of a freeze."""


def entry_of(decree: Decree, world: Ecosystem, author: str, now: datetime) -> PolicyEntry:
    """The entry that says it. Raises Malformed."""
    versions = range_of(world, decree.versions) if decree.versions else ""
    if versions and decree.kind in {"claim", "freeze"}:
        raise Malformed(f"A {decree.kind} is about all versions; leave the range out.")
    if decree.kind == "exempt":
        _check_exemption(decree)
    elif decree.rule:
        raise Malformed(f"Only an exemption is from a rule; leave `{decree.rule}` out.")
    if (decree.cutoff is not None) != (decree.kind == "freeze"):
        raise Malformed("A freeze has a date, and nothing else has; write one like 2026-11-01.")
    return PolicyEntry(
        ecosystem=world.name,
        kind=decree.kind,
        pattern=WHOLE if decree.kind == "freeze" else world.parse_pattern(decree.pattern),
        versions=versions,
        reason=sound_reason(decree.reason),
        author=author,
        created=now,
        until=None if decree.days is None else now + timedelta(days=_days(decree.days)),
        rule=decree.rule,
        cutoff=None if decree.cutoff is None else _aware(decree.cutoff),
    )


def range_of(world: Ecosystem, text: str) -> str:
    """A range as it is, one version as the range that holds nothing else. Raises Malformed."""
    try:
        world.parse_range(text)
    except Malformed:
        exactly = f"=={text}"
        try:
            world.parse_range(exactly)
        except Malformed:
            world.parse_range(text)
        return exactly
    return text


def line_of(entry: PolicyEntry) -> str:
    """An entry as the log names it: `deny left-pad <1.3 until 2026-12-01: reason`."""
    parts = [
        entry.kind,
        f"{entry.cutoff:%Y-%m-%d}" if entry.cutoff else entry.pattern,
        entry.versions,
        f"from {entry.rule}" if entry.rule else "",
        f"until {entry.until:%Y-%m-%d}" if entry.until else "",
    ]
    return f"{' '.join(filter(None, parts))}: {entry.reason}"


def sound_reason(text: str) -> str:
    """A reason as it is kept. Raises Malformed."""
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise Malformed("Every change of policy has a reason of 1 to 200 printable characters; say why.")
    return text.strip()


def _check_exemption(decree: Decree) -> None:
    if decree.rule not in EXEMPTABLE:
        raise Malformed(
            f"`{decree.rule}` is no rule to be exempt from; there are {', '.join(EXEMPTABLE)}; use allow, "
            "claim or remove for the others."
        )
    if decree.versions and decree.rule in OF_NAMES:
        raise Malformed(f"`{decree.rule}` is about names; leave the version out.")
    if decree.days is None:
        raise Malformed("Every exemption ends; say after how many days.")


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _days(days: int) -> int:
    if not 1 <= days <= 3_650:
        raise Malformed("An entry counts for 1 to 3650 days, or for ever when no days are given.")
    return days
