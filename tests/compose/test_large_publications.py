"""Files as large as is allowed are published in little memory; larger ones are told so. Nothing dies of either."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import pytest
import requests

from tests.compose.appliance import SERVICES, Appliance
from tests.compose.conftest import NewAppliance
from tests.compose.padding import large_wheel
from tests.e2e.house import User
from tests.e2e.machine import Machine

LIMIT = 100
MIB = 1 << 20
LITTLE = {"GATEWAY_MEMORY": "320m", "PYPISERVER_MEMORY": "128m", "VERDACCIO_MEMORY": "256m"}
"""Less than half of what a part needs that holds npm's document of such a file."""


@pytest.fixture(scope="module")
def appliance(new_appliance: NewAppliance) -> Appliance:
    made = new_appliance(REGISTRY_UPLOAD_LIMIT=f"{LIMIT} MiB", **LITTLE)
    made.up()
    return made


def noise(folder: Path, size: int) -> None:
    """A file that doesn't compress."""
    with (folder / "noise.bin").open("wb") as file:
        for _ in range(size):
            file.write(secrets.token_bytes(MIB))


def nobody_died(appliance: Appliance) -> bool:
    states = [appliance.container(service).attrs for service in SERVICES]
    return all(each["RestartCount"] == 0 and each["State"]["OOMKilled"] is False for each in states)


def test_npm_publishes_what_is_just_within_the_limit_and_not_what_is_beyond(
    appliance: Appliance, alice: User, machine: Machine
) -> None:
    machine.npm_token(alice.token)
    folder = machine.package("@zyx/heavy", "1.0.0")
    noise(folder, LIMIT - 1)
    machine.npm("publish", folder=folder).checked()
    dist = appliance.get("/npm/@zyx%2fheavy").json()["versions"]["1.0.0"]["dist"]
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    got = requests.get(f"{appliance.url}/npm/@zyx/heavy/-/heavy-1.0.0.tgz", stream=True, timeout=60)
    for chunk in got.iter_content(MIB):
        digest.update(chunk)
        size += len(chunk)
    assert digest.hexdigest() == dist["shasum"]
    assert (LIMIT - 1) * MIB < size < LIMIT * MIB
    assert nobody_died(appliance)

    folder = machine.package("@zyx/heavier", "1.0.0")
    noise(folder, LIMIT + 20)
    said = machine.npm("publish", folder=folder)
    assert said.status != 0
    assert "upload_limit" in said.text
    assert nobody_died(appliance)


def test_twine_publishes_what_is_just_within_the_limit_and_not_what_is_beyond(
    appliance: Appliance, alice: User, machine: Machine
) -> None:
    login = ("-u", "__token__", "-p", alice.token)
    fitting = large_wheel("zyx-heavy", "1.0", (LIMIT - 1) * MIB)
    machine.twine(*login, *machine.dist(fitting)).checked()
    assert appliance.file("zyx-heavy", fitting.filename) == fitting.data
    said = machine.twine(*login, *machine.dist(large_wheel("zyx-heavy", "2.0", (LIMIT + 1) * MIB)))
    assert said.status != 0
    assert "upload_limit" in said.text
    assert nobody_died(appliance)
