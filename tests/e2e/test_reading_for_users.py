"""REGISTRY_READ=users: nobody installs without a login, and everybody with one does."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House, User
from tests.e2e.machine import NPM_CLIENTS, PYTHON_CLIENTS
from tests.e2e.outside import Outside
from tests.upstream import make_tarball, make_wheel


@pytest.fixture(scope="module")
def settings() -> Mapping[str, str]:
    return {"REGISTRY_READ": "users"}


@pytest.fixture(scope="module", autouse=True)
def public(outside: Outside) -> None:
    outside.publish(make_wheel("milkwort", "1.0.0"), make_tarball("milkwort", "1.0.0"))


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_without_a_login_nothing_installs(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    # pip asks for a name and a password where it may, and says no more than "none" where it may not.
    reason = {"pip": "from versions: none", "pip-23": "from versions: none", "yarn": "Invalid authentication"}
    said = new_machine().install(client, "milkwort").refused()
    assert reason.get(client, "401") in said.text
    assert house.get("/pypi/simple/milkwort/").status_code == house.get("/npm/milkwort").status_code == 401
    assert outside.heard_of("milkwort") == []


@pytest.mark.parametrize("secret", ["password", "token", "reader"])
@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_python_clients_install_with_a_login_in_the_url(
    client: str, secret: str, house: House, alice: User, new_machine: NewMachine
) -> None:
    user = alice.name if secret == "password" else "__token__"
    login = f"{user}:{getattr(alice, secret).replace(' ', '%20')}@"
    machine = new_machine()
    machine.url = house.url.replace("//", f"//{login}")
    machine.install(client, "milkwort").checked()
    assert machine.installed(client, "milkwort") == "1.0.0"


@pytest.mark.parametrize("client", NPM_CLIENTS)
def test_npm_clients_install_with_a_token_that_may_only_read(
    client: str, house: House, alice: User, new_machine: NewMachine
) -> None:
    machine = new_machine()
    machine.npm_token(alice.reader)
    if client == "yarn":
        machine.yarnrc("npmAlwaysAuth: true")
    machine.install(client, "milkwort").checked()
    assert machine.installed(client, "milkwort") == "1.0.0"


def test_start_page_and_health_need_no_login(house: House) -> None:
    assert [house.get(path).status_code for path in ("/", "/-/live", "/-/ready")] == [200, 200, 200]
