"""pip's --uploaded-prior-to and uv's --exclude-newer, before public and private projects (P15)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import User
from tests.e2e.machine import Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said
from tests.upstream import make_wheel

CLIENTS = ("pip", "uv")


def install(machine: Machine, client: str, name: str, before: str) -> Said:
    if client == "pip":
        return machine.pip("install", "--uploaded-prior-to", before, name)
    return machine.uv("pip", "install", "--default-index", machine.index, "--exclude-newer", before, name)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("shape", ["json", "bare-json", "html"])
def test_a_public_project_is_installed_as_it_was_at_a_date(
    client: str, shape: str, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"speedwell-{client}-{shape}"
    later = make_wheel(name, "2.0")
    later.published = "2023-01-01T00:00:00Z"
    outside.publish(make_wheel(name, "1.0"), later)
    outside.upstream.shape, outside.upstream.legacy = shape, True  # type: ignore[assignment]
    try:
        for before, version in (("2022-01-01T00:00:00Z", "1.0"), ("2024-01-01T00:00:00Z", "2.0")):
            machine = new_machine()
            install(machine, client, name, before).checked()
            assert machine.installed("pip", name) == version
        install(new_machine(), client, name, "2019-01-01T00:00:00Z").refused()
    finally:
        outside.upstream.shape = "json"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_private_project_has_upload_times_too(client: str, alice: User, new_machine: NewMachine) -> None:
    name = f"canary-of-dates-{client}"
    machine = new_machine()
    machine.twine("-u", alice.name, "-p", alice.password, *machine.dist(make_wheel(name, "1.0"))).checked()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    install(machine, client, name, tomorrow).checked()
    assert machine.installed("pip", name) == "1.0"
    install(new_machine(), client, name, "2020-01-01T00:00:00Z").refused()
