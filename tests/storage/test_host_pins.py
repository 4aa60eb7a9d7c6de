"""Hosts of public files, pinned at first sight."""

from __future__ import annotations

from pathlib import Path

from registry.storage.database import Database
from registry.storage.host_pins import HostPins


async def test_a_pinned_host_is_known_after_a_restart_and_in_its_ecosystem_only(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "registry.db")
    pins = HostPins(database)
    for host in ("files.test", "files.test", "more.test"):
        await pins.remember("pypi", host)
    database.close()
    again = Database.open(tmp_path / "registry.db")
    assert HostPins(again).pinned("pypi") == ("files.test", "more.test")
    assert HostPins(again).pinned("npm") == ()
    again.close()
