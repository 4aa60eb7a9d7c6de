"""The npm side with every client that there is: a workspace, lock files, audits, signatures, search."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House, User
from tests.e2e.machine import NPM, Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said
from tests.upstream import Answer, make_tarball
from tests.upstream.faults import status

BULK = "/npm/-/npm/v1/security/advisories/bulk"


@dataclass(frozen=True)
class Client:
    """How a client installs a project, anew and from its lock file."""

    run: Callable[[Machine], Callable[..., Said]]
    install: tuple[str, ...]
    frozen: tuple[str, ...]
    lock: str
    portable: bool = True
    """Whether the lock file names no registry."""


CLIENTS = {
    "npm 11": Client(lambda m: m.npm, ("install",), ("ci",), "package-lock.json", portable=False),
    "npm 10": Client(lambda m: m.npm_10, ("install",), ("ci",), "package-lock.json", portable=False),
    "pnpm": Client(lambda m: m.pnpm, ("install",), ("install", "--frozen-lockfile"), "pnpm-lock.yaml"),
    "yarn": Client(lambda m: m.yarn, ("install",), ("install", "--immutable"), "yarn.lock"),
    "yarn classic": Client(
        lambda m: m.yarn_classic,
        ("install", "--non-interactive"),
        ("install", "--frozen-lockfile", "--non-interactive"),
        "yarn.lock",
        portable=False,
    ),
    "bun": Client(
        lambda m: m.bun, ("install",), ("install", "--frozen-lockfile"), "bun.lock", portable=False
    ),
}


def publish_tree(outside: Outside) -> None:
    """Sixty packages, every third in a scope, each with a dependency; two have two versions in one tree."""
    for number in range(60):
        name = tree_name(number)
        dependencies = {tree_name(number + 1): "^1.0.0"} if number < 59 else {}
        outside.publish(make_tarball(name, "1.0.0", dependencies=dependencies))
        if number % 30 == 0:
            outside.publish(make_tarball(name, "2.0.0", dependencies=dependencies))


def tree_name(number: int) -> str:
    return f"@larch/needle-{number}" if number % 3 == 0 else f"larch-{number}"


def workspace(machine: Machine) -> None:
    """An application of two packages, one of which needs the other."""
    machine.manifest(name="site", version="1.0.0", private=True, workspaces=["packages/*"])
    settings = 'packages: ["packages/*"]\nlinkWorkspacePackages: true\n'
    (machine.project / "pnpm-workspace.yaml").write_text(settings, "utf-8")
    for name, dependencies in (
        ("@site/core", {tree_name(0): "^2.0.0"}),
        ("@site/web", {"@site/core": "1.0.0", tree_name(1): "^1.0.0", tree_name(30): "1.0.0"}),
    ):
        folder = machine.project / "packages" / name.rpartition("/")[2]
        folder.mkdir(parents=True)
        manifest: dict[str, Any] = {"name": name, "version": "1.0.0", "dependencies": dependencies}
        (folder / "package.json").write_text(json.dumps(manifest), "utf-8")


def everywhere(machine: Machine, name: str) -> set[str]:
    """The versions of a package that are installed anywhere in the project."""
    return {
        json.loads(path.read_text("utf-8"))["version"]
        for path in machine.project.rglob("package.json")
        if path.parent.as_posix().endswith(f"node_modules/{name}")
    }


@pytest.mark.parametrize("name", CLIENTS)
def test_a_workspace_installs_and_again_from_its_lock_file(
    name: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    client = CLIENTS[name]
    publish_tree(outside)
    first, second = new_machine(), new_machine()
    for machine in (first, second):
        workspace(machine)
    client.run(first)(*client.install).checked()
    lock = (first.project / client.lock).read_text("utf-8")
    if client.portable:
        assert house.url not in lock
    (second.project / client.lock).write_text(lock, "utf-8")
    with outside.cut_off():
        client.run(second)(*client.frozen).checked()
    for machine in (first, second):
        assert "2.0.0" in everywhere(machine, tree_name(0))
        assert all(everywhere(machine, tree_name(number)) for number in range(60))


@pytest.mark.parametrize("name", ["npm 11", "npm 10"])
def test_npms_lock_file_names_no_registry_where_npm_is_told_so(
    name: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    publish_tree(outside)
    client, first, second = CLIENTS[name], new_machine(), new_machine()
    for machine in (first, second):
        workspace(machine)
        machine.npmrc("omit-lockfile-registry-resolved=true")
    client.run(first)(*client.install).checked()
    lock = (first.project / client.lock).read_text("utf-8")
    assert "http://" not in lock
    assert '"integrity": "sha512-' in lock
    (second.project / client.lock).write_text(lock, "utf-8")
    client.run(second)(*client.frozen).checked()
    assert everywhere(second, tree_name(59)) == {"1.0.0"}


@pytest.mark.parametrize("name", CLIENTS)
def test_an_upstream_without_times_stops_no_client(
    name: str, house: House, outside: Outside, machine: Machine
) -> None:
    package = f"timeless-{name.replace(' ', '-')}"
    outside.upstream.times = False
    try:
        outside.publish(make_tarball(package, "1.0.0"), make_tarball(package, "1.1.0"))
        machine.manifest(name="site", version="1.0.0", private=True, dependencies={package: "^1.0.0"})
        client = CLIENTS[name]
        if client.lock == "yarn.lock":
            (machine.project / "yarn.lock").touch()
        client.run(machine)(*client.install).checked()
    finally:
        outside.upstream.times = True
    assert everywhere(machine, package) == {"1.1.0"}


# audit, signatures, search


@pytest.mark.parametrize("version", ["npm", "npm_10"])
def test_an_audit_that_failed_is_said_to_have_failed_and_stops_no_install(
    version: str, house: House, outside: Outside, machine: Machine
) -> None:
    npm = getattr(machine, version)
    outside.publish(make_tarball("unaudited", "1.0.0"))
    machine.environ["npm_config_audit"] = "true"
    outside.upstream.lie(status(500), BULK)
    said = npm("install", "unaudited").checked()
    assert "vulnerabilities" not in said.text
    failed = npm("audit").refused()
    outside.upstream.heal()
    assert "found 0 vulnerabilities" not in failed.text


def test_an_audit_tells_what_upstream_knows_and_never_our_own_names(
    house: House, outside: Outside, alice: User, machine: Machine
) -> None:
    machine.npm_token(alice.token)
    machine.npm("publish", folder=machine.package("@team/audited-ours", "1.0.0")).checked()
    outside.publish(make_tarball("audited", "1.0.0"))
    machine.npm("install", "audited", "@team/audited-ours").checked()
    advisory = {
        "id": "TEST-7", "url": "urn:advisory:TEST-7", "title": "Bends in the wind", "severity": "high",
        "vulnerable_versions": "<2", "cwe": [], "cvss": {"score": 7.0, "vectorString": None},
    }  # fmt: skip
    outside.upstream.lie(saying({"audited": [advisory]}), BULK)
    with outside.listening() as heard:
        said = machine.npm("audit").refused()
    outside.upstream.heal()
    assert "Bends in the wind" in said.text
    assert [json.loads(seen.body) for seen in heard if seen.path == BULK] == [{"audited": ["1.0.0"]}]


# `npm audit signatures` as far as it concerns a registry; the command itself first fetches the roots of a public
# trust service, which a test can't reach.
VERIFY = """
const pacote = require(process.argv[1] + '/node_modules/pacote')
const [registry, spec] = process.argv.slice(2)
fetch(registry + '-/npm/v1/keys').then(answer => answer.json()).then(({ keys }) => {
  const known = keys.map(key => ({
    ...key, pemkey: `-----BEGIN PUBLIC KEY-----\\n${key.key}\\n-----END PUBLIC KEY-----`,
  }))
  const where = registry.replace('http:', '')
  return pacote.manifest(spec, { registry, verifySignatures: true, [`${where}:_keys`]: known })
}).then(manifest => console.log(manifest._integrity, manifest._signatures.length)).catch(error => {
  console.error(error.code, error.message)
  process.exit(1)
})
"""


def test_npm_verifies_the_signatures_of_private_packages(
    house: House, outside: Outside, alice: User, machine: Machine
) -> None:
    machine.npm_token(alice.token)
    machine.npm("publish", folder=machine.package("@team/signed", "1.0.0")).checked()
    said = machine.node("-e", VERIFY, str(NPM), f"{house.url}/npm/", "@team/signed@1.0.0").checked()
    assert said.out.startswith("sha512-")
    unsigned = make_tarball("unsigned", "1.0.0")
    unsigned.dist = {
        "signatures": [{"keyid": house.get("/npm/-/npm/v1/keys").json()["keys"][0]["keyid"], "sig": "AA=="}]
    }
    outside.publish(unsigned)
    refused = machine.node("-e", VERIFY, str(NPM), f"{house.url}/npm/", "unsigned@1.0.0").refused()
    assert "EINTEGRITYSIGNATURE" in refused.text


def test_npm_search_finds_ours_and_asks_nobody(
    house: House, outside: Outside, alice: User, machine: Machine
) -> None:
    machine.npm_token(alice.token)
    package = machine.package("@team/findable-thing", "1.0.0", description="Made here")
    machine.npm("publish", folder=package).checked()
    with outside.listening() as heard:
        said = machine.npm("search", "findable").checked()
    assert "@team/findable-thing" in said.text
    assert heard == []


@pytest.mark.parametrize(
    "arguments",
    [("owner", "ls", "@team/owned"), ("access", "get", "status", "@team/owned"), ("token", "create")],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_what_is_managed_elsewhere_fails_in_words(
    arguments: tuple[str, ...], house: House, alice: User, machine: Machine
) -> None:
    machine.npm_token(alice.token)
    machine.npm("publish", folder=machine.package("@team/owned", "1.0.0"))
    said = machine.npm(*arguments, stdin="x\n")
    assert "undefined" not in said.text
    assert "Something went wrong" not in said.text


def saying(document: object) -> Callable[[Any], Any]:
    body = json.dumps(document).encode()
    return lambda _: Answer(headers=(("Content-Type", "application/json"),), body=body)
