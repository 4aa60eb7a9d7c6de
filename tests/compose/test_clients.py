"""pip, twine and npm work through the published port, and what they did outlives the containers."""

from __future__ import annotations

import json
import sys

from tests.compose.appliance import SERVICES, Appliance
from tests.e2e.house import User
from tests.e2e.machine import Machine
from tests.e2e.said import run
from tests.upstream import LyingUpstream, make_tarball, make_wheel


def test_every_part_is_healthy_and_ready(appliance: Appliance) -> None:
    assert all(appliance.is_healthy(service) for service in SERVICES)
    assert appliance.readiness()["ready"] is True
    assert appliance.container("credentials").attrs["State"]["ExitCode"] == 0
    assert all(check["ok"] for check in appliance.answer("doctor")["checks"])


def test_pip_installs_a_public_package(
    appliance: Appliance, upstream: LyingUpstream, machine: Machine
) -> None:
    upstream.add(make_wheel("zyx-public", "1.0"))
    assert machine.install("pip", "zyx-public").status == 0
    assert machine.installed("pip", "zyx-public") == "1.0"


def test_twine_publishes_and_pip_installs_it(appliance: Appliance, alice: User, machine: Machine) -> None:
    machine.twine(
        "-u", "__token__", "-p", alice.token, *machine.dist(make_wheel("zyx-private", "2.0"))
    ).checked()
    machine.install("pip", "zyx-private").checked()
    assert machine.installed("pip", "zyx-private") == "2.0"


def test_npm_installs_publishes_and_installs_that(
    appliance: Appliance, alice: User, upstream: LyingUpstream, machine: Machine
) -> None:
    upstream.add(make_tarball("zyx-tool", "1.0.0"))
    machine.install("npm", "zyx-tool").checked()
    assert machine.installed("npm", "zyx-tool") == "1.0.0"
    machine.npm_token(alice.token)
    machine.npm("publish", folder=machine.package("@zyx/ours", "1.2.3")).checked()
    machine.install("npm", "@zyx/ours").checked()
    assert machine.installed("npm", "@zyx/ours") == "1.2.3"


def test_the_printed_lines_are_all_that_pip_and_npm_need(
    appliance: Appliance, upstream: LyingUpstream, machine: Machine
) -> None:
    upstream.add(make_wheel("zyx-lines", "1.0"), make_tarball("zyx-npm-lines", "1.0.0"))
    (machine.home / ".npmrc").write_text("")
    for client, path in (("pip", "pip.conf"), ("npm", "home/.npmrc")):
        machine.write(path, appliance.registry("client-config", client, "--url", appliance.url))
    machine.environ["PIP_CONFIG_FILE"] = str(machine.folder / "pip.conf")
    pip = [sys.executable, "-m", "pip", "--python", str(machine.python)]
    run([*pip, "install", "zyx-lines"], machine.environ, machine.folder).checked()
    machine.install("npm", "zyx-npm-lines").checked()


def test_down_and_up_keep_everything(appliance: Appliance, alice: User, upstream: LyingUpstream) -> None:
    public, private = make_wheel("zyx-kept", "1.0"), make_wheel("zyx-own", "1.0")
    upstream.add(public)
    assert appliance.file("zyx-kept", public.filename) == public.data
    assert appliance.upload(alice, private) == 200
    tool = make_tarball("@zyx/own", "1.0.0")
    assert appliance.publish(alice, tool) == 201
    users = appliance.answer("user", "list")
    credentials = credentials_of(appliance)
    appliance.down()
    upstream.python.pop("zyx-kept")
    appliance.up()
    assert appliance.file("zyx-kept", public.filename) == public.data
    assert appliance.file("zyx-own", private.filename) == private.data
    assert appliance.tarball(tool) == tool.data
    assert appliance.answer("user", "list") == users
    assert credentials_of(appliance) == credentials
    appliance.registry("audit", "verify")


def credentials_of(appliance: Appliance) -> dict[str, str]:
    found = appliance.python_in(
        "gateway",
        "import json, pathlib; print(json.dumps({p.name: p.read_text() for p in "
        "pathlib.Path('/var/lib/registry/credentials/gateway').iterdir()}))",
    )
    files: dict[str, str] = json.loads(found)
    assert len(files) == 2
    return files
