"""The one way out: which addresses a connection may go to, decided when the socket is made.

Names are not judged here, addresses are: whatever a name resolves to at that moment is what counts, so a
name that turns to an internal address later is caught as well. `ipaddress.is_global` alone isn't enough
(True for 192.0.0.192, 64:ff9b::a9fe:a9fe, 2002:a9fe:a9fe::) and too much: closed networks map public names
to documentation ranges, where no internal host lives.
"""

from __future__ import annotations

import base64
import errno
import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import msgspec
from yarl import URL

from registry.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without space and backslash: a URL that can be sent exactly as it was written."""

_REFUSED_V4 = tuple(
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.88.99.0/24", "reserved (6to4 relays)"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
    )
)
_REFUSED_V6 = tuple(
    (ip_network(network), why)
    for network, why in (
        ("::1/128", "loopback"),
        ("::/128", "unspecified"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("2002::/16", "6to4"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_V6 = ip_network("2000::/3")
_TEREDO = ip_network("2001::/32")


def objection(address: str) -> str | None:
    """Why an IP address must not be connected to, in a word or two; None when it may."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an IP address"
    if isinstance(ip, IPv4Address):
        return next((why for network, why in _REFUSED_V4 if ip in network), None)
    return _objection_v6(ip)


def _objection_v6(ip: IPv6Address) -> str | None:
    why = next((why for network, why in _REFUSED_V6 if ip in network), None)
    if why is not None:
        return why
    if ip not in _GLOBAL_V6:
        return "reserved"
    if ip in _TEREDO and ip.teredo is not None:
        return next((f"Teredo, {inner}" for part in ip.teredo if (inner := objection(str(part)))), None)
    return None


def is_literal(host: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class EgressBlocked(OSError):
    """A connection that was not made because of where it would have gone."""

    MARK = "is not connected to"
    """In the text of every one: connecting to several addresses joins their errors into one text."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(errno.EACCES, f"{address} {self.MARK}: it is {why}")


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """The socket for an address as `getaddrinfo` gives it. Raises EgressBlocked for one that isn't public."""
    family, kind, protocol, _, address = info
    why = objection(str(address[0]))
    if why is not None:
        raise EgressBlocked(str(address[0]), why)
    return socket.socket(family, kind, protocol)


class Origin(msgspec.Struct, frozen=True, order=True):
    """Scheme, host and port: what credentials and trust are bound to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: URL) -> Origin:
        """The origin of an absolute URL."""
        return cls(url.scheme.lower(), (url.raw_host or "").lower(), url.port or _PORTS.get(url.scheme, 0))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def read_url(text: str) -> URL:
    """A URL exactly as its author encoded it, where it can be sent so, else quoted. Raises ValueError."""
    return URL(text, encoded=_PLAIN.fullmatch(text) is not None)


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """Where a source lives, and what may be said only there."""

    url: URL
    """With a trailing slash, without credentials."""
    origin: Origin
    named: bool
    """Whether an operator named it: then it may be on plain http and at a private address."""
    authorization: str = ""
    """The Authorization header for this origin; empty for none."""

    @classmethod
    def parse(cls, base_url: str, *, named: bool, setting: str = "the source's URL") -> Home:
        """Take a base URL apart; credentials in it become the Authorization header of its origin.

        Raises ConfigurationError: not an http(s) URL, or plain http that no operator named.
        """
        try:
            url = URL(base_url)
            user, password = url.user, url.password
        except ValueError:
            raise ConfigurationError([f"{setting} isn't a URL; give it as https://host/path/."]) from None
        if url.scheme not in _PORTS or not url.host:
            raise ConfigurationError(
                [f"{setting} isn't an http or https URL; give it as https://host/path/."]
            )
        if url.scheme == "http" and not named:
            raise ConfigurationError([f"{setting} is on plain http; name it in the settings to allow that."])
        bare = url.with_user(None).with_query(None).with_fragment(None)
        if not bare.raw_path.endswith("/"):
            bare = bare.with_path(bare.raw_path + "/", encoded=True)
        authorization = basic(user, password or "") if user else ""
        return cls(url=bare, origin=Origin.of(bare), named=named, authorization=authorization)

    def join(self, path: str) -> URL:
        """The URL of a path below the base, kept as it is encoded."""
        return read_url(f"{self.url}{path}")


def basic(user: str, password: str) -> str:
    """The Authorization header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
