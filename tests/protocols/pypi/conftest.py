"""A house for each test, before an upstream of the shape that the test asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.guarantees.house import House, open_house
from tests.upstream import LyingUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream() as server:
        yield server


@pytest.fixture
async def house(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[House]:
    async with open_house(tmp_path, upstream) as opened:
        yield opened
