"""What the gateway and the private back ends know each other by: one random password each, never on a command
line or in the environment.

    python -m registry.appliance.credentials FOLDER

makes those of containers, where nobody starts all parts together: `FOLDER/gateway/<name>.credentials`, and
for each back end `FOLDER/<name>/htpasswd`. What is there already and fits stays, for a container that is
started again alone still has to know the others.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import bcrypt

from registry.identity.keys import replace_secret
from registry.settings import BACK_ENDS

USER = "gateway"
COST = 4
"""Of bcrypt, the lowest: both back ends check it at every request, and 256 random bits need no slow hash."""


def make_credentials(credentials: Path, htpasswd: Path) -> None:
    """A new password for `gateway`: in plain words for the gateway, hashed for the back end."""
    password = secrets.token_urlsafe(32)
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(COST)).decode()
    replace_secret(htpasswd, f"{USER}:{hashed}\n".encode())
    replace_secret(credentials, f"{USER}:{password}\n".encode())


def fit(credentials: Path, htpasswd: Path) -> bool:
    """Whether both files are there and the back end would let the gateway in."""
    try:
        user, _, password = credentials.read_text("utf-8").strip().partition(":")
        named, _, hashed = htpasswd.read_text("utf-8").strip().partition(":")
        return user == named == USER and bcrypt.checkpw(password.encode(), hashed.encode())
    except (OSError, ValueError):  # also what no text is, and what no hash is
        return False


def main(folder: Path) -> None:
    """Make what is missing or doesn't fit below `folder`."""
    for name in BACK_ENDS.values():
        credentials, htpasswd = folder / "gateway" / f"{name}.credentials", folder / name / "htpasswd"
        if fit(credentials, htpasswd):
            print(f"{name}: the credential stays")
        else:
            make_credentials(credentials, htpasswd)
            print(f"{name}: made a new credential")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
