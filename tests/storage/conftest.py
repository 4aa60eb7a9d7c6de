"""The real storage in a directory of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.storage.database import Database
from tests.specimens import Storage, opened


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened_database = Database.open(tmp_path / "registry.db")
    yield opened_database
    opened_database.close()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened(tmp_path) as found:
        yield found
