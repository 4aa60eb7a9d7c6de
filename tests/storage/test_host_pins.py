"""Hosts of public files, pinned at first sight."""

from __future__ import annotations

from pathlib import Path

from registry.storage.database import Database
from registry.storage.host_pins import HostPins


async def test_the_first_host_is_pinned_over_restarts_and_in_its_ecosystem_only(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "registry.db")
    pins = HostPins(database)
    for host in ("files.test", "files.test", "other.test"):
        await pins.remember("pypi", host)
    database.close()
    again = Database.open(tmp_path / "registry.db")
    assert HostPins(again).pinned("pypi") == ("files.test",)
    assert HostPins(again).pinned("npm") == ()
    again.close()
