"""Which addresses are never connected to, and what an origin is."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from registry.errors import ConfigurationError
from registry.sources.egress import EgressBlocked, Home, Origin, basic, objection, public_socket, read_url

REFUSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "0.0.0.0": "unspecified",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "carrier-grade NAT",
    "169.254.169.254": "link-local, where clouds keep credentials",
    "192.0.0.192": "where is_global says True",
    "198.18.0.1": "benchmarks",
    "224.0.0.1": "multicast, where is_global says True",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::10.0.0.1": "IPv4-compatible",
    "::ffff:169.254.169.254": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped, even of a public one",
    "64:ff9b::a9fe:a9fe": "NAT64, where is_global says True",
    "64:ff9b:1::a9fe:a9fe": "local NAT64",
    "2002:a9fe:a9fe::": "6to4, where is_global says True",
    "2001:0:0a00:1::1": "Teredo, whose server is private",
    "2001:0:808:808::f5ff:fffe": "Teredo, whose client is private",
    "fd00::1": "unique local",
    "fc00::1": "unique local",
    "fe80::1%eth0": "link-local with a zone",
    "fec0::1": "site-local, outside of what is allocated",
    "ff02::1": "multicast",
    "100::1": "discard",
    "4000::1": "not allocated",
    "localhost": "a name, which is no address",
    "": "nothing",
}

ALLOWED = ("8.8.8.8", "1.1.1.1", "192.0.2.7", "198.51.100.7", "203.0.113.7", "2606:4700::1", "2001:db8::1")
"""The documentation ranges among them: closed networks map public names there."""


@pytest.mark.parametrize(("address", "why"), REFUSED.items())
def test_an_address_that_is_not_public_is_refused(address: str, why: str) -> None:
    assert objection(address), why


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_or_documentation_address_is_allowed(address: str) -> None:
    assert objection(address) is None


@given(st.ip_addresses(v=4))
def test_no_way_of_wrapping_an_ipv4_address_in_an_ipv6_one_is_allowed(address: object) -> None:
    assert objection(f"::ffff:{address}")
    assert objection(f"64:ff9b::{address}")


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=6, network="fc00::/7"))
def test_no_private_address_gets_a_socket(address: object) -> None:
    family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
    with pytest.raises(EgressBlocked):
        public_socket((family, socket.SOCK_STREAM, 0, "", (str(address), 443)))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Host.example/x", Origin("https", "host.example", 443)),
        ("http://host.example:8080/x", Origin("http", "host.example", 8080)),
        ("https://[2001:db8::1]/", Origin("https", "2001:db8::1", 443)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: Origin) -> None:
    assert Origin.of(URL(url)) == origin
    assert Origin.of(URL(str(origin))) == origin


def test_credentials_leave_the_url_and_become_a_header() -> None:
    home = Home.parse("https://me%40team:p%2Fw@mirror.example/simple", named=True)
    assert str(home.url) == "https://mirror.example/simple/"
    assert home.authorization == basic("me@team", "p/w")


def test_a_base_url_keeps_its_path_as_it_is_encoded() -> None:
    home = Home.parse("https://mirror.example/a%2Fb?x=1", named=True)
    assert str(home.join("@acme%2ftool")) == "https://mirror.example/a%2Fb/@acme%2ftool"


@pytest.mark.parametrize("url", ["", "ftp://host/", "host/simple/", "https:///simple", "https://h:x/"])
def test_a_base_url_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Home.parse(url, named=True)


def test_plain_http_must_be_named_by_an_operator() -> None:
    with pytest.raises(ConfigurationError):
        Home.parse("http://mirror.example/simple/", named=False)


@given(st.text(min_size=1))
def test_no_url_can_break_out_of_the_request_line(text: str) -> None:
    try:
        path = read_url(f"https://host.example/{text}").raw_path_qs
    except ValueError:
        return
    assert path.isascii()
    assert not set(path) & set(" \r\n\t\0\\")
