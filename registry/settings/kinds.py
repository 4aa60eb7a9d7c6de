"""What the value of a setting may look like: each kind turns a text or a TOML value into what we work with.

A kind raises ValueError whose text ends the sentence "host: ...": what is wrong, and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

T = TypeVar("T")
Network = IPv4Network | IPv6Network

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"(\d+)\s*([KMG]iB|B|)", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)


def text(value: object) -> str:
    """A text that isn't empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} isn't a text; write one between quotes.")
    return value.strip()


def path(value: object) -> Path:
    """A path of this machine."""
    return Path(text(value)).expanduser()


def one_of(*choices: str) -> Callable[[object], str]:
    """One of a few words."""

    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} isn't offered; choose {' or '.join(map(repr, choices))}.")
        return str(value)

    return parse


def whole(least: int, most: int) -> Callable[[object], int]:
    """A whole number between two bounds, both included."""

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value.strip(), re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{value!r} doesn't fit; give a whole number from {least} to {most}.")
        return value

    return parse


def seconds(value: object) -> float:
    """A duration between a tenth of a second and a day, in seconds."""
    try:
        duration = float(value) if isinstance(value, (str, int, float)) else -1.0
    except ValueError:
        duration = -1.0
    if not 0.1 <= duration <= 86_400:
        raise ValueError(f"{value!r} doesn't fit; give seconds from 0.1 to 86400.")
    return duration


def size(value: object) -> int:
    """Bytes: a number, or one with KiB, MiB or GiB."""
    match = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None or int(match[1]) == 0:
        raise ValueError(f"{value!r} isn't a size; write one like '64 MiB' or '2 GiB'.")
    return int(match[1]) * _UNITS[match[2].upper()]


def url(value: object) -> SplitResult:
    """An http or https URL with a host; no query, no fragment."""
    try:
        parts = urlsplit(text(value))
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable:
        # The value isn't repeated: it may hold a password.
        raise ValueError("it isn't an http or https URL; write it like 'https://host:port/path/'.")
    if parts.query or parts.fragment:
        raise ValueError("an address has neither '?' nor '#'; leave off what comes after.")
    return parts


def host(value: object) -> str:
    """A host name, perhaps with a port; lower case."""
    name = text(value).lower()
    bare, colon, port = name.rpartition(":") if not name.endswith("]") else (name, "", "")
    if not colon:
        bare = name
    if not _HOST.fullmatch(bare) or (colon and not re.fullmatch(r"\d{1,5}", port, re.ASCII)):
        raise ValueError(f"{value!r} isn't a host; write 'name' or 'name:port', without 'https://'.")
    return name


def file_host(value: object) -> str:
    """A host for files, on https; or an origin, with its scheme: on plain http, or at a private address."""
    if "://" not in text(value):
        return host(value)
    parts = url(value)
    if parts.path.strip("/") or parts.username is not None:
        raise ValueError(
            f"{parts.hostname!r} has more with it than a port; write it like 'http://host:port'."
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def network(value: object) -> Network:
    """An address or a network in CIDR form."""
    try:
        return ip_network(text(value))
    except ValueError:
        raise ValueError(f"{value!r} isn't an address or network; write one like '10.0.0.0/8'.") from None


def several(kind: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """A TOML array, or a text with commas; may be empty."""

    def parse(value: object) -> tuple[T, ...]:
        if isinstance(value, str):
            value = [part for part in value.split(",") if part.strip()]
        if not isinstance(value, list):
            raise ValueError(f"{value!r} isn't a list; write it like ['one', 'two'].")
        return tuple(kind(part) for part in value)

    return parse
