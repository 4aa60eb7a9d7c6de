"""What the API answers, as it is on the wire. Secrets and hashes of secrets have no field here."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from registry.model.accounts import Account, PolicyEntry, Token
from registry.model.decisions import Decision, Objection
from registry.model.events import Client, LoggedEvent
from registry.model.petitions import Petition
from registry.pipeline.foresight import Checked, Used
from registry.pipeline.name_operations import NameList
from registry.pipeline.operations import Cached, Check
from registry.pipeline.policy_operations import Allowing, Explanation
from registry.provenance.report import Receipt


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """Who the credentials of this request name."""

    user: str | None
    token: str | None
    admin: bool
    may_publish: bool
    address: str

    @classmethod
    def of(cls, client: Client) -> WhoAmI:
        """A client as it may see itself."""
        return cls(
            user=client.user,
            token=client.token,
            admin=client.admin,
            may_publish=client.may_publish,
            address=client.address,
        )


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What policy says about one subject."""

    ecosystem: str
    name: str
    version: str | None
    filename: str | None
    allowed: bool
    mode: str
    revision: str
    objections: tuple[Objection, ...]

    @classmethod
    def of(cls, decision: Decision) -> Verdict:
        """A decision with what follows from it."""
        return cls(
            ecosystem=decision.subject.project.ecosystem,
            name=decision.subject.project.name,
            version=decision.subject.version,
            filename=decision.subject.filename,
            allowed=decision.allowed,
            mode=decision.mode,
            revision=decision.revision,
            objections=decision.objections,
        )


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why a name or a version passes or doesn't."""

    verdict: Verdict
    ours: bool
    """Whether the name is private here and never asked upstream."""
    origin: str | None
    """`public` or `private` once something of it was seen here."""
    files: tuple[Verdict, ...]
    """About each known file of the version that was asked for."""

    @classmethod
    def of(cls, explanation: Explanation) -> Explained:
        """An explanation as it is sent."""
        return cls(
            verdict=Verdict.of(explanation.decision),
            ours=explanation.ours,
            origin=explanation.origin,
            files=tuple(map(Verdict.of, explanation.files)),
        )


class RefusalExplained(msgspec.Struct, frozen=True, kw_only=True):
    """The decision behind a /why/ address; never who asked."""

    id: str
    verdict: Verdict
    first: datetime


class TokenShown(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret."""

    id: str
    account: str
    note: str
    scope: Literal["read", "publish", "admin"]
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    @classmethod
    def of(cls, token: Token) -> TokenShown:
        """A token as anybody may see it."""
        return cls(
            id=token.id,
            account=token.account,
            note=token.note,
            scope=token.scope,
            created=token.created,
            expires=token.expires,
            revoked=token.revoked,
        )


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, with the one and only sight of its text."""

    token: TokenShown
    text: str


class Decreed(msgspec.Struct, frozen=True, kw_only=True):
    """A change of policy, stored and logged."""

    entry: PolicyEntry
    problems: tuple[str, ...]
    """Why it doesn't count yet: what is wrong with the policy file. Empty when it counts."""


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of allowing a list."""

    added: tuple[PolicyEntry, ...]
    known: int
    """Those that an entry allows already, or that are ours."""
    flagged: tuple[Verdict, ...]
    """Names that another rule objects to, which were not added."""
    problems: tuple[str, ...]

    @classmethod
    def of(cls, allowing: Allowing, problems: tuple[str, ...]) -> Allowed:
        """What came of it, as it is sent."""
        return cls(
            added=allowing.added,
            known=allowing.known,
            flagged=tuple(map(Verdict.of, allowing.flagged)),
            problems=problems,
        )


class CheckedAll(msgspec.Struct, frozen=True, kw_only=True):
    """A lock file, looked at."""

    ok: bool
    """Whether nothing in it is held, refused, or of other bytes."""
    items: tuple[Checked, ...]


class UsedAll(msgspec.Struct, frozen=True, kw_only=True):
    """Public projects that were delivered, the most used first."""

    items: tuple[Used, ...]


class PetitionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to let something pass, the newest first."""

    items: tuple[Petition, ...]
    next: int | None


class NameLists(msgspec.Struct, frozen=True, kw_only=True):
    """The lists of known names in force."""

    items: tuple[NameList, ...]


class AdvisoryNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch changed."""

    news: int


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Policy entries, oldest first."""

    items: tuple[PolicyEntry, ...]
    next: int | None


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the log, newest first."""

    items: tuple[LoggedEvent, ...]
    next: int | None


class LogKey(msgspec.Struct, frozen=True, kw_only=True):
    """What checkpoints of the log are verified by."""

    pem: str
    fingerprint: str


class RowNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the log; 0 for none."""

    seq: int


class ReceiptPage(msgspec.Struct, frozen=True, kw_only=True):
    """Who was given what, the latest first."""

    items: tuple[Receipt, ...]
    next: int | None


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts, by name."""

    items: tuple[Account, ...]
    next: int | None


class TokenPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, newest first."""

    items: tuple[TokenShown, ...]
    next: int | None


class CachePage(msgspec.Struct, frozen=True, kw_only=True):
    """Projects with files held, the largest first."""

    items: tuple[Cached, ...]
    next: int | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of project takes."""

    ecosystem: str
    origin: str
    projects: int
    files: int
    bytes: int


class CacheUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache takes, by ecosystem and origin."""

    items: tuple[Usage, ...]
    bytes: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Every part, looked at."""

    ok: bool
    checks: tuple[Check, ...]
