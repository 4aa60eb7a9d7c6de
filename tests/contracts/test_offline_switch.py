"""OfflineSwitch: whether upstreams may be asked; set and logged in one go."""

from __future__ import annotations

from typing import Any

import pytest

from registry.model.events import Event, Kind
from registry.model.ports import OfflineSwitch
from tests.contracts.conftest import Ports
from tests.specimens import event


@pytest.fixture
def switch(ports: Ports) -> OfflineSwitch:
    return ports.offline


def turned(**detail: Any) -> Event:
    return event(Kind.ADMIN, project=None, detail=detail)


async def test_it_is_off_at_first(switch: OfflineSwitch) -> None:
    assert switch.on is False


async def test_it_is_what_it_was_turned_to_and_each_turn_is_logged(
    ports: Ports, switch: OfflineSwitch
) -> None:
    turns = [True, True, False, False, True]
    for on in turns:
        await switch.turn(on=on, event=turned(after=on))
        assert switch.on is on
    rows = await ports.log.events(kinds=["admin"])
    assert [row.event.detail["after"] for row in reversed(rows)] == turns
