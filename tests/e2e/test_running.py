"""The life of the appliance: its policy file, parts that are killed, second starts, an orderly end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import NewMachine, lived_in
from tests.e2e.house import ROOT, House, User, kill, survivors
from tests.e2e.outside import Outside
from tests.e2e.said import run
from tests.upstream import make_tarball, make_wheel


@pytest.fixture
def shipped(house: House) -> Iterator[str]:
    """The policy file's text, which the test may change."""
    text = house.policy.read_text("utf-8")
    yield text
    if house.policy.read_text("utf-8") != text:
        house.set_policy(text)


def test_the_policy_file_takes_effect_while_it_runs_and_a_broken_one_changes_nothing(
    shipped: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    outside.publish(make_wheel("figwort", "1.0"), make_tarball("figwort", "1.0.0"))
    new_machine().install("pip", "figwort").checked()
    denies = shipped.replace("deny = []", 'deny = [{ name = "figwort", reason = "not today" }]')
    house.set_policy(denies)
    for client in ("pip", "npm"):
        assert "not today" in new_machine().install(client, "figwort").refused().text

    house.set_policy(denies.replace('mode = "guarded"', 'mode = "gaurded"', 1))
    status = house.registry("policy", "status")
    assert status.status == 1
    assert "gaurded" in status.text
    assert "not today" in new_machine().install("pip", "figwort").refused().text

    house.set_policy(shipped)
    house.registry("policy", "status").checked()
    new_machine().install("pip", "figwort").checked()


@pytest.mark.parametrize(("part", "words"), [
    ("gateway", ("-m registry serve",)),
    ("pypiserver", ("pypiserver", "run")),
    ("verdaccio", ("verdaccio",)),
])  # fmt: skip
def test_a_killed_part_is_named_restarted_and_works_again(
    part: str, words: tuple[str, ...], house: House, outside: Outside, alice: User, new_machine: NewMachine
) -> None:
    name = f"survivor-of-{part}"
    machine = new_machine()
    machine.npm_token(alice.token)
    login = ("-u", alice.name, "-p", alice.password)
    machine.twine(*login, *machine.dist(make_wheel(name, "1.0"))).checked()
    machine.npm("publish", folder=machine.package(f"@team/{name}", "1.0.0")).checked()
    before = house.terminal.read_text("utf-8")
    pid = house.child(*words)
    kill(pid)

    if part != "gateway":  # while that is gone, requests wait at its door
        house.wait_until(lambda: house.readiness()["parts"][part]["ready"] is False, f"missed {part}")
    house.wait_until(house.is_ready, "ready again")
    assert house.child(*words) != pid
    assert f"{part} was killed by SIGKILL" in house.terminal.read_text("utf-8").removeprefix(before)
    for client in ("pip", "npm"):
        new_machine().install(client, name if client == "pip" else f"@team/{name}").checked()
    machine.twine(*login, *machine.dist(make_wheel(name, "1.1"))).checked()
    machine.npm("publish", folder=machine.package(f"@team/{name}", "1.1.0")).checked()


def test_a_second_start_on_the_same_data_is_refused_and_names_the_first(house: House) -> None:
    assert house.process is not None
    second = run([sys.executable, "-m", "registry.appliance"], house.environ, ROOT).refused()
    assert second.status == 2
    assert f"process {house.process.pid} on 127.0.0.1:{house.port}" in second.text
    assert house.is_ready()


def test_a_port_in_use_and_mistakes_in_both_files_are_told_at_once(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other", house.upstreams, {"REGISTRY_READ": "everyone"})
    other.policy.write_text('[pypi]\nmode = "strict"\n', "utf-8")
    said = run([sys.executable, "-m", "registry.appliance"], other.environ, ROOT).refused()
    assert "REGISTRY_READ" in said.text
    assert "strict" in said.text
    third = House(tmp_path / "third", house.upstreams, port=house.port)
    said = run([sys.executable, "-m", "registry.appliance"], third.environ, ROOT).refused()
    assert f"port {house.port} on 127.0.0.1 is in use" in said.text


def test_the_first_start_makes_an_admin_whose_password_is_for_the_owner_alone(house: House) -> None:
    password = house.data / "keys" / "admin-password"
    assert password.stat().st_mode & 0o777 == 0o600
    secret = password.read_text("utf-8").strip()
    assert secret not in house.terminal.read_text("utf-8")
    assert requests.get(f"{house.url}/metrics", auth=("admin", secret), timeout=30).status_code == 200
    assert requests.get(f"{house.url}/metrics", auth=("admin", "guessed"), timeout=30).status_code == 401


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_whatever_ends_it(
    number: signal.Signals, outside: Outside, tmp_path: Path
) -> None:
    with lived_in(House(tmp_path / "short-lived", outside.settings)) as house:
        if number is not signal.SIGKILL:
            house.stop(number)
            return
        assert house.process is not None
        family = house.family()
        house.process.kill()
        house.process.wait()
        house.process = None
        house.wait_until(lambda: not survivors(family), "rid of its parts")


def test_scripts_run_starts_it_from_the_checkout_as_the_readme_says(outside: Outside, tmp_path: Path) -> None:
    house = House(tmp_path / "by-script", outside.settings)
    with lived_in(house, "./scripts/run"):
        greeting = house.terminal.read_text("utf-8")
        assert f"The registry is ready: {house.url}/" in greeting
        assert f"pip install --index-url {house.url}/pypi/simple/" in greeting
        assert str(house.data) in greeting
        house.stop(signal.SIGINT)
