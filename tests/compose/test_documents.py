"""What docs/ tells an operator to type is typed here, as it is written there."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.compose.appliance import Appliance
from tests.compose.checkout import Checkout, blocks, commands, dotenv, sections
from tests.compose.conftest import NewAppliance
from tests.compose.engine import ROOT
from tests.e2e.conftest import lived_in
from tests.e2e.house import House, free_port
from tests.e2e.machine import CLIENTS, Machine
from tests.e2e.said import run
from tests.upstream import LyingUpstream, make_tarball, make_wheel

DOCUMENTS = ("install.md", "backup.md", "upgrade.md", "users.md", "monitoring.md", "volumes.md", "tls.md")

NOT_HERE = {
    ("upgrade.md", "Base images"): "asks a container registry",
}
"""Sections with commands that no test can run, and why."""

AT_ONCE = {
    "PIP_RETRIES": "0",
    "UV_HTTP_RETRIES": "0",
    "npm_config_fetch_retries": "0",
    "pnpm_config_fetch_retries": "0",
    "YARN_HTTP_RETRY": "0",
}
"""Who fails does so without trying again."""

NewCheckout = Callable[[], Checkout]


@pytest.fixture
def new_checkout(new_appliance: NewAppliance, tmp_path: Path) -> NewCheckout:
    made: list[Checkout] = []

    def new() -> Checkout:
        made.append(Checkout(tmp_path / f"checkout-{len(made)}", new_appliance()))
        made[-1].settle()
        return made[-1]

    return new


@pytest.fixture
def checkout(new_checkout: NewCheckout) -> Checkout:
    return new_checkout()


def test_every_section_with_commands_is_typed_by_a_test() -> None:
    source = Path(__file__).read_text("utf-8")
    told = {
        (document, heading)
        for document in DOCUMENTS
        for heading, _ in sections(document)
        if commands(document, heading)
    }
    assert [pair for pair in told if f"{pair[0]!r}, {pair[1]!r}".replace("'", '"') not in source] == []
    assert set(NOT_HERE) <= told


def test_install_and_first_steps(checkout: Checkout) -> None:
    first, *rest = commands("install.md", "Install it with Docker")
    checkout.type(first)
    assert (checkout.folder / ".env").read_text() == (ROOT / ".env.example").read_text()
    checkout.settle()
    said = checkout.type(*rest)
    assert "[global]" in said
    password = said.splitlines()[0]
    answer = requests.get(f"{checkout.appliance.url}/api/v1/whoami", auth=("admin", password), timeout=10)
    assert answer.json()["admin"] is True
    before = checkout.appliance.run_in("gateway", "sh", "-c", "cat /var/lib/registry/credentials/gateway/*")
    checkout.type(*commands("install.md", "What runs"))
    assert (
        checkout.appliance.run_in("gateway", "sh", "-c", "cat /var/lib/registry/credentials/gateway/*")
        != before
    )
    assert checkout.appliance.readiness()["ready"] is True


def test_users_tokens_and_monitoring(checkout: Checkout) -> None:
    checkout.appliance.up()
    (checkout.folder / "password-file").write_text("a long enough password\n")
    users = commands("users.md", "Users and tokens")
    first, listed, removed, created, tokens = users
    said = checkout.type(first, listed, created, tokens, removed)
    assert "alice" in said
    assert "rgt_" in said
    said = checkout.type(*commands("monitoring.md", "Monitoring"))
    assert json.JSONDecoder().raw_decode(said)[0]["ready"] is True
    added, token = commands("monitoring.md", "Prometheus")
    password = "echo 'a long enough password' | "
    checkout.type(f"{password}{added} --password-stdin", replaced={"exec gateway": "exec -T gateway"})
    secret = checkout.type(token).strip()
    metrics = checkout.appliance.get("/metrics", Authorization=f"Bearer {secret}")
    assert metrics.status_code == 200
    told = {cell for _, text in sections("monitoring.md") for cell in _series(text)}
    assert told
    assert [name for name in told if name not in metrics.text] == []


def _series(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith("| `registry_"):
            yield line.split("`")[1]


def test_backup_loss_and_restore(checkout: Checkout, upstream: LyingUpstream) -> None:
    appliance = checkout.appliance
    appliance.up()
    alice = appliance.add_user("alice")
    public, own = make_wheel("zyx-backed", "1.0"), make_wheel("zyx-saved", "1.0")
    upstream.add(public)
    assert appliance.file("zyx-backed", public.filename) == public.data
    assert appliance.upload(alice, own) == 200
    machine = Machine(checkout.folder / "machine", appliance.url)
    machine.npm_token(alice.token)
    machine.npm("publish", folder=machine.package("@zyx/saved", "1.0.0")).checked()

    checkout.type(*commands("backup.md", "Back up"))
    appliance.wait_until_healthy()
    late = make_wheel("zyx-late", "1.0")
    assert appliance.upload(alice, late) == 200
    checkout.type("docker compose down --volumes")

    said = checkout.type(*commands("backup.md", "Restore"))
    assert "WRONG" not in said
    assert appliance.file("zyx-saved", own.filename) == own.data
    assert appliance.file("zyx-backed", public.filename) == public.data
    machine.install("npm", "@zyx/saved").checked()
    assert appliance.get("/pypi/simple/zyx-late/").status_code == 404
    assert appliance.upload(alice, late) == 200


def test_upgrade_stop_and_start(checkout: Checkout) -> None:
    appliance = checkout.appliance
    appliance.up()
    own = make_wheel("zyx-upgraded", "1.0")
    assert appliance.upload(appliance.add_user("alice"), own) == 200
    # The images are there; a checkout without a Dockerfile can't build them again.
    said = checkout.type(*commands("upgrade.md", "Upgrade"), leave_out="^git pull|compose build")
    assert "WRONG" not in said
    checkout.type(*commands("upgrade.md", "Stop and start"))
    appliance.wait_until_healthy()
    assert appliance.file("zyx-upgraded", own.filename) == own.data


def test_data_of_scripts_run_moves_to_docker(
    checkout: Checkout, upstream: LyingUpstream, tmp_path: Path
) -> None:
    public, own, tool = (
        make_wheel("zyx-moved", "1.0"),
        make_wheel("zyx-taken", "1.0"),
        make_tarball("zyx-t", "1.0.0"),
    )
    upstream.add(public, tool)
    with lived_in(House(tmp_path / "house", checkout.appliance.settings)) as house:
        alice = house.add_user("alice")
        machine = Machine(tmp_path / "machine", house.url)
        machine.twine("-u", "__token__", "-p", alice.token, *machine.dist(own)).checked()
        machine.install("pip", "zyx-moved").checked()
        machine.npm_token(alice.token)
        machine.npm("publish", folder=machine.package("@zyx/taken", "1.0.0")).checked()
    upstream.python.pop("zyx-moved")

    house.data.rename(checkout.folder / "data")
    checkout.type(*commands("install.md", "From ./scripts/run to Docker"))
    appliance = checkout.appliance
    assert appliance.file("zyx-moved", public.filename) == public.data
    assert appliance.file("zyx-taken", own.filename) == own.data
    assert appliance.upload(alice, make_wheel("zyx-after", "1.0")) == 200
    other = Machine(tmp_path / "other", appliance.url)
    other.install("npm", "@zyx/taken").checked()
    appliance.registry("audit", "verify")


def test_tls_by_an_authority_of_the_lan(checkout: Checkout, upstream: LyingUpstream) -> None:
    upstream.add(make_wheel("zyx-tls", "1.0"), make_tarball("zyx-tls", "1.0.0"))
    appliance = checkout.appliance
    url = f"https://localhost:{appliance.port}"
    recipe = commands("tls.md", "A certificate authority for a LAN")
    checkout.type(*recipe, replaced={"NAME=packages.lan": "NAME=localhost"})
    told = dotenv("tls.md", "TLS")
    assert set(told) == {"COMPOSE_FILE", "REGISTRY_PUBLIC_URL"}
    checkout.settle(**{**told, "REGISTRY_PUBLIC_URL": url})
    checkout.type("docker compose up -d --wait", "docker compose exec gateway registry doctor")

    ca = str(checkout.folder / "tls" / "ca.crt")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{url}/-/live", timeout=10)
    assert requests.get(f"{url}/-/live", timeout=10, verify=ca).status_code == 200
    alice = appliance.add_user("alice")
    trusted = {client: dict(_variables(cell, ca)) for client, cell in _trust().items()}
    for client in ("pip", "uv", "npm", "pnpm", "yarn"):
        wary, trusting = (Machine(checkout.folder / f"{client}-{who}", url) for who in ("wary", "trusting"))
        trusting.environ |= trusted[client]
        wary.environ |= AT_ONCE
        assert not wary.install(client, "zyx-tls").ok
        trusting.install(client, "zyx-tls").checked()
        assert trusting.installed(client, "zyx-tls") is not None
    machine = Machine(checkout.folder / "uploading", url)
    login = ("-u", "__token__", "-p", alice.token, *machine.dist(make_wheel("zyx-uploaded", "1.0")))
    assert not machine.twine(*login).ok
    machine.environ |= trusted["twine"]
    machine.twine(*login).checked()
    _poetry_trusts(machine, appliance, _trust()["poetry"].replace("ca.crt", ca))
    assert requests.get(f"{url}/", timeout=10, verify=ca).text.count(f"{url}/pypi/simple/") > 2

    old = (checkout.folder / "tls" / "ca.crt").read_bytes()
    checkout.type(*recipe, replaced={"NAME=packages.lan": "NAME=localhost"})
    assert old != (checkout.folder / "tls" / "ca.crt").read_bytes()

    def is_renewed() -> bool:
        try:
            return requests.get(f"{url}/-/live", timeout=10, verify=ca).status_code == 200
        except requests.exceptions.SSLError:
            return False

    appliance.wait_until(is_renewed, "showing the new certificate")
    assert "ready" in checkout.type("docker compose exec gateway python -m registry.appliance.readiness")


def _trust() -> dict[str, str]:
    """Client → what tls.md tells to do there."""
    (text,) = (text for name, text in sections("tls.md") if name == "A certificate authority for a LAN")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {client: row[1] for row in rows for client in row[0].removeprefix("| ").split(", ")}


def _variables(cell: str, ca: str) -> Iterator[tuple[str, str]]:
    for name, file in re.findall(r"`([A-Z_]+)=(ca\.crt)`", cell):
        yield name, file.replace("ca.crt", ca)


def _poetry_trusts(machine: Machine, appliance: Appliance, cell: str) -> None:
    """A project with the lines of client-config, and the command that the table has."""
    poetry = str(CLIENTS / "python-tools" / "bin" / "poetry")
    project = machine.folder / "poetry"
    lines = appliance.registry("client-config", "poetry", "--url", machine.url)
    manifest = (
        '[project]\nname = "site"\nversion = "1.0"\nrequires-python = ">=3.11"\ndependencies = ["zyx-tls"]\n'
        "[tool.poetry]\npackage-mode = false\n"
    )
    machine.write("poetry/pyproject.toml", manifest + lines)
    environ = machine.environ | {
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "POETRY_KEYRING_ENABLED": "false",
        "POETRY_CACHE_DIR": str(machine.folder / "cache" / "poetry"),
    }
    assert not run([poetry, "lock"], environ, project).ok
    (told,) = re.findall("`(poetry config .*?)`", cell)
    run([poetry, *told.split()[1:]], environ, project).checked()
    run([poetry, "lock"], environ, project).checked()
    run([poetry, "install", "--no-root"], environ, project).checked()
    assert list(project.glob(".venv/**/zyx_tls-*.dist-info"))


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx isn't installed here")
def test_behind_a_reverse_proxy_on_a_path(checkout: Checkout, upstream: LyingUpstream) -> None:
    """With the lines of install.md, as they are there."""
    upstream.add(make_wheel("zyx-behind", "1.0"), make_tarball("zyx-behind", "1.0.0"))
    appliance, port = checkout.appliance, free_port()
    (text,) = (text for name, text in sections("install.md") if name == "Behind a reverse proxy")
    (location,) = (block for block in blocks(text) if block.startswith("location"))
    told = dotenv("install.md", "Behind a reverse proxy")
    url = f"http://localhost:{port}{urlsplit(told['REGISTRY_PUBLIC_URL']).path}"
    checkout.settle(**told | {"REGISTRY_PUBLIC_URL": url})
    checkout.type("docker compose up -d --wait")
    with nginx(checkout.folder, port, location.replace("127.0.0.1:8080", f"127.0.0.1:{appliance.port}")):
        alice = appliance.add_user("alice")
        machine = Machine(checkout.folder / "machine", url)
        for client in ("pip", "uv", "npm"):
            machine.install(client, "zyx-behind").checked()
            assert machine.installed(client, "zyx-behind") is not None
        own = make_wheel("zyx-through", "1.0")
        machine.twine("-u", "__token__", "-p", alice.token, *machine.dist(own)).checked()
        machine.npm_token(alice.token)
        machine.npm("publish", folder=machine.package("@zyx/through", "1.0.0")).checked()
        machine.install("npm", "@zyx/through").checked()
        page = requests.get(f"{url}/", timeout=10).text
        assert page.count(f"{url}/pypi/simple/") > 2
        refused = requests.get(f"{url}/npm/evil-$", timeout=10)
        assert refused.status_code in {400, 404}


@contextmanager
def nginx(folder: Path, port: int, location: str) -> Iterator[None]:
    """With one location, on loopback."""
    (folder / "nginx").mkdir()
    conf = folder / "nginx" / "nginx.conf"
    conf.write_text(
        f"daemon off; pid {folder}/nginx/pid; error_log {folder}/nginx/error.log;\n"
        "events {}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/nginx/body; proxy_temp_path {folder}/nginx/proxy;\n"
        f"fastcgi_temp_path {folder}/nginx/f; uwsgi_temp_path {folder}/nginx/u; scgi_temp_path {folder}/nginx/s;\n"
        f"server {{ listen 127.0.0.1:{port}; {location} }} }}\n"
    )
    process = subprocess.Popen([shutil.which("nginx") or "nginx", "-c", str(conf), "-p", str(folder)])
    try:
        while True:
            assert process.poll() is None, (folder / "nginx" / "error.log").read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize(
    ("heading", "options"),
    [
        ("NFS", {"type": "nfs", "device": ":/export/packages", "o": "addr=10.0.0.7,nfsvers=4,hard"}),
        ("SMB", {"type": "cifs", "device": "//10.0.0.7/packages", "o": "addr=10.0.0.7,username=registry,password=secret"}),
        ("A folder of this machine", {"type": "none", "device": "/srv/packages", "o": "bind"}),
    ],
)  # fmt: skip
def test_the_lan_volume_can_be_elsewhere(checkout: Checkout, heading: str, options: dict[str, str]) -> None:
    checkout.settle(**dotenv("volumes.md", heading))
    config = json.loads(checkout.type("docker compose config --format json"))
    found = config["volumes"]["lan"]["driver_opts"]
    assert {name: found[name][: len(value)] for name, value in options.items()} == options
    (mount,) = (each for each in config["services"]["gateway"]["volumes"] if each.get("source") == "lan")
    assert mount["target"] == "/var/lib/registry/volume"
    assert mount.get("volume", {}).get("nocopy", False) is (heading != "A folder of this machine")


def test_the_lan_volume_is_made_anew(checkout: Checkout) -> None:
    checkout.appliance.up()
    checkout.type(*commands("volumes.md", "How a volume was made"))
    names = {volume.name for volume in checkout.appliance.engine.volumes.list()}
    assert f"{checkout.appliance.project}_lan" not in names
    assert f"{checkout.appliance.project}_data" in names


@pytest.mark.parametrize(
    "file", ["compose.nfs.yml", "compose.smb.yml", "compose.bind.yml", "compose.proxy.yml", "compose.ca.yml"]
)
def test_an_override_says_what_it_needs(checkout: Checkout, file: str) -> None:
    with pytest.raises(AssertionError, match="set it"):
        checkout.type(f"docker compose --file docker-compose.yml --file {file} config --quiet")


def test_proxy_and_ca_count_for_the_gateway_and_for_building(checkout: Checkout) -> None:
    checkout.settle(
        COMPOSE_FILE="docker-compose.yml:compose.proxy.yml:compose.ca.yml",
        HTTPS_PROXY="http://proxy.lan:3128",
        COMPANY_CA=".env.example",
    )
    services = json.loads(checkout.type("docker compose config --format json"))["services"]
    assert services["gateway"]["environment"]["HTTPS_PROXY"] == "http://proxy.lan:3128"
    assert services["gateway"]["environment"]["REGISTRY_CA_FILE"] == "/run/secrets/ca"
    for service in ("gateway", "verdaccio"):
        assert services[service]["build"]["args"]["HTTPS_PROXY"] == "http://proxy.lan:3128"
        assert services[service]["build"]["secrets"][0]["source"] == "ca"
    assert "HTTPS_PROXY" not in services["pypiserver"].get("environment", {})
