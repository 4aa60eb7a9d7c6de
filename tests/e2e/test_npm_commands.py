"""The commands that a peer's own client tests run, and those beside them, by the clients that have them.

Verdaccio's suite (e2e/cli, of 6.x and later) runs publish, info, install, audit, deprecate, dist-tag, unpublish,
ping, search and star, by npm 6 to 11, pnpm 6 to 10 and yarn 1 to 4, scoped and unscoped. Here each has a test by
the clients of today. One case of it isn't offered: `npm stars`, the list of what somebody has starred.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House, User
from tests.e2e.machine import Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said
from tests.upstream import make_tarball

CLIENTS: dict[str, Callable[[Machine], Callable[..., Said]]] = {
    "npm 11": lambda m: m.npm,
    "npm 10": lambda m: m.npm_10,
    "pnpm": lambda m: m.pnpm,
    "yarn": lambda m: m.yarn,
    "yarn classic": lambda m: m.yarn_classic,
    "bun": lambda m: m.bun,
}
PUBLISH: dict[str, tuple[str, ...]] = {
    "npm 11": ("publish",),
    "npm 10": ("publish",),
    "pnpm": ("publish", "--no-git-checks"),
    "yarn": ("npm", "publish"),
    "yarn classic": ("publish", "--non-interactive", "--new-version"),
    "bun": ("publish",),
}
NPMS = ("npm 11", "npm 10")
NUMBERS = itertools.count()


@pytest.fixture
def publisher(alice: User, machine: Machine) -> Machine:
    machine.npm_token(alice.token)
    return machine


def publish(machine: Machine, client: str, name: str, version: str, *more: str) -> Said:
    """With one of the clients, from the package's own folder."""
    machine.project = machine.package(name, version)
    if client == "yarn":
        machine.yarn("install").checked()
    if client == "bun":  # reads a login from the project's own file only
        (machine.project / ".npmrc").write_text((machine.home / ".npmrc").read_text("utf-8"), "utf-8")
    number = (version,) if client == "yarn classic" else ()
    return CLIENTS[client](machine)(*PUBLISH[client], *number, *more)


WORDS = dict(zip(CLIENTS, ("heron", "walrus", "tulip", "meadow", "granite", "cobalt"), strict=True))
"""One for each client, since names that differ in a digit look alike."""


def fresh(client: str, kind: str = "@team/") -> str:
    """A package name that no test has used."""
    return f"{kind}{WORDS[client]}-{next(NUMBERS)}"


def told(house: House, name: str) -> tuple[set[str], dict[str, str]]:
    """The versions and the tags that we list."""
    document = house.get(f"/npm/{name.replace('/', '%2f')}").json()
    return set(document["versions"]), document["dist-tags"]


@pytest.mark.parametrize("kind", ["@team/", "unscoped-"])
@pytest.mark.parametrize("client", CLIENTS)
def test_publish_and_install_back(
    client: str, kind: str, house: House, publisher: Machine, new_machine: NewMachine
) -> None:
    name = fresh(client, kind)
    publish(publisher, client, name, "1.0.0").checked()
    publish(publisher, client, name, "1.1.0").checked()
    reader = new_machine()
    reader.npm("install", name).checked()
    assert reader.installed("npm", name) == "1.1.0"
    (publisher.project / "index.js").write_text("other\n", "utf-8")
    again = publish_again(publisher, client).refused()
    assert "publish" in again.text.lower()
    assert told(house, name) == ({"1.0.0", "1.1.0"}, {"latest": "1.1.0"})


def publish_again(machine: Machine, client: str) -> Said:
    number = ("1.1.0",) if client == "yarn classic" else ()
    return CLIENTS[client](machine)(*PUBLISH[client], *number)


@pytest.mark.parametrize("client", ["npm 11", "npm 10", "pnpm", "yarn", "bun"])
def test_publish_under_a_tag_leaves_latest_alone(client: str, house: House, publisher: Machine) -> None:
    name = fresh(client)
    publish(publisher, client, name, "1.0.0").checked()
    publish(publisher, client, name, "2.0.0-beta.1", "--tag", "beta").checked()
    assert told(house, name)[1] == {"latest": "1.0.0", "beta": "2.0.0-beta.1"}


