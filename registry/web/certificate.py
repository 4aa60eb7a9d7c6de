"""The certificate that the gateway shows where it speaks TLS itself."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from registry.errors import ConfigurationError

journal = logging.getLogger("registry.web")


class Certificate:
    """A chain and its key in PEM files, loaded again when they are renewed."""

    def __init__(self, chain: Path, key: Path | None) -> None:
        """`key` is None where the chain's file holds it too. Raises ConfigurationError for unusable files."""
        self._chain = chain
        self._key = key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2  # some builds' default is whatever they can
        self.context.set_alpn_protocols(["http/1.1"])
        try:
            self._load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError([f"tls_certificate: {self._problem(error)}"]) from error

    async def reload(self) -> None:
        """Show what the files hold now to every new connection; the old one while they can't be used."""
        try:
            self._load()
        except (OSError, ssl.SSLError) as error:
            journal.warning("the new certificate isn't used: %s", self._problem(error))
        else:
            journal.info("the certificate was loaded again")

    def _load(self) -> None:
        self.context.load_cert_chain(self._chain, self._key, _no_password)

    def _problem(self, error: Exception) -> str:
        files = " and ".join(str(path) for path in (self._chain, self._key) if path is not None)
        return (
            f"{files} can't be used ({error}); name PEM files that belong together, the key without a "
            "password and readable for the account that runs the gateway."
        )


def _no_password() -> str:
    """Instead of a question on a terminal that nobody looks at."""
    return ""
