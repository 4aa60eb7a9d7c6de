"""What a lock file would meet, what was really used, and trying out another policy."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from registry.model.events import Client
from registry.pipeline.foresight import Checked, Replay, Used
from registry.pipeline.policy_operations import Pin
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import LOCK_FILES, zoned


class CheckAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The entries of a lock file."""

    pins: tuple[Pin, ...]


class SinceAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From when on."""

    since: datetime


class ReplayAsk(SinceAsk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another policy.toml, and the requests to try it on."""

    text: str


class CheckedAll(msgspec.Struct, frozen=True, kw_only=True):
    """A lock file, looked at."""

    ok: bool
    """Whether nothing in it is held, refused, or of other bytes."""
    items: tuple[Checked, ...]


class UsedAll(msgspec.Struct, frozen=True, kw_only=True):
    """Public projects that were delivered, the most used first."""

    items: tuple[Used, ...]


async def _policy_used(desk: Desk, ask: SinceAsk, _: Client) -> UsedAll:
    return UsedAll(items=await desk.foresight.used(zoned(ask.since)))


async def _policy_replay(desk: Desk, ask: ReplayAsk, _: Client) -> Replay:
    return await desk.foresight.replay(ask.text, zoned(ask.since))


async def _check(desk: Desk, ask: CheckAsk, _: Client) -> CheckedAll:
    items = await desk.foresight.check(ask.pins)
    return CheckedAll(ok=all(each.state in {"allowed", "absent"} for each in items), items=items)


FORESIGHT_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint(
        "GET",
        "/policy/used",
        "Public projects that were delivered",
        SinceAsk,
        UsedAll,
        _policy_used,
    ),
    Endpoint(
        "POST",
        "/policy/test",
        "What another policy.toml would have done",
        ReplayAsk,
        Replay,
        _policy_replay,
        largest=2**20,
    ),
    Endpoint(
        "POST",
        "/check",
        "What the entries of a lock file would meet",
        CheckAsk,
        CheckedAll,
        _check,
        role="reader",
        largest=LOCK_FILES,
    ),
)