INFO: dict[str, tuple[str, ...]] = {
    "npm 11": ("view",), "npm 10": ("info",), "pnpm": ("view",), "yarn": ("npm", "info"),
    "yarn classic": ("info",), "bun": ("pm", "view"),
}  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
def test_info_about_public_and_private_packages_and_about_none(
    client: str, outside: Outside, publisher: Machine
) -> None:
    public, private = fresh(client, "informed-"), fresh(client)
    outside.publish(make_tarball(public, "3.2.1"))
    publish(publisher, client, private, "1.2.3").checked()
    ask = CLIENTS[client](publisher)
    assert "3.2.1" in ask(*INFO[client], public).checked().text
    assert "1.2.3" in ask(*INFO[client], private).checked().text
    said = ask(*INFO[client], "informed-about-nothing")
    assert "1.2.3" not in said.text
    assert "404" in said.text or "not found" in said.text.lower() or "invalid response" in said.text


@pytest.mark.parametrize("client", NPMS)
def test_view_shows_versions_and_tags(client: str, outside: Outside, machine: Machine) -> None:
    name = fresh(client, "@viewed/")
    outside.publish(*(make_tarball(name, version) for version in ("1.0.0", "1.1.0", "2.0.0")))
    npm = CLIENTS[client](machine)
    assert json.loads(npm("view", name, "versions", "--json").checked().out) == ["1.0.0", "1.1.0", "2.0.0"]
    assert json.loads(npm("view", name, "dist-tags", "--json").checked().out) == {"latest": "2.0.0"}
    assert json.loads(npm("view", f"{name}@1", "version", "--json").checked().out) == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize("client", ["npm 11", "npm 10", "pnpm", "yarn classic"])
def test_dist_tags_are_listed_added_and_removed(client: str, house: House, publisher: Machine) -> None:
    name = fresh(client)
    for version in ("1.0.0", "1.1.0"):
        publish(publisher, client, name, version).checked()
    run, verb = CLIENTS[client](publisher), "tag" if client == "yarn classic" else "dist-tag"
    listing = "list" if client == "yarn classic" else "ls"
    run(verb, "add", f"{name}@1.0.0", "steady").checked()
    assert told(house, name)[1] == {"latest": "1.1.0", "steady": "1.0.0"}
    assert "steady: 1.0.0" in run(verb, listing, name).checked().text
    run(verb, "remove" if client == "yarn classic" else "rm", name, "steady").checked()
    assert told(house, name)[1] == {"latest": "1.1.0"}


def test_dist_tags_by_yarn(house: House, publisher: Machine) -> None:
    name = fresh("yarn")
    for version in ("1.0.0", "1.1.0"):
        publish(publisher, "yarn", name, version).checked()
    publisher.yarn("npm", "tag", "add", f"{name}@1.0.0", "steady").checked()
    assert "steady → 1.0.0" in publisher.yarn("npm", "tag", "list", name).checked().text
    publisher.yarn("npm", "tag", "remove", name, "steady").checked()
    assert told(house, name)[1] == {"latest": "1.1.0"}


@pytest.mark.parametrize("client", ["npm 11", "npm 10", "pnpm"])
def test_deprecations_of_one_version_of_all_and_taken_back(
    client: str, house: House, publisher: Machine
) -> None:
    name = fresh(client)
    for version in ("1.0.0", "1.1.0"):
        publish(publisher, client, name, version).checked()
    run = CLIENTS[client](publisher)

    def deprecated() -> dict[str, str]:
        versions = house.get(f"/npm/{name.replace('/', '%2f')}").json()["versions"]
        return {version: manifest.get("deprecated", "") for version, manifest in versions.items()}

    run("deprecate", f"{name}@1.0.0", "old").checked()
    assert deprecated() == {"1.0.0": "old", "1.1.0": ""}
    run("deprecate", name, "all of it").checked()
    assert deprecated() == {"1.0.0": "all of it", "1.1.0": "all of it"}
    publish(publisher, client, name, "1.2.0").checked()
    assert deprecated()["1.2.0"] == "", "a new version took the deprecation over"
    run(*(("undeprecate", name) if client == "pnpm" else ("deprecate", name, ""))).checked()
    assert set(deprecated().values()) == {""}


