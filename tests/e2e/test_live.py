"""Real public packages of both ecosystems, from where this machine's pip and npm get theirs.

Skipped where no upstream answers, and only there; the reason says which one and how.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.workload import WORKLOADS
from tests.e2e.conftest import lived_in
from tests.e2e.house import House, free_port
from tests.e2e.machine import NODE, Machine
from tests.e2e.said import run

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

WHEELS = ("requests", "click", "jinja2", "rich", "attrs", "six==1.10.0")
"""With what they need about fifteen wheels; the last is older than core metadata files, which many indexes never made
for such."""
TREE = "express"
"""With what it needs some 65 packages."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An appliance that inherits its upstreams, as one started here would."""
    passed_on = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in passed_on
        or name.startswith(("PIP_", "npm_config_", "NPM_CONFIG_", "SSL_CERT"))
        or name in {"HOME", "REQUESTS_CA_BUNDLE", "REGISTRY_PYPI_UPSTREAM", "REGISTRY_NPM_UPSTREAM"}
    }
    with lived_in(House(tmp_path_factory.mktemp("live"), {}, inherited=inherited)) as house:
        yield house


def answers(house: House, title: str) -> bool:
    """Whether the doctor found the upstream; what it says is printed with the skip."""
    checks = json.loads(house.registry("doctor", "--json").out)["checks"]
    return all(check["ok"] for check in checks if check["name"] == title)


def require(house: House, title: str) -> None:
    """Skip, loudly, where the upstream doesn't answer."""
    if not answers(house, title):
        pytest.skip(f"{title} doesn't answer: {house.registry('doctor').text}")


def install_python(house: House, folder: Path) -> None:
    """The packages by pip, into a new environment; they import."""
    machine = Machine(folder, house.url)
    machine.pip("install", *WHEELS).checked()
    code = "import attrs, click, jinja2, requests, rich, six; print(six.__version__)"
    assert run([str(machine.python), "-c", code], machine.environ, folder).checked().out.strip() == "1.10.0"


def install_npm(house: House, folder: Path) -> None:
    """The tree by npm, into a new project; it loads."""
    machine = Machine(folder, house.url)
    machine.npm("install", TREE).checked()
    code = "console.log(typeof require('express')())"
    loaded = run([str(NODE / "bin" / "node"), "-e", code], machine.environ, machine.project)
    assert loaded.checked().out.strip() == "function"
    assert len(list(machine.project.glob("node_modules/*/package.json"))) > 50


def test_pip_installs_real_packages(live: House, tmp_path: Path) -> None:
    require(live, "PyPI upstream")
    install_python(live, tmp_path / "machine")


def test_npm_installs_a_real_tree(live: House, tmp_path: Path) -> None:
    require(live, "npm upstream")
    install_npm(live, tmp_path / "machine")


@pytest.mark.timeout(600)
def test_npm_installs_a_real_application_of_hundreds_of_packages_in_a_workspace(
    live: House, tmp_path: Path
) -> None:
    """The benchmark's locked one; its lock file names no host, so every packument is asked for too."""
    require(live, "npm upstream")
    machine = Machine(tmp_path / "machine", live.url)
    lock = json.loads((WORKLOADS / "package-lock.json").read_text("utf-8"))
    whole = lock["packages"].pop("")
    site, folder = {**whole, "name": "@live/site", "version": "1.0.0"}, machine.project / "site"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps(site), "utf-8")
    root = {"name": "live", "version": "1.0.0", "private": True, "workspaces": ["site"]}
    machine.manifest(**root)
    links = {"site": site, "node_modules/@live/site": {"resolved": "site", "link": True}}
    locked = {**lock, "name": "live", "version": "1.0.0", "packages": {"": root, **links, **lock["packages"]}}
    (machine.project / "package-lock.json").write_text(json.dumps(locked), "utf-8")
    machine.npm("ci", "--ignore-scripts", "--legacy-peer-deps", patience=500.0).checked()
    paths = [path for path in lock["packages"] if not lock["packages"][path].get("optional")]
    missing = [path for path in paths if not (machine.project / path / "package.json").exists()]
    assert (len(paths) > 500, missing) == (True, [])


def test_a_misspelt_name_is_refused_and_the_real_one_beside_it_isnt(live: House, tmp_path: Path) -> None:
    require(live, "PyPI upstream")
    machine = Machine(tmp_path / "machine", live.url)
    assert "looks like 'requests'" in machine.install("uv", "reqeusts").refused().text
    machine.install("uv", "requests").checked()


def test_it_all_installs_again_after_a_restart_with_both_upstreams_cut_off(
    live: House, tmp_path: Path
) -> None:
    for title in ("PyPI upstream", "npm upstream"):
        require(live, title)
    install_python(live, tmp_path / "python-before")
    install_npm(live, tmp_path / "npm-before")
    nobody = f"http://127.0.0.1:{free_port()}"
    live.restart(REGISTRY_PYPI_UPSTREAM=f"{nobody}/simple/", REGISTRY_NPM_UPSTREAM=f"{nobody}/npm/")
    install_python(live, tmp_path / "python-after")
    install_npm(live, tmp_path / "npm-after")
    assert not answers(live, "PyPI upstream")
