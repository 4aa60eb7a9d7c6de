"""What is printed for a client is what that client reads."""

from __future__ import annotations

import configparser
import tomllib

import pytest

from registry.web.client_lines import CLIENTS, client_lines, commands, trusted_host

ROOT = "http://packages.lan:8080"
SAFE = "https://packages.lan/tools/registry"


def settled(text: str) -> list[str]:
    """The lines that aren't comments."""
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize(
    ("root", "host"),
    [
        (ROOT, "packages.lan:8080"),
        ("http://10.0.0.5:8080", "10.0.0.5:8080"),
        ("http://packages.lan", "packages.lan"),
        (SAFE, None),
        ("http://localhost:8080", None),
        ("http://127.0.0.1:8080", None),
        ("http://[::1]:8080", None),
    ],
)
def test_pip_is_told_to_trust_plain_http_of_another_machine_only(root: str, host: str | None) -> None:
    assert trusted_host(root) == host
    parser = configparser.RawConfigParser()
    parser.read_string(client_lines("pip", root).text)
    assert parser["global"]["index-url"] == f"{root}/pypi/simple/"
    assert parser["global"].get("trusted-host") == host
    assert any(f" --trusted-host {host} " in command for command in commands(root)) is (host is not None)


@pytest.mark.parametrize("root", [ROOT, SAFE])
def test_uv_and_poetry_get_toml(root: str) -> None:
    uv = tomllib.loads(client_lines("uv", root).text)
    assert uv == {
        "publish-url": f"{root}/pypi/legacy/",
        "index": [{"url": f"{root}/pypi/simple/", "default": True}],
    }
    (source,) = tomllib.loads(client_lines("poetry", root).text)["tool"]["poetry"]["source"]
    assert source == {"name": "registry", "url": f"{root}/pypi/simple/", "priority": "primary"}


def test_npm_and_pnpm_share_their_file() -> None:
    assert client_lines("npm", SAFE) == client_lines("pnpm", SAFE)
    assert settled(client_lines("npm", SAFE).text) == [f"registry={SAFE}/npm/"]
    assert "//packages.lan/tools/registry/npm/:_authToken=${NPM_TOKEN}" in client_lines("npm", SAFE).text


def test_yarn_is_allowed_plain_http_only_where_it_is_plain() -> None:
    assert settled(client_lines("yarn", ROOT).text) == [
        f'npmRegistryServer: "{ROOT}/npm"', "unsafeHttpWhitelist:", '  - "packages.lan"',
    ]  # fmt: skip
    assert settled(client_lines("yarn", SAFE).text) == [f'npmRegistryServer: "{SAFE}/npm"']


@pytest.mark.parametrize("root", [ROOT, SAFE])
def test_builds_and_jobs_get_the_same_variables(root: str) -> None:
    job = dict(line.split("=", 1) for line in settled(client_lines("ci", root).text))
    build = client_lines("docker", root).text
    assert build.startswith("ARG ")
    pairs = build.removeprefix("ARG ").replace("\\\n", "").split()
    assert dict(pair.split("=", 1) for pair in pairs).items() <= job.items()
    assert ("PIP_TRUSTED_HOST" in job) is ("YARN_UNSAFE_HTTP_WHITELIST" in job) is (root == ROOT)


@pytest.mark.parametrize("client", CLIENTS)
def test_no_line_names_another_place_or_holds_a_secret(client: str) -> None:
    lines = client_lines(client, SAFE)
    assert lines.text.endswith("\n")
    assert lines.text.count("://") == lines.text.count(SAFE)
    assert lines.where