@pytest.mark.parametrize("kind", ["@team/", "unscoped-"])
@pytest.mark.parametrize("client", ["npm 11", "npm 10", "pnpm"])
def test_unpublish_a_version_then_all_and_nothing_comes_back(
    client: str, kind: str, house: House, publisher: Machine
) -> None:
    name = fresh(client, kind)
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        publish(publisher, client, name, version).checked()
    run = CLIENTS[client](publisher)
    run("unpublish", "--force", f"{name}@1.0.0").checked()
    assert told(house, name)[0] == {"1.1.0", "2.0.0"}
    run("unpublish", "--force", name).checked()
    assert house.get(f"/npm/{name.replace('/', '%2f')}").status_code == 404
    publish_again_under(publisher, client, name, "2.0.0").refused()
    publish(publisher, client, name, "2.1.0").checked()
    assert told(house, name) == ({"2.1.0"}, {"latest": "2.1.0"})


def publish_again_under(machine: Machine, client: str, name: str, version: str) -> Said:
    """From the folder that it was published from before."""
    machine.project = Path(machine.folder / f"{name.replace('/', '-')}-{version}")
    return CLIENTS[client](machine)(*PUBLISH[client])


@pytest.mark.parametrize("client", ["npm 11", "npm 10", "pnpm"])
def test_ping_and_whoami(client: str, publisher: Machine) -> None:
    assert "PONG" in CLIENTS[client](publisher)("ping").checked().text
    assert "alice" in CLIENTS[client](publisher)("whoami").checked().text


@pytest.mark.parametrize("client", ["npm 11", "npm 10", "pnpm"])
def test_search_finds_by_name_and_by_description(client: str, house: House, publisher: Machine) -> None:
    name = fresh(client)
    word = f"zephyr{next(NUMBERS)}"
    publisher.project = publisher.package(name, "1.0.0", description=f"About {word}")
    CLIENTS[client](publisher)(*PUBLISH[client]).checked()

    def found(text: str) -> bool:
        return name in CLIENTS[client](publisher)("search", text).checked().text

    assert found(name)
    house.wait_until(lambda: found(word), "found by its description")


@pytest.mark.parametrize("client", NPMS)
def test_star_and_unstar(client: str, house: House, publisher: Machine) -> None:
    name = fresh(client)
    publish(publisher, client, name, "1.0.0").checked()
    assert name in CLIENTS[client](publisher)("star", name).checked().text
    assert name in CLIENTS[client](publisher)("unstar", name).checked().text
    assert told(house, name) == ({"1.0.0"}, {"latest": "1.0.0"})


AUDITS: dict[str, tuple[str, ...]] = {
    "npm 11": ("audit", "--json"), "npm 10": ("audit", "--json"), "pnpm": ("audit",),
    "yarn": ("npm", "audit"), "bun": ("audit",),
}  # fmt: skip


@pytest.mark.parametrize("client", AUDITS)
def test_audit_of_a_project_with_our_own_packages_and_public_ones(
    client: str, outside: Outside, publisher: Machine, new_machine: NewMachine, alice: User
) -> None:
    private, public = fresh(client), fresh(client, "audited-")
    outside.publish(make_tarball(public, "1.0.0"))
    publish(publisher, client, private, "1.0.0").checked()
    reader = new_machine()
    reader.npm_token(alice.token)
    reader.yarnrc('npmPreapprovedPackages: ["@team/*"]')
    (reader.project / "pnpm-workspace.yaml").write_text("minimumReleaseAge: 0\n", "utf-8")
    reader.manifest(name="site", version="1.0.0", dependencies={private: "1.0.0", public: "1.0.0"})
    if client == "yarn":
        (reader.project / "yarn.lock").touch()
    CLIENTS[client](reader)("install").checked()
    with outside.listening() as heard:
        CLIENTS[client](reader)(*AUDITS[client]).checked()
    bodies = [seen.body.decode("utf-8", "replace") for seen in heard if "security" in seen.path]
    assert bodies
    assert all(public in body and private not in body for body in bodies)


# beside them


