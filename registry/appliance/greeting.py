"""What a person reads when everything runs: the lines to copy, and where things are."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit


def base_url(host: str, port: int, public_url: str | None, is_tls: bool = False) -> str:
    """The URL that clients use, as far as we know it; no slash at its end."""
    if public_url is not None:
        return public_url
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return f"http{'s' if is_tls else ''}://{f'[{name}]' if ':' in name else name}:{port}"


def greeting(base: str, data: Path, admin_password: Path, password: str | None) -> str:
    """The text. `password` is told where the first run made it and a person looks."""
    trust = "" if _is_trusted_by_pip(base) else f" --trusted-host {urlsplit(base).hostname}"
    admin = [f"  admin     user 'admin', password in {admin_password}"] if admin_password.exists() else []
    told = [f"            made just now: {password}"] if password is not None else []
    return "\n".join(
        [
            "",
            f"The registry is ready: {base}/",
            "",
            f"  pip install --index-url {base}/pypi/simple/{trust} PACKAGE",
            f"  uv pip install --index-url {base}/pypi/simple/ PACKAGE",
            f"  twine upload --repository-url {base}/pypi/legacy/ dist/*",
            f"  npm install --registry {base}/npm/ PACKAGE",
            f"  npm publish --registry {base}/npm/",
            "",
            f"  data      {data}",
            *admin,
            *told,
            "  stop      Ctrl-C",
            "",
        ]
    )


def _is_trusted_by_pip(base: str) -> bool:
    """Whether pip talks to it without being told to: https, or loopback."""
    parts = urlsplit(base)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
