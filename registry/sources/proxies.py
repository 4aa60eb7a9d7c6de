"""Which HTTP proxy a request goes through, as HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say.

The proxy is then where we connect to, and the operator named it; what it connects to is its own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from yarl import URL

from registry.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxies by scheme, and the hosts that are asked directly."""

    by_scheme: Mapping[str, URL]
    direct: tuple[str, ...] = ()
    """Entries of NO_PROXY: `*`, a host with all below it, `host:port`, an address, a network."""

    @classmethod
    def none(cls) -> Proxies:
        """Everything directly: for the back ends."""
        return cls({})

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Proxies:
        """As the environment says; lower case beats upper case. Raises ConfigurationError."""
        problems, found = [], {}
        for scheme in ("http", "https"):
            for variable in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"):
                if not (text := environ.get(variable, "").strip()):
                    continue
                try:
                    found[scheme] = _proxy(text)
                except ValueError:
                    problems.append(f"{variable} isn't an HTTP proxy; give it as http://host:port.")
                break
        if problems:
            raise ConfigurationError(problems)
        direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        return cls(found, tuple(entry for part in direct.split(",") if (entry := part.strip().lower())))

    def of(self, url: URL) -> URL | None:
        """The proxy for a URL; None to ask directly. Loopback hosts are always asked directly."""
        proxy = self.by_scheme.get(url.scheme)
        host = (url.raw_host or "").lower().rstrip(".")
        if (
            proxy is None
            or _is_loopback(host)
            or any(_covers(entry, host, url.port) for entry in self.direct)
        ):
            return None
        return proxy


def _proxy(text: str) -> URL:
    url = URL(text if "://" in text else f"http://{text}")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(text)
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        pass
    name, _, wanted = entry.partition(":")
    if wanted and wanted != str(port):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return host == name or host.endswith(f".{name}")
