"""Too young: every client takes the newest version that is old enough, and a pinned one says why it is held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House
from tests.e2e.machine import NPM_CLIENTS, PYTHON_CLIENTS
from tests.e2e.outside import Outside
from tests.upstream import make_tarball, make_wheel

GUARDED = '[pypi]\nmode = "guarded"\n[npm]\nmode = "guarded"\n'


@pytest.fixture(scope="module", autouse=True)
def packages(house: House, outside: Outside) -> None:
    """Each with a version of 2020, and one of an hour ago."""
    house.set_policy(GUARDED)
    young = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    wheel, tarball = make_wheel("meadowsweet", "2.0"), make_tarball("meadowsweet", "2.0.0")
    wheel.published = tarball.published = young
    outside.publish(make_wheel("meadowsweet", "1.0"), make_tarball("meadowsweet", "1.0.0"), wheel, tarball)


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_the_newest_version_that_is_old_enough_is_installed(client: str, new_machine: NewMachine) -> None:
    machine = new_machine()
    machine.install(client, "meadowsweet").checked()
    assert machine.installed(client, "meadowsweet") == ("1.0" if client in PYTHON_CLIENTS else "1.0.0")


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_a_pinned_version_that_is_too_young_is_refused(
    client: str, house: House, new_machine: NewMachine
) -> None:
    version = "2.0" if client in PYTHON_CLIENTS else "2.0.0"
    said = new_machine().install(client, "meadowsweet", version).refused()
    if client in {"pnpm", "yarn"}:
        # They look for the version in the packument, which leaves it out; npm alone reads why.
        assert "meadowsweet" in said.text
    else:
        assert "held until it is 3 days old" in " ".join(said.text.split())
        assert f"{house.url}/why/" in said.text.replace(" ", "")
