"""Only the gateway can be reached, and only the gateway has a way out. Tried from inside each container."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from tests.compose.appliance import BACK_ENDS, Appliance
from tests.upstream import LyingUpstream

OUTSIDE = str(urlsplit(PYPI_SIMPLE_ENDPOINT).hostname)
"""A name that a machine with a way out can resolve."""
PORTS = {"pypiserver": 8081, "verdaccio": 4873}

SIGNS = {"pypiserver": "waitress", "verdaccio": "x-powered-by: hidden"}
"""A word in their answers' headers."""

SHOW = """
import http.client
try:
    connection = http.client.HTTPConnection(%r, %r, timeout=2)
    connection.request("GET", "/")
    print(connection.getresponse().headers)
except OSError as error:
    print(error)
"""
KNOCK_PYTHON = """
import json, socket
found = {}
for host, port in json.loads(%r):
    try:
        socket.create_connection((host, port), 3).close()
        found[host] = "open"
    except OSError as error:
        found[host] = type(error).__name__
print(json.dumps(found))
"""
KNOCK_NODE = """
const doors = JSON.parse(%r), found = {};
Promise.all(doors.map(([host, port]) => new Promise(done => {
  const socket = require('net').connect({host, port, timeout: 3000});
  const say = word => { found[host] = word; socket.destroy(); done(); };
  socket.on('connect', () => say('open')).on('error', e => say(e.code)).on('timeout', () => say('timeout'));
}))).then(() => console.log(JSON.stringify(found)));
"""


def knock(appliance: Appliance, service: str, doors: list[tuple[str, int]]) -> dict[str, str]:
    """Which of these hosts a container can connect to."""
    if service == "verdaccio":
        said = appliance.run_in(service, "node", "-e", KNOCK_NODE % json.dumps(doors))
    else:
        said = appliance.python_in(service, KNOCK_PYTHON % json.dumps(doors))
    found: dict[str, str] = json.loads(said)
    return found


def doors_out(appliance: Appliance, upstream: LyingUpstream, engine: Any) -> list[tuple[str, int]]:
    """The upstream by address, this machine on every network of the engine, and addresses that are nobody's."""
    gateways = [
        config["Gateway"]
        for network in engine.networks.list()
        for config in (network.attrs["IPAM"]["Config"] or [])
        if "Gateway" in config
    ]
    return [*((host, upstream.port) for host in gateways), ("198.51.100.1", 443), ("2001:db8::1", 443)]


def test_the_gateway_reaches_the_upstream(appliance: Appliance, upstream: LyingUpstream, engine: Any) -> None:
    found = knock(appliance, "gateway", doors_out(appliance, upstream, engine))
    assert "open" in found.values(), "nothing below proves anything"


@pytest.mark.parametrize("service", BACK_ENDS)
def test_a_back_end_has_no_way_out(
    appliance: Appliance, upstream: LyingUpstream, engine: Any, service: str
) -> None:
    found = knock(appliance, service, [*doors_out(appliance, upstream, engine), ("gateway", 8080)])
    assert found.pop("gateway") == "open"
    assert "open" not in found.values(), found
    routes = appliance.run_in(service, "cat", "/proc/net/route").splitlines()[1:]
    assert [line for line in routes if line.split()[1] == "00000000"] == []


@pytest.mark.parametrize("service", BACK_ENDS)
def test_a_back_end_knows_no_name_but_its_neighbours(appliance: Appliance, service: str) -> None:
    found = knock(appliance, service, [("host.docker.internal", 80), ("example.com", 80), (OUTSIDE, 443)])
    assert set(found.values()) <= {"gaierror", "ENOTFOUND", "EAI_AGAIN"}, found


@pytest.mark.parametrize("service", BACK_ENDS)
def test_a_back_end_publishes_no_port_and_answers_nobody_outside(
    appliance: Appliance, engine: Any, service: str
) -> None:
    settings = appliance.container(service).attrs["NetworkSettings"]
    assert not any(settings["Ports"].values())
    (network,) = settings["Networks"].values()
    by_address, by_name = (SHOW % (host, PORTS[service]) for host in (network["IPAddress"], service))
    # It shows itself to its neighbour. From elsewhere, something else on the way may answer for any address.
    for program in (by_address, by_name):
        assert SIGNS[service] in appliance.python_in("gateway", program).lower()
    here = subprocess.run(
        [sys.executable, "-c", by_address], capture_output=True, check=True, text=True
    ).stdout
    image = appliance.container("gateway").attrs["Config"]["Image"]
    beside = [
        engine.containers.run(
            image, ["python", "-c", program], network=f"{appliance.project}_outside", remove=True
        ).decode()
        for program in (by_address, by_name, SHOW % ("gateway", 8080))
    ]
    assert "server: registry" in beside.pop().lower(), (
        "the gateway is there for everybody, and nothing is proved"
    )
    assert [text for text in (here, *beside) if SIGNS[service] in text.lower()] == []


@pytest.mark.parametrize("service", BACK_ENDS)
def test_a_neighbour_without_the_credential_is_not_let_in(appliance: Appliance, service: str) -> None:
    path = "/simple/" if service == "pypiserver" else "/some-package"
    program = f"""
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen("http://{service}:{PORTS[service]}{path}", timeout=5).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
    assert appliance.python_in("gateway", program).strip() == "401"


def test_one_port_is_published_on_the_address_that_was_set(appliance: Appliance) -> None:
    ports = appliance.container("gateway").attrs["NetworkSettings"]["Ports"]
    assert ports == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(appliance.port)}]}
