"""What a person reads when everything runs: the lines to copy, and where things are."""

from __future__ import annotations

import socket
from pathlib import Path

from registry.web.client_lines import commands


def base_url(host: str, port: int, public_url: str | None, is_tls: bool = False) -> str:
    """The URL that clients use, as far as we know it; no slash at its end."""
    if public_url is not None:
        return public_url
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return f"http{'s' if is_tls else ''}://{f'[{name}]' if ':' in name else name}:{port}"


def greeting(base: str, data: Path, admin_password: Path, password: str | None) -> str:
    """The text. `password` is told where the first run made it and a person looks."""
    admin = [f"  admin     user 'admin', password in {admin_password}"] if admin_password.exists() else []
    told = [f"            made just now: {password}"] if password is not None else []
    return "\n".join(
        [
            "",
            f"The registry is ready: {base}/",
            "",
            *(f"  {command}" for command in commands(base)),
            "",
            f"  data      {data}",
            *admin,
            *told,
            "  stop      Ctrl-C",
            "",
        ]
    )
