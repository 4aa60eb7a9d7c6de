"""An application of 580 packages with workspaces and scopes, by every client of npm's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House
from tests.e2e.machine import Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said
from tests.upstream import make_tarball

PACKAGES = 580
SEVERAL = 40
"""Every so many, a package has a second version somewhere in the tree."""
WORKSPACES = ("core", "web", "api", "tools")


@dataclass(frozen=True)
class Client:
    """How a client installs a project, anew and from its lock file."""

    run: Callable[[Machine], Callable[..., Said]]
    install: Sequence[str]
    frozen: Sequence[str]
    lock: str


CLIENTS = {
    "npm 11": Client(lambda m: m.npm, ("install",), ("ci",), "package-lock.json"),
    "npm 10": Client(lambda m: m.npm_10, ("install",), ("ci",), "package-lock.json"),
    "pnpm": Client(lambda m: m.pnpm, ("install",), ("install", "--frozen-lockfile"), "pnpm-lock.yaml"),
    "yarn": Client(lambda m: m.yarn, ("install",), ("install", "--immutable"), "yarn.lock"),
    "yarn classic": Client(
        lambda m: m.yarn_classic,
        ("install", "--non-interactive"),
        ("install", "--frozen-lockfile", "--non-interactive"),
        "yarn.lock",
    ),
    "bun": Client(lambda m: m.bun, ("install",), ("install", "--frozen-lockfile"), "bun.lock"),
}


def name_of(number: int) -> str:
    """Every third package is in one of three scopes."""
    return f"@grove-{number % 9 // 3}/tree-{number}" if number % 3 == 0 else f"tree-{number}"


def below(number: int) -> list[int]:
    """The packages that one needs: a tree in which each has two more, and some share a third."""
    found = [2 * number + 1, 2 * number + 2]
    return [each for each in (*found, *([number + 7] if number % 5 == 0 else [])) if each < PACKAGES]


@pytest.fixture(scope="module")
def forest(outside: Outside) -> None:
    for number in range(PACKAGES):
        dependencies = {name_of(each): "^1.0.0" for each in below(number)}
        outside.publish(make_tarball(name_of(number), "1.0.0", dependencies=dependencies))
        if number % SEVERAL == 0:
            outside.publish(make_tarball(name_of(number), "2.0.0", dependencies=dependencies))


def application(machine: Machine) -> None:
    """Four workspaces that need each other, and between them everything; one needs other versions of some."""
    machine.manifest(name="forest", version="1.0.0", private=True, workspaces=["packages/*"])
    settings = 'packages: ["packages/*"]\nlinkWorkspacePackages: true\n'
    (machine.project / "pnpm-workspace.yaml").write_text(settings, "utf-8")
    needs: dict[str, dict[str, str]] = {
        "core": {name_of(0): "^1.0.0"},
        "web": {"@forest/core": "1.0.0", name_of(1): "^1.0.0", name_of(SEVERAL): "^2.0.0"},
        "api": {"@forest/core": "1.0.0", name_of(2): "^1.0.0"},
        "tools": {"@forest/web": "1.0.0", name_of(2 * SEVERAL): "^2.0.0"},
    }
    for name in WORKSPACES:
        folder = machine.project / "packages" / name
        folder.mkdir(parents=True)
        manifest: dict[str, Any] = {
            "name": f"@forest/{name}",
            "version": "1.0.0",
            "dependencies": needs[name],
        }
        (folder / "package.json").write_text(json.dumps(manifest), "utf-8")


def installed(machine: Machine) -> set[tuple[str, str]]:
    """Name and version of all that is below some node_modules; links, which lead to the same, aren't followed."""
    found = set()
    for folder, _, files in os.walk(machine.project):
        if "package.json" in files and "node_modules" in folder:
            manifest = json.loads((Path(folder) / "package.json").read_text("utf-8"))
            found.add((manifest["name"], manifest["version"]))
    return found


EVERYTHING = {(name_of(number), "1.0.0") for number in range(PACKAGES)} | {
    (name_of(SEVERAL), "2.0.0"),
    (name_of(2 * SEVERAL), "2.0.0"),
}


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("forest")
@pytest.mark.parametrize("name", CLIENTS)
def test_580_packages_in_workspaces_install_and_again_without_upstream(
    name: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    client, first, second = CLIENTS[name], new_machine(), new_machine()
    for machine in (first, second):
        application(machine)
    client.run(first)(*client.install).checked()
    assert installed(first) >= EVERYTHING
    shutil.copy(first.project / client.lock, second.project / client.lock)
    with outside.cut_off():
        client.run(second)(*client.frozen).checked()
    assert installed(second) >= EVERYTHING
