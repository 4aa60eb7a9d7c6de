"""`python -m registry.appliance.readiness`: status 0 when the gateway of this machine and all its parts are
ready, else 1 and a line that says what isn't. A container's health check."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from registry.appliance.reach import own_trust, own_url, readiness
from registry.errors import ConfigurationError
from registry.settings import load_settings


def main() -> int:
    """Ask once."""
    try:
        settings = load_settings(os.environ, Path.cwd())
        certificate = settings.tls_certificate
        missing = readiness(
            own_url(settings.host, settings.port, certificate),
            own_trust(certificate) if certificate is not None else None,
        )
    except ConfigurationError as error:
        missing = " ".join(error.problems)
    print(missing or "ready")
    return 0 if missing is None else 1


if __name__ == "__main__":
    sys.exit(main())