def test_tokens_are_listed_made_and_revoked(publisher: Machine, alice: User, new_machine: NewMachine) -> None:
    made = publisher.npm("token", "create", "--json", stdin=f"{alice.password}\n").checked()
    token = json.loads(made.out[made.out.index("{") :])["token"]
    key = token.split("_")[1]
    other = new_machine()
    other.npm_token(token)
    assert other.npm("whoami").checked().out.strip() == "alice"
    assert key[:6] in publisher.npm("token", "list").checked().text
    publisher.npm("token", "revoke", key).checked()
    assert "401" in other.npm("whoami").refused().text


def test_a_profile_has_the_accounts_name(publisher: Machine) -> None:
    assert json.loads(publisher.npm("profile", "get", "--json").checked().out)["name"] == "alice"


@pytest.mark.parametrize(
    "command",
    [
        ("access", "list", "packages"),
        ("access", "get", "status", "@team/anything"),
        ("access", "list", "collaborators", "@team/anything"),
        ("access", "set", "status=public", "@team/anything"),
        ("team", "ls", "@team"),
        ("org", "ls", "team"),
    ],
    ids=" ".join,
)
def test_what_is_managed_elsewhere_says_where(command: tuple[str, ...], publisher: Machine) -> None:
    assert "registry user" in publisher.npm(*command).refused().text


def test_aliases_overrides_peers_and_packages_for_other_platforms(outside: Outside, machine: Machine) -> None:
    here = make_tarball("@odd/for-linux", "1.0.0")
    here.manifest |= {"os": ["linux"]}
    there = make_tarball("@odd/for-darwin", "1.0.0")
    there.manifest |= {"os": ["darwin"]}
    native = make_tarball("odd-native", "1.0.0")
    native.manifest |= {"optionalDependencies": {
        "@odd/for-linux": "1.0.0", "@odd/for-darwin": "1.0.0"
    }}  # fmt: skip
    peer = make_tarball("odd-peer", "1.0.0")
    peer.manifest |= {"peerDependencies": {"odd-base": "^2.0.0"}}
    outside.publish(
        here, there, native, peer, *(make_tarball("odd-base", v) for v in ("1.0.0", "2.0.0", "2.1.0"))
    )
    machine.manifest(
        name="site",
        version="1.0.0",
        dependencies={"odd-native": "1.0.0", "odd-peer": "1.0.0", "other-name": "npm:odd-base@1.0.0"},
        overrides={"odd-peer": {"odd-base": "2.0.0"}},
    )
    machine.npm("install").checked()
    modules = machine.project / "node_modules"

    def version(path: str) -> str | None:
        manifest = modules / path / "package.json"
        return json.loads(manifest.read_text("utf-8"))["version"] if manifest.exists() else None

    assert (version("odd-base"), version("other-name")) == ("2.0.0", "1.0.0")
    assert (version("@odd/for-linux"), version("@odd/for-darwin")) == ("1.0.0", None)
    assert "odd-base" in machine.npm("outdated").text
    machine.npm("ci").checked()


def test_pack_and_exec_fetch_from_here(outside: Outside, machine: Machine) -> None:
    runner = make_tarball("@odd/runner", "1.0.0")
    outside.publish(runner)
    assert "odd-runner-1.0.0.tgz" in machine.npm("pack", "@odd/runner").checked().text
    with outside.listening() as heard:
        assert (machine.project / "odd-runner-1.0.0.tgz").read_bytes() == runner.data
        machine.npm("exec", "--yes", "--package=@odd/runner", "--", "node", "-p", "1 + 1").checked()
    assert not [seen for seen in heard if seen.path.endswith(".tgz")], "it was fetched a second time"


def test_a_lock_file_of_another_host_installs_from_here_where_npm_is_told_so(
    outside: Outside, machine: Machine
) -> None:
    outside.publish(make_tarball("@odd/elsewhere", "1.0.0"))
    machine.manifest(name="site", version="1.0.0", dependencies={"@odd/elsewhere": "1.0.0"})
    machine.npm("install").checked()
    lock = machine.project / "package-lock.json"
    lock.write_text(
        lock.read_text("utf-8").replace(f"{machine.url}/npm/", "https://elsewhere.invalid/"), "utf-8"
    )
    machine.npm("ci", "--replace-registry-host=always").checked()
    assert machine.installed("npm", "@odd/elsewhere") == "1.0.0"
