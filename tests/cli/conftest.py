import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Running


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine: an empty directory, an environment without ours."""
    for name in list(os.environ):
        if name.startswith("REGISTRY_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        yield running
