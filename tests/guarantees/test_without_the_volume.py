"""Private packages don't depend on the LAN volume: installed and published while it is gone."""

from __future__ import annotations

from tests.guarantees.house import House
from tests.upstream import LyingUpstream, make_tarball, make_wheel


async def test_private_packages_go_on_while_the_volume_is_gone(house: House, upstream: LyingUpstream) -> None:
    public, before, meanwhile = (make_wheel(name, "1.0") for name in ("demo", "acme-old", "acme-new"))
    upstream.add(public)
    assert (await house.fetch(public)).is_whole(public.data)
    assert (await house.upload(before)).status == 200
    aside = house.volume.with_name("aside")
    house.volume.rename(aside)
    house.volume.mkdir()
    await house.restart()

    assert (await house.upload(meanwhile)).status == 200
    assert (await house.publish(make_tarball("@acme/ours", "1.0.0"))).status in {200, 201}
    for wheel in (before, meanwhile):
        assert (await house.fetch(wheel)).is_whole(wheel.data)
    assert (await house.ask("/npm/@acme%2fours")).status == 200
    assert (await house.ask(f"/pypi/files/demo/{public.filename}")).status == 503
    assert list(house.volume.iterdir()) == []

    house.volume.rmdir()
    aside.rename(house.volume)
    assert (await house.fetch(public)).is_whole(public.data)
