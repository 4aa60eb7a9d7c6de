"""Who asks, how the parts are, what time it is, and whether upstreams are asked."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.events import Client
from registry.model.moments import Standing
from registry.pipeline.offline_operations import Connectedness
from registry.pipeline.operations import Check
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import Nothing


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


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Every part, looked at."""

    ok: bool
    checks: tuple[Check, ...]


class Disconnection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether no upstream is to be asked."""

    on: bool
    reason: str


class ClockIsRight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why what the machine's clock says is the time."""

    reason: str


async def _whoami(_: Desk, __: Nothing, by: Client) -> WhoAmI:
    return WhoAmI.of(by)


async def _doctor(desk: Desk, _: Nothing, __: Client) -> Health:
    checks = tuple(await desk.doctor())
    return Health(ok=all(check.ok for check in checks), checks=checks)


async def _offline(desk: Desk, _: Nothing, __: Client) -> Connectedness:
    return await desk.offline.status()


async def _offline_turn(desk: Desk, ask: Disconnection, by: Client) -> Connectedness:
    return await desk.offline.turn(on=ask.on, reason=ask.reason, by=by)


async def _clock(desk: Desk, _: Nothing, __: Client) -> Standing:
    return desk.clock.status()


async def _clock_accept(desk: Desk, ask: ClockIsRight, by: Client) -> Standing:
    return await desk.clock.accept(reason=ask.reason, by=by)


APPLIANCE_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint("GET", "/whoami", "Who these credentials name", Nothing, WhoAmI, _whoami, role="reader"),
    Endpoint(
        "GET",
        "/doctor",
        "Every part looked at, with a remedy for what is wrong",
        Nothing,
        Health,
        _doctor,
    ),
    Endpoint("GET", "/offline", "Whether upstreams are asked", Nothing, Connectedness, _offline),
    Endpoint(
        "PUT",
        "/offline",
        "Ask no upstream any more, or ask again",
        Disconnection,
        Connectedness,
        _offline_turn,
    ),
    Endpoint("GET", "/clock", "What the machine's clock says, and what counts", Nothing, Standing, _clock),
    Endpoint(
        "PUT",
        "/clock",
        "Declare what the machine's clock says right",
        ClockIsRight,
        Standing,
        _clock_accept,
    ),
)
