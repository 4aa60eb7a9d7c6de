"""How programs on the gateway's own machine reach it: on loopback, and with TLS by the very certificate that
it shows, since no authority signs one for 127.0.0.1."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from registry.errors import ConfigurationError

PATIENCE = 5.0
"""Seconds for an answer about readiness."""


def own_url(host: str, port: int, certificate: Path | None) -> str:
    """Where a gateway that listens on `host` and `port` is reached from here; no slash at its end."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    scheme = "http" if certificate is None else "https"
    return f"{scheme}://{f'[{reached}]' if ':' in reached else reached}:{port}"


def own_trust(certificate: Path) -> ssl.SSLContext:
    """Trust in that certificate alone, whatever name it is for. Raises ConfigurationError."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False  # it is known by its bytes, not by a name
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        trust.load_verify_locations(certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            [f"tls_certificate: {certificate} can't be used ({error}); name a PEM file with the certificate."]
        ) from error
    return trust


def readiness(url: str, trust: ssl.SSLContext | None) -> str | None:
    """Ask the gateway. None when everything is ready, else what isn't."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPConnection(host, port, timeout=PATIENCE)
        if trust is None
        else http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=trust)
    )
    try:
        connection.request("GET", "/-/ready")
        answer = connection.getresponse()
        text = answer.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return "the gateway doesn't answer yet"
    finally:
        connection.close()
    return None if answer.status == 200 else " ".join(text.split())
