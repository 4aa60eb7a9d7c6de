"""Which host a request came in by, and the public URL that answers are built on.

A Host header is a claim. Accepted are loopback names, IP literals (they can't be rebound), this machine's own
name, and the configured hosts; anything else is 421. `X-Forwarded-*` counts from trusted proxies only.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from registry.errors import Malformed, Misdirected
from registry.web.heads import Head

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Site:
    """The appliance as its clients address it."""

    def __init__(self, public_url: str | None, hosts: Sequence[str], trusted: Sequence[Network]) -> None:
        """`public_url` without a trailing slash; `hosts` are more names that are ours; `trusted` the
        networks of reverse proxies whose X-Forwarded headers count."""
        self._public = public_url.rstrip("/") if public_url else None
        self.prefix = urlsplit(self._public).path if self._public else ""
        """The path of the public URL: `/registry`, or nothing. Requests come with it, and without it from a
        reverse proxy that strips it."""
        own = {socket.gethostname().lower(), socket.getfqdn().lower()}
        public_host = urlsplit(public_url).hostname if public_url else None
        self._hosts = (
            LOOPBACK_NAMES | own | {h.lower() for h in hosts} | ({public_host} if public_host else set())
        )
        self.trusted = tuple(trusted)
        """The proxies whose word counts, and who bring the connections of many."""
        self._roots: dict[tuple[str, str], str] = {}

    def root(self, request: Head) -> str:
        """The URL of the appliance for this client, no trailing slash: `http://host:8080`.

        Raises Malformed without exactly one Host, and Misdirected for a host that isn't ours.
        """
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1:
            raise Malformed("A request needs exactly one Host header.")
        host, scheme = hosts[0], "https" if request.secure else "http"
        if self._is_trusted(request.remote):
            host = request.headers.get("X-Forwarded-Host", host).split(",")[-1].strip()
            scheme = request.headers.get("X-Forwarded-Proto", scheme).split(",")[-1].strip()
        known = self._roots.get((scheme, host))
        if known is None:
            known = self._accept(scheme, host)
            if len(self._roots) < 256:
                self._roots[(scheme, host)] = known
        return known

    def below(self, raw_path: str) -> str:
        """A request's path below the appliance's root, whether a proxy stripped the prefix or not."""
        return raw_path.removeprefix(self.prefix) if raw_path.startswith(f"{self.prefix}/") else raw_path

    def address(self, request: Head) -> str:
        """The client's address: the peer's, or behind trusted proxies the rightmost one that isn't theirs."""
        peer = request.remote or ""
        if not self._is_trusted(peer):
            return peer
        hops = [
            hop.strip() for value in request.headers.getall("X-Forwarded-For", []) for hop in value.split(",")
        ]
        for hop in reversed(hops):
            if not self._is_trusted(hop):
                return hop if _is_address(hop) else peer
        return peer

    def _accept(self, scheme: str, host: str) -> str:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port
        except ValueError:
            name, port = None, None
        if (
            not name
            or parts.path
            or parts.query
            or parts.username is not None
            or scheme not in {"http", "https"}
        ):
            raise Malformed("The Host header isn't a host and a port.")
        if name not in self._hosts and not _is_address(name):
            raise Misdirected(
                f"The host name '{name}' isn't one of this appliance's; an operator adds it with "
                "REGISTRY_HOSTS or REGISTRY_PUBLIC_URL."
            )
        shown = f"[{name}]" if ":" in name else name
        authority = shown + (f":{port}" if port is not None else "")
        if host.lower() != authority:
            raise Malformed("The Host header has more in it than a host and a port.")
        return self._public if self._public is not None else f"{scheme}://{authority}"

    def _is_trusted(self, address: str | None) -> bool:
        if not self.trusted or not address or not _is_address(address):
            return False
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self.trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
