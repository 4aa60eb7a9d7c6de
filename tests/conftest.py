"""What holds for every test: sockets are off, except loopback where a test's folder needs a server.

`live` tests alone may leave the machine; a test elsewhere that starts its own server says so with
`@pytest.mark.loopback`. `--long` runs the whole of the sweeps that are otherwise sampled.
"""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parent
WITH_SERVERS = frozenset(
    {"appliance", "chaos", "compose", "e2e", "guarantees", "protocols", "sources", "web"}
)
"""Folders whose tests talk to servers that they started."""

LOOPBACK = ["127.0.0.1", "::1"]

hypothesis.settings.register_profile("short", max_examples=40, deadline=None)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the whole of the sweeps, not a sample")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("long" if config.getoption("--long") else "short")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in {"e2e", "compose"}:
            item.add_marker(folder)
        if folder == "compose":
            item.add_marker(
                pytest.mark.timeout(900)
            )  # the first one may have to make an engine and the images
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(900))
        if item.get_closest_marker("live"):
            item.add_marker("enable_socket")
        elif folder in WITH_SERVERS or item.get_closest_marker("loopback"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="a whole sweep: scripts/test --long"))
