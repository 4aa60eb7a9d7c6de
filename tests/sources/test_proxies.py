"""HTTPS_PROXY, HTTP_PROXY and NO_PROXY mean what they mean elsewhere."""

from __future__ import annotations

import pytest
from yarl import URL

from registry.errors import ConfigurationError
from registry.sources.proxies import Proxies

PROXY = "http://proxy.lan:3128"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_https_goes_through_the_proxy_that_is_named_for_it(variable: str) -> None:
    assert Proxies.read({variable: PROXY}).of(URL("https://host.example/")) == URL(PROXY)


def test_a_proxy_of_one_scheme_is_not_used_for_the_other() -> None:
    assert Proxies.read({"HTTP_PROXY": PROXY}).of(URL("https://host.example/")) is None


def test_lower_case_beats_upper_case() -> None:
    environ = {"HTTPS_PROXY": "http://other.lan:1", "https_proxy": "proxy.lan:3128"}
    assert Proxies.read(environ).of(URL("https://host.example/")) == URL(PROXY)


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("*", "https://host.example/"),
        ("example", "https://host.example/"),
        (".host.example", "https://host.example/"),
        ("*.example", "https://host.example/"),
        ("HOST.example", "https://host.example/"),
        ("host.example:8443", "https://host.example:8443/"),
        ("10.0.0.0/8", "https://10.1.2.3/"),
        ("2001:db8::1", "https://[2001:db8::1]/"),
    ],
)
def test_no_proxy_exempts(entry: str, url: str) -> None:
    assert Proxies.read({"HTTPS_PROXY": PROXY, "NO_PROXY": f"other.lan, {entry}"}).of(URL(url)) is None


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("ost.example", "https://host.example/"),
        ("host.example:8443", "https://host.example/"),
        ("10.0.0.0/8", "https://11.1.2.3/"),
        ("", "https://host.example/"),
    ],
)
def test_no_proxy_exempts_nothing_else(entry: str, url: str) -> None:
    assert Proxies.read({"HTTPS_PROXY": PROXY, "NO_PROXY": entry}).of(URL(url)) == URL(PROXY)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_loopback_is_never_asked_through_a_proxy(host: str) -> None:
    assert Proxies.read({"HTTP_PROXY": PROXY}).of(URL(f"http://{host}:8080/")) is None


def test_all_wrong_proxies_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Proxies.read({"HTTPS_PROXY": "socks5://proxy:1", "HTTP_PROXY": "http://"})
    assert len(caught.value.problems) == 2
