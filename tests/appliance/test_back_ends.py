from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import pytest
import requests

from registry.appliance import back_ends
from registry.appliance.part import Part
from registry.appliance.premises import PRIVATE_FOLDERS, reserved_port


@pytest.fixture
def private(tmp_path: Path) -> Path:
    for name in PRIVATE_FOLDERS:
        (tmp_path / name).mkdir()
    return tmp_path / "private"


def parts(private: Path, python_port: int = 4001, npm_port: int = 4002) -> dict[str, Part]:
    return {
        "pypiserver": back_ends.pypiserver(private, python_port),
        "verdaccio": back_ends.verdaccio(private, npm_port),
    }


def test_credentials_are_new_at_every_start_private_and_match(private: Path) -> None:
    passwords = set()
    for _ in range(2):
        path = back_ends.make_credentials(private, "verdaccio")
        user, _, password = path.read_text().strip().partition(":")
        named, _, hashed = (private / "verdaccio.htpasswd").read_text().strip().partition(":")
        assert user == named == "gateway"
        assert bcrypt.checkpw(password.encode(), hashed.encode())
        assert path.stat().st_mode & 0o777 == (private / "verdaccio.htpasswd").stat().st_mode & 0o777 == 0o600
        passwords.add(password)
    assert len(passwords) == 2


def test_no_secret_is_on_a_command_line_or_in_an_environment(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_PYPI_UPSTREAM", "http://me:hunter2@mirror.lan")
    files = [back_ends.make_credentials(private, name) for name in ("pypiserver", "verdaccio")]
    secrets = ["hunter2", *(path.read_text().strip().partition(":")[2] for path in files)]
    told = [str(part.command) + str(part.environ) for part in parts(private).values()]
    assert [secret for secret in secrets for text in told if secret in text] == []


def test_verdaccios_configuration_asks_nobody_and_has_no_gap_left(private: Path) -> None:
    parts(private)
    config = private / "verdaccio.yaml"
    text = config.read_text()
    assert "${" not in text.replace("${...}", "")
    assert "uplinks: {}" in text
    assert "proxy:" not in text
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.e2e
@pytest.mark.parametrize(("name", "health", "door"), [
    ("pypiserver", "/health", "/simple/"),
    ("verdaccio", "/-/ping", "/some-package"),
])  # fmt: skip
def test_the_real_back_end_lets_the_gateway_in_and_nobody_else(
    name: str, health: str, door: str, private: Path
) -> None:
    user, _, password = back_ends.make_credentials(private, name).read_text().strip().partition(":")
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port())
        part = parts(private, port, port)[name]
        process = stack.enter_context(subprocess.Popen(part.command, env=dict(part.environ), cwd=private))
        stack.callback(process.kill)
        base = f"http://127.0.0.1:{port}"
        while not _answers(base + health):
            assert process.poll() is None
            time.sleep(0.05)
        assert requests.get(base + door, timeout=10).status_code == 401
        assert requests.get(base + door, auth=(user, "wrong"), timeout=10).status_code in {401, 403}
        assert requests.get(base + door, auth=(user, password), timeout=10).status_code in {200, 404}


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False
