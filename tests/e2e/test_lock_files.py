"""`lock_files = "portable"`: npm's lock files name no appliance, and everything still comes from here."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NewMachine, lived_in
from tests.e2e.house import House, User
from tests.e2e.machine import Machine
from tests.e2e.outside import Outside
from tests.upstream import make_tarball

DEPENDENCIES = {"cedar": "^1.0.0", "@sc/cypress": "^1.0.0", "@team/portable": "^1.0.0"}


@pytest.fixture(scope="module")
def house(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    portable = House(tmp_path_factory.mktemp("house"), outside.settings)
    (portable.folder / "registry.toml").write_text('[npm]\nlock_files = "portable"\n', "utf-8")
    with lived_in(portable) as house:
        yield house


@pytest.fixture(scope="module", autouse=True)
def packages(house: House, outside: Outside, alice: User, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside.publish(
        make_tarball("cedar", "1.0.0", dependencies={"cone": "^1.0.0"}),
        make_tarball("cone", "1.1.0"),
        make_tarball("@sc/cypress", "1.0.0"),
    )
    machine = Machine(tmp_path_factory.mktemp("publisher") / "machine", house.url)
    machine.npm_token(alice.token)
    machine.npm("publish", folder=machine.package("@team/portable", "1.0.0")).checked()


def prepare(machine: Machine, lock: str, text: str = "") -> None:
    """A project, with the lock file of another machine where there is one."""
    machine.manifest(name="site", version="1.0.0", private=True, dependencies=DEPENDENCIES)
    # What was published a moment ago is too young for yarn and pnpm by themselves.
    machine.yarnrc('npmPreapprovedPackages: ["@team/*"]')
    (machine.project / "pnpm-workspace.yaml").write_text("minimumReleaseAge: 0\n", "utf-8")
    if text:
        (machine.project / lock).write_text(text, "utf-8")


def is_complete(machine: Machine) -> bool:
    """Whether everything is installed; node_modules are flat for all that are tried here."""
    modules = machine.project / "node_modules"
    return all((modules / name / "package.json").exists() for name in (*DEPENDENCIES, "cone"))


@pytest.mark.parametrize("version", ["npm", "npm_10"])
def test_a_lock_file_of_npm_names_no_appliance_and_installs_from_here(
    version: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    first, second = new_machine(), new_machine()
    prepare(first, "package-lock.json")
    getattr(first, version)("install").checked()
    assert is_complete(first)
    lock = (first.project / "package-lock.json").read_text("utf-8")
    assert house.url not in lock
    assert "127.0.0.1" not in lock
    entries = json.loads(lock)["packages"]
    assert all(entry["integrity"] for path, entry in entries.items() if path)
    prepare(second, "package-lock.json", lock)
    with outside.cut_off():
        getattr(second, version)("ci").checked()
    assert is_complete(second)


@pytest.mark.parametrize(("client", "lock", "again"), [
    ("pnpm", "pnpm-lock.yaml", ("install", "--frozen-lockfile", "--node-linker=hoisted")),
    ("yarn", "yarn.lock", ("install", "--immutable")),
    ("yarn_classic", "yarn.lock", ("install", "--frozen-lockfile", "--non-interactive")),
    ("bun", "bun.lock", ("install", "--frozen-lockfile")),
])  # fmt: skip
def test_other_clients_come_here_as_before(
    client: str,
    lock: str,
    again: tuple[str, ...],
    house: House,
    outside: Outside,
    new_machine: NewMachine,
) -> None:
    first, second = new_machine(), new_machine()
    prepare(first, lock)
    install = (again[0], *(each for each in again[1:] if "frozen" not in each and "immutable" not in each))
    getattr(first, client)(*install).checked()
    assert is_complete(first)
    text = (first.project / lock).read_text("utf-8")
    if client in {"pnpm", "yarn"}:
        assert "http" not in text.replace("://github", "")
    prepare(second, lock, text)
    with outside.cut_off():
        getattr(second, client)(*again).checked()
    assert is_complete(second)


@pytest.mark.parametrize("version", ["npm", "npm_10"])
@pytest.mark.parametrize("name", ["cedar", "@sc/cypress", "@team/portable"])
def test_npm_pack_fetches_from_here_too(
    version: str, name: str, house: House, outside: Outside, machine: Machine
) -> None:
    getattr(machine, version)("view", name, "dist.tarball").checked()
    with outside.cut_off():
        assert ".tgz" in getattr(machine, version)("pack", name).checked().text
