"""What goes wrong on the wire, in our words: what, why, what to do."""

from __future__ import annotations

import email.utils
import os
from datetime import UTC, datetime

import aiohttp

from registry.errors import SourceFailed

_LONGEST_REST = 3600
"""Seconds of a Retry-After that are believed."""
_DEFAULT_REST = 30
_HINTS = {
    401: ": it wants credentials, or refuses those in its URL; put them there as https://user:password@host/.",
    403: ": it refuses us; check the credentials in its URL and what they may read.",
    407: ": the HTTP proxy wants credentials; put them into HTTPS_PROXY.",
}


class Outage(SourceFailed):
    """A failure of the source itself, which says that the next request would fail too."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again
        """Whether an idempotent request may be tried once more at once."""


def unexpected(name: str, status: int) -> SourceFailed:
    """The error for a status that a source has no business to answer with."""
    return SourceFailed(f"{name} answered {status}{_HINTS.get(status, '.')}")


def in_our_words(name: str, exc: Exception) -> SourceFailed:
    """What went wrong on the wire, and what to do about it. It reaches clients, so it names no address."""
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        reason = getattr(exc.certificate_error, "verify_message", "") or "it can't be verified"
        return Outage(
            f"{name} has a TLS certificate that isn't trusted ({_plain(reason.partition(',')[0])}); if your "
            "own authority signed it, name that in ca_file."
        )
    if isinstance(exc, aiohttp.ClientSSLError):
        reason = getattr(exc.os_error, "reason", None) or "handshake failed"
        return Outage(f"{name} can't be spoken to over TLS ({_plain(str(reason))}).")
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return Outage(f"{name} can't be found: its host name doesn't resolve.")
    if isinstance(exc, aiohttp.ClientProxyConnectionError):
        return Outage(
            f"{name} can't be reached: the HTTP proxy doesn't accept connections; check HTTPS_PROXY."
        )
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return Outage(f"{name} can't be reached: the HTTP proxy answered {exc.status}; check HTTPS_PROXY.")
    if isinstance(exc, aiohttp.ClientConnectorError) and isinstance(exc.os_error, ConnectionResetError):
        return Outage(f"{name} broke the connection while TLS was negotiated.", again=True)
    if isinstance(exc, aiohttp.ClientConnectorError):
        reason = os.strerror(exc.errno) if exc.errno else "no connection"
        return Outage(f"{name} can't be reached ({reason}).")
    if isinstance(exc, aiohttp.ClientResponseError | aiohttp.InvalidURL | ValueError):
        return SourceFailed(f"{name} doesn't speak valid HTTP.")
    return Outage(f"{name} broke the connection before it answered.", again=True)


def _plain(text: str) -> str:
    return "".join(c for c in text if " " <= c <= "~")[:160]


def seconds_of_rest(retry_after: str | None, now: datetime) -> int:
    """A Retry-After (RFC 9110: seconds or a date) as whole seconds from now, within bounds."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            at = email.utils.parsedate_to_datetime(text)
            seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            seconds = _DEFAULT_REST
    return int(min(max(seconds, 1), _LONGEST_REST))
