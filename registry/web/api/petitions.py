"""What people ask to let pass, and the answers."""

from __future__ import annotations

from typing import Any

import msgspec

from registry.model.events import Client
from registry.model.petitions import Petition, PetitionState
from registry.web.api.desk import Desk
from registry.web.api.openapi import Endpoint
from registry.web.api.wire import Paged, page


class PetitionsAsk(Paged, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which requests to let something pass."""

    state: PetitionState | None = None


class PetitionAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An answer to a request, and why."""

    id: int
    reason: str


class PetitionGrant(PetitionAnswer, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A yes, and for how many days."""

    days: int | None = None


class PetitionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to let something pass, the newest first."""

    items: tuple[Petition, ...]
    next: int | None


async def _petitions(desk: Desk, ask: PetitionsAsk, _: Client) -> PetitionPage:
    items, following = page(await desk.petitions.petitions(ask.state), ask)
    return PetitionPage(items=items, next=following)


async def _petition_grant(desk: Desk, ask: PetitionGrant, by: Client) -> Petition:
    return await desk.petitions.grant(ask.id, reason=ask.reason, days=ask.days, by=by)


async def _petition_decline(desk: Desk, ask: PetitionAnswer, by: Client) -> Petition:
    return await desk.petitions.decline(ask.id, reason=ask.reason, by=by)


PETITIONS_ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint(
        "GET",
        "/policy/requests",
        "What people ask to let pass",
        PetitionsAsk,
        PetitionPage,
        _petitions,
    ),
    Endpoint(
        "PUT",
        "/policy/requests/{id}/granted",
        "Let pass what was asked for",
        PetitionGrant,
        Petition,
        _petition_grant,
    ),
    Endpoint(
        "PUT",
        "/policy/requests/{id}/declined",
        "Say no to a request",
        PetitionAnswer,
        Petition,
        _petition_decline,
    ),
)
