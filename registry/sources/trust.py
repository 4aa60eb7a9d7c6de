"""Whom TLS trusts: the system's store and what the operator adds; nothing turns verification off."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from registry.errors import ConfigurationError

BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
"""Environment variables that name a bundle (or a hashed directory) of certificates to trust as well."""


def tls_context(environ: Mapping[str, str], ca_file: Path | None = None) -> ssl.SSLContext:
    """A client context that verifies certificates and host names, TLS 1.2 or later.

    Trusted are the system's store, the bundles that `BUNDLES` name in `environ`, and `ca_file`. OpenSSL
    itself reads SSL_CERT_FILE instead of the store; here it is read beside it. Raises ConfigurationError.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    paths = ssl.get_default_verify_paths()
    for default in (paths.openssl_cafile, paths.openssl_capath):
        if Path(default).exists():
            _trust(context, Path(default))
    problems = []
    named = [(variable, Path(environ[variable])) for variable in BUNDLES if environ.get(variable)]
    if ca_file is not None:
        named.append(("ca_file", ca_file))
    for setting, path in named:
        try:
            _trust(context, path)
        except (OSError, ssl.SSLError):
            problems.append(f"{setting} names no readable PEM certificates; correct it or unset it.")
    if problems:
        raise ConfigurationError(problems)
    return context


def _trust(context: ssl.SSLContext, path: Path) -> None:
    if path.is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)
