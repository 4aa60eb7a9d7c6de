import json
from pathlib import Path
from typing import Any

import pytest

from registry.storage.connections import prepare
from tests.cli.running import command
from tests.policy.worlds import GUARDED

pytestmark = pytest.mark.loopback


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A checkout whose appliance has run before."""
    folder = tmp_path / "elsewhere"
    (folder / "config").mkdir()
    (folder / "config" / "policy.toml").write_text(GUARDED)
    (folder / "data" / "keys").mkdir(parents=True)
    (folder / "data" / "keys" / "admin-token").write_text("token\n")
    prepare(folder / "data" / "registry.db", busy_ms=100).close()
    return folder


def looked_at(**environ: str) -> dict[str, Any]:
    result = command("doctor", "--json", environ={"REGISTRY_PORT": "9", **environ})
    assert result.exit_code == 1, "an appliance that is down isn't well"
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_a_healthy_appliance_that_is_down_only_needs_a_start(here: Path) -> None:
    checks = looked_at()
    assert [name for name, check in checks.items() if not check["ok"]] == ["appliance"]
    assert list(checks) == ["appliance", "settings", "policy", "data directory", "database", "LAN volume"]
    assert "./scripts/run" in checks["appliance"]["remedy"]


def test_a_damaged_database_is_found(here: Path) -> None:
    database = here / "data" / "registry.db"
    database.write_bytes(b"\0" * database.stat().st_size)
    check = looked_at()["database"]
    assert not check["ok"]
    assert "backup" in check["remedy"]


def test_a_broken_policy_file_is_found(here: Path) -> None:
    (here / "config" / "policy.toml").write_text("[pypi\n")
    assert not looked_at()["policy"]["ok"]
    (here / "config" / "policy.toml").unlink()
    assert not looked_at()["policy"]["ok"]


def test_a_volume_that_is_a_file_is_found(here: Path) -> None:
    (here / "volume").write_text("")
    check = looked_at(REGISTRY_VOLUME="volume")["LAN volume"]
    assert not check["ok"]
    assert "REGISTRY_VOLUME" in check["remedy"]


def test_a_volume_that_is_not_the_one_the_database_knows_is_found(here: Path) -> None:
    assert looked_at()["LAN volume"]["ok"], "a database that knows of none takes any"
    connection = prepare(here / "data" / "registry.db", busy_ms=100)
    connection.execute("INSERT INTO fact (name, value) VALUES ('volume-id/lan', ?)", ("a" * 32,))
    connection.close()
    lost = looked_at()["LAN volume"]
    assert "volume-id none" in lost["detail"]
    assert "docs/backup.md" in lost["remedy"]
    volume = here / "data" / "volume"
    volume.mkdir()
    (volume / "volume-id").write_text("b" * 32)
    assert "bbbbbbbb" in looked_at()["LAN volume"]["detail"]
    (volume / "volume-id").write_text("a" * 32 + "\n")
    assert looked_at()["LAN volume"]["ok"]


def test_broken_settings_are_told_and_nothing_else_is_guessed(here: Path) -> None:
    result = command("doctor", environ={"REGISTRY_PORT": "none"})
    assert result.exit_code == 1
    assert "REGISTRY_PORT" in result.stdout
    assert "database" not in result.stdout
