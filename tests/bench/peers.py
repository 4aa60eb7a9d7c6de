"""The other registries, installed from their registries into the bench's folder, in front of the same upstream."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.bench.capture import ORIGIN
from tests.bench.systems import PEER_PORT, ROOT, System
from tests.bench.workload import NPM

_DEVPI_USER = "root"
"""The account that devpi's public mirror belongs to."""

NAMES = ("proxpi", "devpi-server", "Verdaccio")


def peer(name: str, folder: Path) -> System:
    """One of NAMES, installed and set up, with an empty cache."""
    folder.mkdir(parents=True, exist_ok=True)
    for kept in ("kept", "home", "storage"):
        shutil.rmtree(folder / kept, ignore_errors=True)
    makers = {"proxpi": _proxpi, "devpi-server": _devpi, "Verdaccio": _verdaccio}
    return makers[name](folder)


def version(name: str, folder: Path) -> str:
    """Which one that is."""
    if name == "Verdaccio":
        package = ROOT / "verdaccio" / "node_modules" / "verdaccio" / "package.json"
        return str(json.loads(package.read_text())["version"])
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    done = subprocess.run([_python(folder), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def set_up(system: System) -> None:
    """What can only be said to a running one: devpi's upstream is changed through its API."""
    if system.name != "devpi-server":
        return
    login = json.dumps({"user": "root", "password": ""}).encode()
    token = _sent(system, "POST", "/+login", login, {})["result"]["password"]
    auth = base64.b64encode(f"root:{token}".encode()).decode()
    mirror = json.dumps([f"mirror_url={ORIGIN}/pypi/simple/", "mirror_no_project_list=True"]).encode()
    _sent(system, "PATCH", f"/{_DEVPI_USER}/pypi", mirror, {"X-Devpi-Auth": auth})


def _sent(
    system: System, method: str, path: str, body: bytes, headers: dict[str, str]
) -> dict[str, dict[str, str]]:
    fields = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    request = urllib.request.Request(system.url + path, body, fields, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, dict[str, str]] = json.load(answer)
        return found


def _proxpi(folder: Path) -> System:
    python = _installed(folder, "proxpi", "gunicorn")
    return System(
        name="proxpi",
        port=PEER_PORT,
        command=[
            python,
            "-m",
            "gunicorn",
            "--threads",
            "8",
            "--bind",
            f"127.0.0.1:{PEER_PORT}",
            "proxpi.server:app",
        ],
        python="/index/",
        environ={"PROXPI_INDEX_URL": f"{ORIGIN}/pypi/simple/", "PROXPI_CACHE_DIR": str(folder / "kept")},
        alive="/health",
    )


def _devpi(folder: Path) -> System:
    python = _installed(folder, "devpi-server")
    home = folder / "home"
    command = [str(Path(python).parent / "devpi-init"), "--serverdir", str(home)]
    subprocess.run(command, check=True, capture_output=True)
    return System(
        name="devpi-server",
        port=PEER_PORT,
        command=[
            str(Path(python).parent / "devpi-server"), "--serverdir", str(home), "--host", "127.0.0.1",
            "--port", str(PEER_PORT), "--request-timeout", "120",
        ],
        python=f"/{_DEVPI_USER}/pypi/+simple/",
        alive="/+api",
    )  # fmt: skip


def _verdaccio(folder: Path) -> System:
    config = folder / "config.yaml"
    config.write_text(f"""
storage: {folder}/storage
auth: {{ htpasswd: {{ file: {folder}/htpasswd }} }}
uplinks: {{ upstream: {{ url: "{ORIGIN}/npm/", maxage: 1h }} }}
packages: {{ "**": {{ access: $all, proxy: upstream }} }}
middlewares: {{ audit: {{ enabled: false }} }}
web: {{ enable: false }}
log: {{ type: stdout, format: json, level: error }}
""")
    program = ROOT / "verdaccio" / "node_modules" / "verdaccio" / "bin" / "verdaccio"
    return System(
        name="Verdaccio",
        port=PEER_PORT,
        command=[NPM[0], str(program), "-c", str(config), "-l", f"127.0.0.1:{PEER_PORT}"],
        npm="/",
        alive="/-/ping",
    )


def _python(folder: Path) -> str:
    return str(folder / "venv" / "bin" / "python")


def _installed(folder: Path, *packages: str) -> str:
    if not (folder / "venv" / "complete").exists():
        print(f"installing {packages[0]}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
        command = [_python(folder), "-m", "pip", "install", "--quiet", "--quiet", *packages]
        subprocess.run(command, check=True, env=dict(os.environ))
        (folder / "venv" / "complete").touch()
    return _python(folder)
