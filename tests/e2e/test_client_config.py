"""What `registry client-config` prints is all that a client needs to find its way here."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.house import House
from tests.e2e.machine import Machine
from tests.e2e.outside import Outside
from tests.e2e.said import run
from tests.upstream import make_tarball, make_wheel


def lines(house: House, client: str) -> str:
    return house.registry("client-config", client).checked().out


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_pythons_clients_install_by_the_printed_lines(
    house: House, machine: Machine, outside: Outside, client: str
) -> None:
    outside.upstream.add(make_wheel(f"by-lines-{client}", "1.0"))
    file = str(machine.write(f"{client}.conf", lines(house, client)))
    pip = [sys.executable, "-m", "pip", "--python", str(machine.python), "install"]
    uv = [sys.executable.replace("python", "uv"), "pip", "install", "--python", str(machine.python)]
    command = pip if client == "pip" else uv
    settings = {"PIP_CONFIG_FILE": file} if client == "pip" else {"UV_CONFIG_FILE": file}
    run([*command, f"by-lines-{client}"], machine.environ | settings, machine.folder).checked()
    assert machine.installed(client, f"by-lines-{client}") == "1.0"


@pytest.mark.parametrize("client", ["npm", "pnpm", "yarn"])
def test_npms_clients_install_by_the_printed_lines(
    house: House, machine: Machine, outside: Outside, client: str
) -> None:
    outside.upstream.add(make_tarball(f"by-lines-{client}", "1.0.0"))
    name = ".yarnrc.yml" if client == "yarn" else ".npmrc"
    own = "nodeLinker: node-modules\nenableGlobalCache: false\n" if client == "yarn" else ""
    (machine.home / name).write_text(lines(house, client) + own, "utf-8")
    machine.install(client, f"by-lines-{client}").checked()
    assert machine.installed(client, f"by-lines-{client}") == "1.0.0"


def test_a_ci_jobs_variables_serve_all_of_them(house: House, machine: Machine, outside: Outside) -> None:
    outside.upstream.add(make_wheel("by-variables", "1.0"), make_tarball("by-variables", "1.0.0"))
    variables = dict(
        line.split("=", 1) for line in lines(house, "ci").splitlines() if not line.startswith("#")
    )
    (machine.home / ".npmrc").write_text("")
    (machine.home / ".yarnrc.yml").write_text("nodeLinker: node-modules\nenableGlobalCache: false\n")
    machine.environ.update(variables)
    pip = [sys.executable, "-m", "pip", "--python", str(machine.python), "install", "by-variables"]
    run(pip, machine.environ, machine.folder).checked()
    for client in ("npm", "pnpm", "yarn"):
        machine.install(client, "by-variables").checked()
