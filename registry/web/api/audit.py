"""The log: its rows, its proof, and taking old rows out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from registry.model.checkpoints import Checkpoint
from registry.model.events import Client, LoggedEvent
from registry.pipeline.audit_operations import Exported, Pruned, Verification
from registry.provenance.report import Receipt
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import ExplainAsk, Limit, Nothing, page, zoned


class LogAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which rows of the log; `next` of an answer is the `before` of the next page."""

    kinds: str = ""
    """Several with commas: `refusal,alarm`; empty for all."""
    ecosystem: str | None = None
    name: str | None = None
    version: str | None = None
    actor: str | None = None
    since: datetime | None = None
    before: int | None = None
    limit: Limit = 100


class WhoAsk(ExplainAsk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A project, or a version of it, and a page of its recipients."""

    limit: Limit = 100
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class HeldCheckpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A checkpoint that was kept elsewhere, all of it; nothing for none."""

    kind: Literal["head", "base"] = "head"
    seq: int = 0
    hash: str = ""
    at: str = ""
    key: str = ""
    signature: str = ""


class ExportAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which rows of the log; `next` of an answer is the `after` of the next page."""

    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    through: int | None = None
    """The last row wanted."""
    limit: Limit = 500


class BeforeAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A moment."""

    at: datetime


class KeyReplacing(msgspec.Struct, frozen=True, kw_only=True):
    """Another key for the log's checkpoints."""

    reason: str


class Pruning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rows to take out of the log."""

    through: Annotated[int, msgspec.Meta(ge=1)]
    """The last of them."""
    hash: str
    """Of that row, as the export has it."""
    reason: str


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the log, newest first."""

    items: tuple[LoggedEvent, ...]
    next: int | None


class LogKey(msgspec.Struct, frozen=True, kw_only=True):
    """What checkpoints of the log are verified by: its key after those that it has replaced, in PEM."""

    pem: str
    fingerprint: str


class RowNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the log; 0 for none."""

    seq: int


class ReceiptPage(msgspec.Struct, frozen=True, kw_only=True):
    """Who was given what, the latest first."""

    items: tuple[Receipt, ...]
    next: int | None


async def _audit_log(desk: Desk, ask: LogAsk, _: Client) -> EventPage:
    rows = await desk.operations.audit_log(
        kinds=[kind for kind in ask.kinds.split(",") if kind],
        ecosystem=ask.ecosystem,
        name=ask.name,
        version=ask.version,
        actor=ask.actor,
        since=None if ask.since is None else zoned(ask.since),
        before=ask.before,
        limit=ask.limit,
    )
    return EventPage(items=rows, next=rows[-1].seq if len(rows) == ask.limit else None)


async def _audit_who(desk: Desk, ask: WhoAsk, _: Client) -> ReceiptPage:
    found = await desk.operations.audit_who(ask.ecosystem, ask.name, ask.version)
    items, following = page(found, ask)
    return ReceiptPage(items=items, next=following)


async def _audit_verify(desk: Desk, ask: HeldCheckpoint, _: Client) -> Verification:
    held = Checkpoint(
        kind=ask.kind, seq=ask.seq, hash=ask.hash, at=ask.at, key=ask.key, signature=ask.signature
    )
    return await desk.audit.verify([held] if ask.seq else [])


async def _audit_key(desk: Desk, _: Nothing, __: Client) -> LogKey:
    return LogKey(pem=desk.audit.public_key, fingerprint=desk.audit.fingerprint)


async def _audit_replace_key(desk: Desk, ask: KeyReplacing, by: Client) -> LogKey:
    await desk.audit.replace_key(reason=ask.reason, by=by)
    return LogKey(pem=desk.audit.public_key, fingerprint=desk.audit.fingerprint)


async def _audit_checkpoint(desk: Desk, _: Nothing, __: Client) -> Checkpoint:
    return await desk.audit.checkpoint()


async def _audit_export(desk: Desk, ask: ExportAsk, _: Client) -> Exported:
    return await desk.audit.export(ask.after, ask.limit, ask.through)


async def _audit_before(desk: Desk, ask: BeforeAsk, _: Client) -> RowNumber:
    return RowNumber(seq=await desk.audit.before(zoned(ask.at)))


async def _audit_prune(desk: Desk, ask: Pruning, by: Client) -> Pruned:
    return await desk.audit.prune(ask.through, ask.hash, reason=ask.reason, by=by)


AUDIT_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint("GET", "/audit/log", "Rows of the log, newest first", LogAsk, EventPage, _audit_log),
    Endpoint("GET", "/audit/who", "Who was given files of a project", WhoAsk, ReceiptPage, _audit_who),
    Endpoint(
        "GET",
        "/audit/verify",
        "Whether the log is whole, and fits its checkpoints and one that is held elsewhere",
        HeldCheckpoint,
        Verification,
        _audit_verify,
    ),
    Endpoint("GET", "/audit/key", "What checkpoints are verified by", Nothing, LogKey, _audit_key),
    Endpoint(
        "POST",
        "/audit/key",
        "Go on with another key for checkpoints; what the old one signed stays verifiable",
        KeyReplacing,
        LogKey,
        _audit_replace_key,
    ),
    Endpoint(
        "POST",
        "/audit/checkpoints",
        "A signed checkpoint about the log's newest row",
        Nothing,
        Checkpoint,
        _audit_checkpoint,
    ),
    Endpoint(
        "GET",
        "/audit/export",
        "Rows of the log as lines, oldest first",
        ExportAsk,
        Exported,
        _audit_export,
    ),
    Endpoint(
        "GET",
        "/audit/before",
        "The last row that can be taken out to leave what happened since then",
        BeforeAsk,
        RowNumber,
        _audit_before,
    ),
    Endpoint(
        "POST",
        "/audit/prune",
        "Put a signed checkpoint in the place of the oldest rows, which were exported",
        Pruning,
        Pruned,
        _audit_prune,
    ),
)
