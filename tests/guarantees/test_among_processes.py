"""What one process of an appliance decided counts in the others with the next request."""

from __future__ import annotations

from contextlib import closing

from registry.model.events import Kind
from registry.storage.database import Database
from registry.storage.host_pins import HostPins
from registry.storage.offline_switch import OfflineSwitch
from tests.guarantees.house import House
from tests.specimens import event
from tests.upstream import LyingUpstream, make_wheel

WHEEL = make_wheel("demo", "1.0")


async def test_nothing_is_asked_of_an_upstream_once_another_process_went_offline(
    house: House, upstream: LyingUpstream
) -> None:
    upstream.add(WHEEL)
    with closing(Database.open(house.data / "registry.db")) as other, closing(house.editions()) as editions:
        switch = OfflineSwitch(other, editions.offline)
        await switch.turn(on=True, event=event(Kind.ADMIN))
        assert (await house.ask("/pypi/simple/demo/")).status == 503
        assert not upstream.asked("/simple/*")
        await switch.turn(on=False, event=event(Kind.ADMIN))
        assert (await house.ask("/pypi/simple/demo/")).status == 200


async def test_two_processes_never_pin_two_hosts(house: House) -> None:
    path = house.data / "registry.db"
    with closing(Database.open(path)) as one, closing(Database.open(path)) as two:
        assert await HostPins(one).remember("pypi", "files.example") == ("files.example",)
        assert await HostPins(two).remember("pypi", "evil.example") == ("files.example",)
