"""Images built once, a lying upstream that containers reach, and appliances that clean up after themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.compose.appliance import Appliance
from tests.compose.engine import engine as running_engine
from tests.e2e.house import User
from tests.e2e.machine import Machine
from tests.upstream import LyingUpstream

NewAppliance = Callable[..., Appliance]


@pytest.fixture(scope="session")
def engine() -> Any:
    return running_engine()


@pytest.fixture(scope="session")
def built(engine: Any) -> Any:
    """An engine that has the images of this checkout."""
    Appliance(engine).compose("build")
    return engine


@pytest.fixture(scope="session")
def bridge(engine: Any) -> str:
    """The address of this machine that containers know as the host."""
    (found,) = (
        config["Gateway"]
        for config in engine.networks.get("bridge").attrs["IPAM"]["Config"]
        if "Gateway" in config
    )
    return str(found)


@pytest.fixture(scope="session")
def upstream(bridge: str) -> Iterator[LyingUpstream]:
    """What containers fetch public packages from."""
    with LyingUpstream(host=bridge).in_a_thread() as server:
        yield server


@pytest.fixture(scope="module")
def new_appliance(built: Any, upstream: LyingUpstream) -> Iterator[NewAppliance]:
    """Makes appliances, and leaves nothing of them."""
    with ExitStack() as stack:

        def new(*files: str, **more: str) -> Appliance:
            world = {"REGISTRY_PYPI_UPSTREAM": upstream.url_pypi, "REGISTRY_NPM_UPSTREAM": upstream.url_npm}
            made = Appliance(built, {**world, **more}, files)
            stack.callback(made.tear_down)
            return made

        yield new


@pytest.fixture(scope="module")
def appliance(new_appliance: NewAppliance) -> Appliance:
    """One that runs, for all tests of a module."""
    made = new_appliance()
    made.up()
    return made


@pytest.fixture(scope="module")
def alice(appliance: Appliance) -> User:
    return appliance.add_user("alice")


@pytest.fixture
def machine(appliance: Appliance, tmp_path: Path) -> Machine:
    """A developer's machine, with empty caches."""
    return Machine(tmp_path / "machine", appliance.url)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that containers may write to, whatever account they run as."""
    made = tmp_path / "shared"
    made.mkdir()
    made.chmod(0o777)
    yield made
    shutil.rmtree(made, ignore_errors=True)
