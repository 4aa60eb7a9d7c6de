"""Reading: what every client installs, cold, warm, with the upstream cut off and after a restart without it."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House
from tests.e2e.machine import NPM_CLIENTS, PYTHON_CLIENTS, Machine
from tests.e2e.outside import Outside
from tests.upstream import make_tarball, make_wheel


def publish_for(outside: Outside, client: str, name: str) -> None:
    """A package with a dependency, in the client's own world."""
    if client in PYTHON_CLIENTS:
        outside.publish(make_wheel(f"{name}-root", "1.0"), make_wheel(f"{name}-root", "1.1"))
        outside.publish(make_wheel(name, "2.0", requires=[f"{name}-root>=1"]))
    else:
        outside.publish(make_tarball(f"{name}-root", "1.0.0"), make_tarball(f"{name}-root", "1.1.0"))
        outside.publish(make_tarball(name, "2.0.0", dependencies={f"{name}-root": "^1.0.0"}))


def version(client: str, short: str) -> str:
    """As the client's world spells it."""
    return short if client in PYTHON_CLIENTS else f"{short}.0"


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_an_install_asks_upstream_once_and_never_again(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"hornbeam-{client}"
    publish_for(outside, client, name)
    with outside.listening() as heard:
        new_machine().install(client, name).checked()
    files = [seen.path for seen in heard if seen.path.endswith((".whl", ".tgz"))]
    assert len(files) == len(set(files)) == 2
    with outside.listening() as heard:
        second = new_machine()
        second.install(client, name).checked()
    assert heard == []
    assert second.installed(client, name) == version(client, "2.0")
    with outside.cut_off():
        third = new_machine()
        third.install(client, name).checked()
    assert third.installed(client, name) == version(client, "2.0")
