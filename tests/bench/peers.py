"""The other registries, as their own registries have them, in the bench's folder and in front of the same upstream.

Their versions are fixed, so that two runs compare the same.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.bench.capture import ORIGIN
from tests.bench.systems import PEER_PORT, ROOT, NotMeasured, System
from tests.bench.workload import NPM

_DEVPI_USER = "root"
"""The account that devpi's public mirror belongs to."""

NAMES = ("proxpi", "devpi-server", "Verdaccio")
_PACKAGES = {
    "proxpi": ("proxpi==1.3.1", "gunicorn==27.0.1"),
    "devpi-server": ("devpi-server==6.20.3",),
    "Verdaccio": (),  # what scripts/setup installs, by verdaccio/package-lock.json
}


def install(name: str, folder: Path) -> None:
    """One of NAMES, unless that was done before; what it needs comes from where pip is set to."""
    complete, wanted = folder / "venv" / "complete", "\n".join(_PACKAGES[name])
    if not wanted or (complete.exists() and complete.read_text() == wanted):
        return
    print(f"installing {name}", flush=True)
    python = _python(folder)
    for command in (
        (sys.executable, "-m", "venv", "--clear", str(folder / "venv")),
        (python, "-m", "pip", "install", "--quiet", "--quiet", *_PACKAGES[name]),
    ):
        if subprocess.run(command, check=False).returncode:
            raise NotMeasured(f"{name} can't be installed, for the reason above; --peers does without it")
    complete.write_text(wanted)


def peer(name: str, folder: Path) -> System:
    """One of NAMES that is installed, with an empty cache."""
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
    try:
        _set_up_devpi(system)
    except (OSError, LookupError) as error:
        raise NotMeasured(f"{system.name} didn't take its upstream: {error}") from error


def _set_up_devpi(system: System) -> None:
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
    return System(
        name="proxpi",
        port=PEER_PORT,
        command=[
            _python(folder), "-m", "gunicorn", "--threads", "8", "--bind", f"127.0.0.1:{PEER_PORT}",
            "proxpi.server:app",
        ],
        python="/index/",
        environ={"PROXPI_INDEX_URL": f"{ORIGIN}/pypi/simple/", "PROXPI_CACHE_DIR": str(folder / "kept")},
        alive="/health",
    )  # fmt: skip


def _devpi(folder: Path) -> System:
    programs, home = Path(_python(folder)).parent, folder / "home"
    command = [str(programs / "devpi-init"), "--serverdir", str(home)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotMeasured(f"devpi-init failed: {done.stderr.strip()}")
    return System(
        name="devpi-server",
        port=PEER_PORT,
        command=[
            str(programs / "devpi-server"), "--serverdir", str(home), "--host", "127.0.0.1",
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
