"""Publishing: uploaded by every client that uploads, installed back by every client that installs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House, User
from tests.e2e.machine import NPM_CLIENTS, PYTHON_CLIENTS, Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said, run
from tests.upstream import make_sdist, make_tarball, make_wheel

UPLOADERS = ("twine", "uv publish")


def upload(machine: Machine, client: str, user: str, password: str, *files: str) -> Said:
    if client == "twine":
        return machine.twine("-u", user, "-p", password, *files)
    return machine.uv_publish("--username", user, "--password", password, *files)


@pytest.mark.parametrize("client", UPLOADERS)
def test_an_upload_is_installed_back_by_every_client_and_upstream_never_hears_of_it(
    client: str, house: House, outside: Outside, alice: User, new_machine: NewMachine
) -> None:
    name = f"canary-of-{client.partition(' ')[0]}"
    machine = new_machine()
    files = machine.dist(make_sdist(name, "1.0"), make_wheel(name, "1.0"), make_wheel(name, "1.1"))
    upload(machine, client, alice.name, alice.password, *files).checked()
    for installer in PYTHON_CLIENTS:
        machine = new_machine()
        machine.install(installer, name).checked()
        assert machine.installed(installer, name) == "1.1"
    machine.pip(
        "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", f"{name}==1.0"
    ).checked()
    assert outside.heard_of(name) == []
    assert outside.heard_of(name.replace("-", "_")) == []


def test_what_a_real_build_makes_is_uploaded_with_a_token_and_installed(
    house: House, alice: User, machine: Machine
) -> None:
    machine.write(
        "sources/pyproject.toml",
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "Team.Tools_extra"\nversion = "2.0.0"\ndescription = "ours"\n'
        '[tool.setuptools]\npy-modules = ["team_tools"]\n',
    )
    machine.write("sources/team_tools.py", "ANSWER = 42\n")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(machine.folder / "dist")]
    run(build, machine.environ, machine.folder / "sources").checked()
    files = sorted(map(str, (machine.folder / "dist").iterdir()))
    assert len(files) == 2
    machine.twine("-u", "__token__", "-p", alice.token, *files).checked()
    machine.install("pip", "team-tools-extra").checked()
    done = run([str(machine.python), "-c", "import team_tools; print(team_tools.ANSWER)"], {}, Path("/"))
    assert done.out == "42\n"


def test_the_same_file_is_accepted_again_and_other_content_is_refused(
    house: House, alice: User, machine: Machine
) -> None:
    (path,) = machine.dist(make_wheel("ours-twice", "1.0"))
    login = ("-u", alice.name, "-p", alice.password)
    machine.twine(*login, path).checked()
    machine.twine(*login, path).checked()
    machine.dist(make_wheel("ours-twice", "1.0", modules={"other.py": "1\n"}))
    said = machine.twine(*login, path).refused()
    assert "409" in said.text
    assert "File already exists" in said.text
    assert "already exists" in upload(machine, "uv publish", alice.name, alice.password, path).refused().text


@pytest.mark.parametrize("client", UPLOADERS)
@pytest.mark.parametrize(("kind", "status", "reason"), [
    ("a wrong password", "401", "password"),
    ("a made-up token", "401", "token"),
    ("a token that may only read", "403", "This token may only read"),
])  # fmt: skip
def test_an_uploader_prints_what_is_wrong_with_a_login(
    client: str, kind: str, status: str, reason: str, house: House, alice: User, machine: Machine
) -> None:
    user, password = {
        "a wrong password": (alice.name, "wrong"),
        "a made-up token": ("__token__", "rgt_000000000000_" + "a" * 43),
        "a token that may only read": ("__token__", alice.reader),
    }[kind]
    said = upload(
        machine, client, user, password, *machine.dist(make_wheel("never-arrives", "1.0"))
    ).refused()
    assert status in said.text
    assert reason in said.text
    assert house.get("/pypi/simple/never-arrives/").status_code == 404


# npm


def test_npm_logs_in_publishes_and_every_client_installs_it_back(
    house: House, outside: Outside, alice: User, new_machine: NewMachine
) -> None:
    machine = new_machine()
    machine.npm_login(alice.name, alice.password).checked()
    assert machine.npm("whoami").checked().out.strip() == "alice"
    for name in ("canary-of-npm", "@team/canary-in-scope"):
        for version in ("1.0.0", "1.1.0"):
            machine.npm("publish", folder=machine.package(name, version)).checked()
        for client in NPM_CLIENTS:
            reader = new_machine()
            # yarn waits a day before it takes a new version, unless it is told which packages it may take at once
            reader.yarnrc('npmPreapprovedPackages: ["canary-of-npm", "@team/*"]')
            reader.install(client, name).checked()
            assert reader.installed(client, name) == "1.1.0"
    assert outside.heard_of("canary-of-npm") == outside.heard_of("canary-in-scope") == []


def test_npm_tags_deprecates_and_unpublishes(
    house: House, outside: Outside, alice: User, new_machine: NewMachine
) -> None:
    machine = new_machine()
    machine.npm_token(alice.token)
    name = "@team/changing"
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        machine.npm("publish", folder=machine.package(name, version)).checked()
    machine.npm("dist-tag", "add", f"{name}@1.1.0", "steady").checked()
    assert "steady: 1.1.0" in machine.npm("dist-tag", "ls", name).checked().out
    reader = new_machine()
    reader.install("npm", name, "steady").checked()
    assert reader.installed("npm", name) == "1.1.0"
    machine.npm("dist-tag", "rm", name, "steady").checked()
    assert "steady" not in machine.npm("dist-tag", "ls", name).checked().out

    machine.npm("deprecate", f"{name}@1.0.0", "take 1.1").checked()
    assert "take 1.1" in new_machine().install("npm", name, "1.0.0").checked().text

    machine.npm("unpublish", f"{name}@2.0.0").checked()
    assert json.loads(new_machine().npm("view", name, "versions", "--json").out) == ["1.0.0", "1.1.0"]
    assert house.get(f"/npm/{name}/-/changing-2.0.0.tgz").status_code == 404
    reader = new_machine()
    reader.install("npm", name).checked()
    assert reader.installed("npm", name) == "1.1.0"

    machine.npm("unpublish", "--force", name).checked()
    assert "404" in new_machine().install("npm", name).refused().text
    assert outside.heard_of("changing") == []


def test_a_version_of_npm_is_published_once(house: House, alice: User, machine: Machine) -> None:
    machine.npm_token(alice.token)
    folder = machine.package("@team/once", "1.0.0")
    machine.npm("publish", folder=folder).checked()
    (folder / "index.js").write_text("other\n", "utf-8")
    assert "previously published" in machine.npm("publish", folder=folder).refused().text


@pytest.mark.parametrize("client", ["pnpm", "yarn"])
def test_pnpm_and_yarn_publish_too(client: str, house: House, alice: User, new_machine: NewMachine) -> None:
    machine = new_machine()
    machine.npm_token(alice.token)
    name = f"@team/by-{client}"
    machine.project = machine.package(name, "1.0.0")
    if client == "pnpm":
        machine.pnpm("publish", "--no-git-checks").checked()
    else:
        machine.yarn("install").checked()
        machine.yarn("npm", "publish").checked()
    reader = new_machine()
    reader.install("npm", name).checked()
    assert reader.installed("npm", name) == "1.0.0"


@pytest.mark.parametrize(("kind", "status", "reason"), [
    ("no login", "", "ENEEDAUTH"),
    ("a made-up token", "401", "token"),
    ("a token that may only read", "403", "This token may only read"),
])  # fmt: skip
def test_npm_prints_what_is_wrong_with_a_login(
    kind: str, status: str, reason: str, house: House, alice: User, machine: Machine
) -> None:
    if kind != "no login":
        machine.npm_token(alice.reader if "read" in kind else "rgt_000000000000_" + "a" * 43)
    said = machine.npm("publish", folder=machine.package("@team/never-arrives", "1.0.0")).refused()
    assert status in said.text
    assert reason in said.text


def test_npm_login_with_a_wrong_password_says_so(house: House, alice: User, machine: Machine) -> None:
    said = machine.npm_login(alice.name, "wrong").refused()
    assert "401" in said.text
    assert "password" in said.text.replace("Password:", "")


# names that are public


@pytest.mark.parametrize("client", [*UPLOADERS, "npm"])
def test_a_name_known_as_public_is_refused_until_it_is_claimed_and_then_never_asked_upstream(
    client: str, house: House, outside: Outside, alice: User, new_machine: NewMachine
) -> None:
    name = f"osprey-{client.partition(' ')[0]}"
    ecosystem = "npm" if client == "npm" else "pypi"
    installer = "npm" if client == "npm" else "pip"
    outside.publish(make_tarball(name, "9.0.0") if client == "npm" else make_wheel(name, "9.0"))
    new_machine().install(installer, name).checked()
    machine = new_machine()
    machine.npm_token(alice.token)
    folder = machine.package(name, "1.0.0")
    files = machine.dist(make_wheel(name, "1.0"))

    def publish() -> Said:
        if client == "npm":
            return machine.npm("publish", folder=folder)
        return upload(machine, client, alice.name, alice.password, *files)

    said = publish().refused()
    assert "403" in said.text
    assert "public" in said.text
    assert "/why/" in said.text
    house.registry("policy", "claim", ecosystem, name, "--reason", "it was ours before").checked()
    with outside.listening() as heard:
        publish().checked()
        reader = new_machine()
        reader.install(installer, name).checked()
        reader.install(installer, name, "9.0.0" if client == "npm" else "9.0").refused()
    assert [seen.path for seen in heard] == []
    assert reader.installed(installer, name) == ("1.0.0" if client == "npm" else "1.0")
