"""Accounts, tokens and what operators decided: the rows behind identity and policy."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

EntryKind = Literal["allow", "deny", "claim", "freeze", "exempt", "recall"]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person or a robot. The password hash is in the htpasswd file, not here."""

    name: str
    admin: bool = False
    created: datetime


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer secret of an account; only its hash is kept."""

    id: str
    """Public: what the log and `registry token list` name."""
    account: str
    secret_sha256: str
    note: str = ""
    scope: Literal["read", "publish", "admin"] = "publish"
    """What the token may do at most; never more than its account."""
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None


class PolicyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of an operator, made by command, API or page; joined with policy.toml."""

    id: int = 0
    """0 until stored."""
    ecosystem: str
    kind: EntryKind
    """allow: on the allowlist, and a known name to the look-alike check. deny: on the denylist.
    claim: the name is ours, and never asked upstream. freeze: what is published after `cutoff` is held.
    exempt: `rule` doesn't stop it. recall: refused at every door, whatever the rest of the policy says."""
    pattern: str
    """Canonical name or glob."""
    versions: str = ""
    """A range in the ecosystem's grammar; empty for all."""
    reason: str
    author: str
    created: datetime
    until: datetime | None = None
    rule: str = ""
    """The rule that an exemption is from; empty for other kinds."""
    cutoff: datetime | None = None
    """The moment of a freeze; None for other kinds."""
