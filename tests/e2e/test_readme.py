"""README's lines of the client commands, each run as it stands there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.e2e.house import ROOT, House, User
from tests.e2e.machine import NODE, Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said, converse, run
from tests.upstream import make_tarball, make_wheel

LINES = re.findall(r"^    ((?:pip|uv|npm|twine) .+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)


def test_readme_has_a_line_for_every_client() -> None:
    assert {line.split()[0] for line in LINES} == {"pip", "uv", "npm", "twine"}


@pytest.fixture
def prepared(house: House, outside: Outside, alice: User, machine: Machine) -> Machine:
    """A machine with something to publish, and public packages of the names that README installs."""
    outside.publish(make_wheel("requests", "2.0.0"), make_tarball("react", "19.0.0"))
    machine.environ |= {
        "PATH": f"{machine.folder / 'bin'}:{machine.environ['PATH']}",
        "VIRTUAL_ENV": str(machine.folder / "venv"),
        "TWINE_USERNAME": alice.name,
        "TWINE_PASSWORD": alice.password,
        "UV_PUBLISH_USERNAME": alice.name,
        "UV_PUBLISH_PASSWORD": alice.password,
    }
    programs = {
        "pip": f"{sys.executable} -m pip --python {machine.python}",
        "uv": str(Path(sys.executable).with_name("uv")),
        "twine": f"{sys.executable} -m twine",
        "npm": f"{NODE}/bin/node {NODE}/lib/node_modules/npm/bin/npm-cli.js",
    }
    for name, command in programs.items():
        machine.write(f"bin/{name}", f'#!/bin/sh\nexec {command} "$@"\n').chmod(0o755)
    return machine


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_readme_does_what_it_says(
    line: str, house: House, alice: User, prepared: Machine
) -> None:
    machine = prepared
    machine.dist(make_wheel(f"shown-by-{line.split(maxsplit=1)[0]}", "1.0"))
    line = line.replace("http://HOST:8080", house.url)
    said = follow(line, alice, machine).checked()
    if "npm login" in line:
        assert machine.npm("whoami", "--registry", f"{house.url}/npm/").checked().out.strip() == "alice"
    elif "install" in line:
        client, name = ("npm", "react") if line.startswith("npm") else ("pip", "requests")
        assert machine.installed(client, name) in {"2.0.0", "19.0.0"}, said.text
    else:
        name = "shown-by-npm" if line.startswith("npm") else f"shown-by-{line.split()[0]}"
        machine.install("npm" if line.startswith("npm") else "pip", name).checked()


def follow(line: str, alice: User, machine: Machine) -> Said:
    """Type a line into the shell of a machine."""
    command = ["/bin/sh", "-c", line]
    if "npm login" in line:
        answers = [("Username:", alice.name), ("Password:", alice.password)]
        return converse(command, machine.environ, machine.project, answers)
    if "npm publish" in line:
        machine.npm_token(alice.token)
        return run(command, machine.environ, machine.package("shown-by-npm", "1.0.0"))
    return run(command, machine.environ, machine.project if shlex.split(line)[0] == "npm" else machine.folder)
