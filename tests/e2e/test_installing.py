"""Reading: what every client installs, cold, warm, with the upstream cut off and after a restart without it."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House
from tests.e2e.machine import NPM_CLIENTS, PYTHON_CLIENTS, Machine
from tests.e2e.outside import Outside
from tests.upstream import make_sdist, make_tarball, make_wheel


def publish_for(outside: Outside, client: str, name: str) -> None:
    """A package with a dependency, in the client's own world."""
    if client in PYTHON_CLIENTS:
        outside.publish(make_wheel(f"{name}-root", "1.0"), make_wheel(f"{name}-root", "1.1"))
        outside.publish(make_wheel(name, "2.0", requires=[f"{name}-root>=1"]))
    else:
        outside.publish(make_tarball(f"{name}-root", "1.0.0"), make_tarball(f"{name}-root", "1.1.0"))
        outside.publish(make_tarball(name, "2.0.0", dependencies={f"{name}-root": "^1.0.0"}))


def version(client: str, short: str) -> str:
    """As the client's world spells it."""
    return short if client in PYTHON_CLIENTS else f"{short}.0"


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_an_install_asks_upstream_once_and_never_again(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"hornbeam-{client}"
    publish_for(outside, client, name)
    with outside.listening() as heard:
        new_machine().install(client, name).checked()
    files = [seen.path for seen in heard if seen.path.endswith((".whl", ".tgz"))]
    assert len(files) == len(set(files)) == 2
    with outside.listening() as heard:
        second = new_machine()
        second.install(client, name).checked()
    assert heard == []
    assert second.installed(client, name) == version(client, "2.0")
    with outside.cut_off():
        third = new_machine()
        third.install(client, name).checked()
    assert third.installed(client, name) == version(client, "2.0")


def test_what_was_installed_before_installs_after_a_restart_without_upstream(
    house: House, outside: Outside, new_machine: NewMachine
) -> None:
    clients = [*PYTHON_CLIENTS, *NPM_CLIENTS]
    for client in clients:
        publish_for(outside, client, f"sorrel-{client}")
        new_machine().install(client, f"sorrel-{client}").checked()
    with outside.cut_off():
        house.restart()
        later = new_machine()
        for client in clients:
            later.install(client, f"sorrel-{client}").checked()
            assert later.installed(client, f"sorrel-{client}-root") == version(client, "1.1")


def test_pip_downloads_an_sdist_and_builds_it(
    house: House, outside: Outside, new_machine: NewMachine
) -> None:
    outside.publish(make_sdist("hawkbit", "3.0"))
    machine = new_machine()
    machine.pip("download", "--no-deps", "--no-build-isolation", "-d", "here", "hawkbit").checked()
    assert [path.name for path in (machine.folder / "here").iterdir()] == ["hawkbit-3.0.tar.gz"]
    for client in PYTHON_CLIENTS:
        machine = new_machine()
        machine.install(client, "hawkbit").checked()
        assert machine.installed(client, "hawkbit") == "3.0"


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_a_wheel_without_a_metadata_file_upstream_installs(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    wheel = make_wheel(f"celandine-{client}", "1.0")
    wheel.metadata = None
    outside.publish(wheel)
    for machine in (new_machine(), new_machine()):
        machine.install(client, wheel.project).checked()
        assert machine.installed(client, wheel.project) == "1.0"


def test_uv_syncs_a_project_and_again_from_its_lock_without_upstream(
    house: House, outside: Outside, new_machine: NewMachine
) -> None:
    publish_for(outside, "uv", "betony")
    project = (
        '[project]\nname = "site"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["betony"]\n'
        f'[[tool.uv.index]]\nurl = "{house.url}/pypi/simple/"\ndefault = true\n'
    )
    first, second = new_machine(), new_machine()
    for machine in (first, second):
        machine.write("uv-project/pyproject.toml", project)
    first.uv("sync", folder=first.folder / "uv-project").checked()
    lock = (first.folder / "uv-project" / "uv.lock").read_text("utf-8")
    assert outside.upstream.origin not in lock
    second.write("uv-project/uv.lock", lock)
    with outside.cut_off():
        second.uv("sync", "--locked", folder=second.folder / "uv-project").checked()
    assert list((second.folder / "uv-project" / ".venv").glob("lib/python*/site-packages/betony_root-1.1*"))


@pytest.mark.parametrize("client", NPM_CLIENTS)
def test_scoped_packages_install(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    name, needed = f"@meadow/speedwell-{client}", f"@meadow/speedwell-{client}-root"
    outside.publish(make_tarball(needed, "1.0.0"), make_tarball(name, "1.0.0", dependencies={needed: "1"}))
    machine = new_machine()
    machine.install(client, name).checked()
    assert (machine.installed(client, name), machine.installed(client, needed)) == ("1.0.0", "1.0.0")


@pytest.mark.parametrize("name", ["bistort", "@meadow/bistort"])
def test_npm_view_shows_a_package(name: str, house: House, outside: Outside, machine: Machine) -> None:
    outside.publish(make_tarball(name, "1.0.0"), make_tarball(name, "1.2.0"))
    assert json.loads(machine.npm("view", name, "versions", "--json").checked().out) == ["1.0.0", "1.2.0"]
    shown = json.loads(machine.npm("view", f"{name}@1.0.0", "--json").checked().out)
    assert shown["dist"]["tarball"] == f"{house.url}/npm/{name}/-/bistort-1.0.0.tgz"
    assert machine.npm("view", name, "dist-tags.latest").checked().out.strip() == "1.2.0"


@pytest.mark.parametrize("client", NPM_CLIENTS)
def test_a_lock_file_installs_without_upstream(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"toadflax-{client}"
    publish_for(outside, client, name)
    lock_name = {"npm": "package-lock.json", "pnpm": "pnpm-lock.yaml", "yarn": "yarn.lock"}[client]
    first, second = new_machine(), new_machine()
    first.install(client, name).checked()
    for each in (lock_name, "package.json"):
        text = (first.project / each).read_text("utf-8")
        assert outside.upstream.origin not in text
        (second.project / each).write_text(text, "utf-8")
    with outside.cut_off():
        match client:
            case "npm":
                second.npm("ci").checked()
            case "pnpm":
                second.pnpm("install", "--frozen-lockfile").checked()
            case "yarn":
                second.yarn("install", "--immutable").checked()
    assert second.installed(client, f"{name}-root") == "1.1.0"


def test_npm_ci_installs_from_a_lock_file_whose_packuments_were_never_asked_for(
    house: House, outside: Outside, machine: Machine
) -> None:
    tarball = make_tarball("@meadow/campion", "1.0.0")
    outside.publish(tarball)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball.data).digest()).decode()
    resolved = f"{house.url}/npm/@meadow/campion/-/campion-1.0.0.tgz"
    needs = {"@meadow/campion": "1.0.0"}
    lock = {
        "name": "site",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {
            "": {"name": "site", "version": "1.0.0", "dependencies": needs},
            "node_modules/@meadow/campion": {
                "version": "1.0.0",
                "resolved": resolved,
                "integrity": integrity,
            },
        },
    }
    machine.manifest(name="site", version="1.0.0", dependencies=needs)
    (machine.project / "package-lock.json").write_text(json.dumps(lock), "utf-8")
    machine.npm("ci").checked()
    assert machine.installed("npm", "@meadow/campion") == "1.0.0"
