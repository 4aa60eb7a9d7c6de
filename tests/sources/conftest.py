"""An upstream that lies when told to, and the two things asked of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from registry.ecosystems.pypi import PYPI
from registry.model.artifacts import Artifact
from registry.model.names import Project
from registry.sources.registry_source import RegistrySource
from tests.fakes import FixedClock
from tests.sources.world import Alarms, make_artifact, make_client, make_source
from tests.upstream import Distribution, LyingUpstream, make_wheel

DEMO = PYPI.parse_name("demo")


@pytest.fixture
async def upstream() -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream() as server:
        yield server


@pytest.fixture
def demo() -> Project:
    return DEMO


@pytest.fixture
def wheel(upstream: LyingUpstream) -> Distribution:
    made = make_wheel("demo", "1.0", padding=300_000)
    upstream.add(made)
    return made


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def alarms() -> Alarms:
    return Alarms()


@pytest.fixture
async def source(upstream: LyingUpstream, clock: FixedClock, alarms: Alarms) -> AsyncIterator[RegistrySource]:
    client = make_client(upstream.url_pypi, clock=clock, alarm=alarms)
    yield make_source(PYPI, client, clock=clock)
    await client.close()


@pytest.fixture
def file(upstream: LyingUpstream, wheel: Distribution) -> Artifact:
    return make_artifact(DEMO, wheel.filename, f"{upstream.origin}/files/{wheel.filename}", wheel.data)
