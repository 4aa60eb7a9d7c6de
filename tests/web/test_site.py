"""Whose host names are ours, and which URL a client sees."""

from __future__ import annotations

import ipaddress
from unittest import mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from registry.errors import Malformed, Misdirected
from registry.web.site import Site


def request(host: str | None, peer: str = "10.0.0.9", **headers: str) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if host is not None:
        named["Host"] = host
    transport = mock.Mock()
    transport.get_extra_info = lambda key, default=None: (peer, 1) if key == "peername" else default
    return make_mocked_request("GET", "/", headers=named, transport=transport)


@pytest.mark.parametrize(
    ("host", "root"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("192.168.1.5:8080", "http://192.168.1.5:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("packages.lan", "http://packages.lan"),
    ],
)
def test_answers_are_built_on_an_accepted_host(host: str, root: str) -> None:
    assert Site(None, ["packages.lan"], []).root(request(host)) == root


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example:8080", "a b"]
)
def test_a_host_that_is_not_ours_is_misdirected_and_told_the_setting(host: str) -> None:
    with pytest.raises(Misdirected, match="REGISTRY_HOSTS"):
        Site(None, ["packages.lan"], []).root(request(host))


@pytest.mark.parametrize("host", [None, "user@localhost", "localhost/x", "localhost:port", ""])
def test_a_broken_or_missing_host_is_malformed(host: str | None) -> None:
    with pytest.raises(Malformed):
        Site(None, [], []).root(request(host))


def test_two_hosts_are_malformed() -> None:
    twice = request("localhost")
    headers = twice.headers.copy()
    headers.add("Host", "localhost")
    with pytest.raises(Malformed):
        Site(None, [], []).root(twice.clone(headers=headers))


def test_the_public_url_wins_over_the_host() -> None:
    site = Site("https://pkgs.example.lan/registry/", [], [])
    assert site.root(request("127.0.0.1:8080")) == "https://pkgs.example.lan/registry"
    assert site.root(request("pkgs.example.lan")) == "https://pkgs.example.lan/registry"


def test_forwarded_headers_of_a_stranger_count_for_nothing() -> None:
    spoofed = request(
        "localhost:8080",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Proto="https",
        X_Forwarded_For="6.6.6.6",
    )
    site = Site(None, [], [])
    assert site.root(spoofed) == "http://localhost:8080"
    assert site.address(spoofed) == "10.0.0.9"


def test_a_trusted_proxy_says_host_scheme_and_client() -> None:
    site = Site(None, ["packages.lan"], [ipaddress.ip_network("10.0.0.0/8")])
    forwarded = request(
        "gateway:8080".replace("gateway", "localhost"),
        X_Forwarded_Host="packages.lan",
        X_Forwarded_Proto="https",
        X_Forwarded_For="6.6.6.6, 192.168.7.7, 10.0.0.3",
    )
    assert site.root(forwarded) == "https://packages.lan"
    assert site.address(forwarded) == "192.168.7.7"
