"""The world of the end-to-end tests: a lying upstream, the appliance in front of it, developers' machines.

One appliance a module. A test takes names of its own, so that it finds them as cold as it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.house import House, User
from tests.e2e.machine import CLIENTS, Machine
from tests.e2e.outside import Outside

NewHouse = Callable[..., House]
NewMachine = Callable[[], Machine]


@pytest.fixture(scope="session", autouse=True)
def clients_are_there() -> None:
    assert (CLIENTS / "stamp").exists(), "The clients aren't installed: run scripts/e2e."


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as world:
        yield world


@pytest.fixture(scope="module")
def settings() -> Mapping[str, str]:
    """More settings of the module's appliance; a module that needs some overrides this."""
    return {}


@pytest.fixture(scope="module")
def house(
    outside: Outside, settings: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    with lived_in(House(tmp_path_factory.mktemp("house"), outside.settings, settings)) as house:
        yield house


@contextmanager
def lived_in(house: House, *command: str) -> Iterator[House]:
    """A house from its start, by this command, to its end."""
    try:
        house.start(*([command] if command else []))
        yield house
        if house.process is not None:
            house.stop()
    finally:
        if house.process is not None:
            house.process.kill()  # its parts go with it


@pytest.fixture(scope="module")
def alice(house: House) -> User:
    return house.add_user("alice")


@pytest.fixture
def new_machine(house: House, tmp_path: Path) -> NewMachine:
    """Another developer's machine, with empty caches."""
    made: list[Machine] = []

    def new() -> Machine:
        made.append(Machine(tmp_path / f"machine-{len(made)}", house.url))
        return made[-1]

    return new


@pytest.fixture
def machine(new_machine: NewMachine) -> Machine:
    return new_machine()
