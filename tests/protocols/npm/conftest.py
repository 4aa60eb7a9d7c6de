"""One Verdaccio for all of npm's protocol tests, one appliance a module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from registry.appliance import back_ends
from tests.protocols.npm.world import Appliance, BackEnds, appliance, verdaccio

INSTALLED = (back_ends.VERDACCIO / "node_modules" / "verdaccio").is_dir()


@pytest.fixture(scope="session")
def back_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackEnds]:
    if not INSTALLED:
        pytest.skip("Verdaccio isn't installed: scripts/setup")
    with verdaccio(tmp_path_factory.mktemp("verdaccio")) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(back_end: BackEnds, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    async with appliance(tmp_path_factory.mktemp("gateway"), back_end) as started:
        yield started
