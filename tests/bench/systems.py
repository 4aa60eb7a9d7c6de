"""What is compared: each is a process on loopback that serves both registries, or one of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.bench.capture import ORIGIN, PORT
from tests.bench.cost import cpu_seconds, settle

NGINX = "/usr/sbin/nginx"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds after which a system that doesn't answer won't."""
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
QUIET = 0.5
"""Seconds of next to no work after which a system that was started is at rest."""
LIMIT_PORT, PROXY_PORT, APPLIANCE_PORT, PEER_PORT = PORT + 1, PORT + 2, PORT + 3, PORT + 4


class NotMeasured(Exception):
    """A system that can't be, and why."""


@dataclass
class System:
    """A server under test."""

    name: str
    port: int
    command: Sequence[str]
    python: str | None = None
    """Path of its simple index, where it has one."""
    npm: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    alive: str = "/"
    """A path that answers once it is ready."""
    start_seconds: float = 0.0
    """Until it answered."""
    start_cpu: float = 0.0
    """CPU seconds until it was at rest."""
    pid: int = 0

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[System]:
        """Start it, wait until it answers, stop it in the end. `folder` gets what it prints."""
        if self._answers():
            raise NotMeasured(f"port {self.port} is taken: another run goes on, or left {self.name} behind")
        folder.mkdir(parents=True, exist_ok=True)
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **self.environ}
        began = time.monotonic()
        with (folder / f"{self.name}.log".replace(" ", "-")).open("ab") as output:
            process = subprocess.Popen(
                self.command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.pid = process.pid
        try:
            while not self._answers():
                if process.poll() is not None or time.monotonic() - began > PATIENCE:
                    raise NotMeasured(f"{self.name} didn't start; look at {output.name}")
                time.sleep(0.02)
            self.start_seconds = time.monotonic() - began
            settle(self.pid, QUIET)  # what a start leaves to be done behind it is no part of the work
            self.start_cpu = cpu_seconds(self.pid)
            yield self
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", self.alive)
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()


def stop_when_ended() -> None:
    """From here on SIGTERM and SIGHUP end this process as Ctrl-C does: what is `running` is stopped before."""
    for number in _ENDINGS:
        if signal.getsignal(number) is signal.SIG_DFL:  # else it is to be ignored: nohup
            signal.signal(number, _ended)


def _ended(number: int, _: FrameType | None) -> None:
    for each in _ENDINGS:  # stopping takes a while, and is not to be left half done
        signal.signal(each, signal.SIG_IGN)
    print(f"ended by {signal.Signals(number).name}, stopping what was started", file=sys.stderr, flush=True)
    raise SystemExit(128 + number)


def upstream(captured: Path, folder: Path) -> System:
    """The captured registry, as everyone's upstream; `/requests` counts."""
    projects = [{"name": path.stem} for path in sorted((captured / "simple").glob("*.json"))]
    listed = folder / "projects.json"
    listed.write_text(json.dumps({"meta": {"api-version": "1.0"}, "projects": projects}))
    root = f"""
    location = /pypi/simple/ {{
        root {folder}; rewrite ^ /{listed.name} break; default_type application/vnd.pypi.simple.v1+json;
    }}"""
    return _nginx("upstream", PORT, folder, f"{root}{_paths(captured, 'application/json')}")


def limit(static: Path, folder: Path) -> System:
    """nginx over the very bytes that the appliance sends."""
    return _nginx("nginx", LIMIT_PORT, folder, _paths(static, "application/vnd.npm.install-v1+json"))


def proxy(folder: Path) -> System:
    """nginx with an empty `proxy_cache` in front of the upstream."""
    places = f"""
    location / {{
        proxy_pass {ORIGIN}; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_set_header Host $http_host; proxy_cache kept; proxy_cache_valid 200 10m;
        proxy_cache_key $request_uri; proxy_cache_lock on;
    }}"""
    cache = f"proxy_cache_path {folder}/proxied levels=1:2 keys_zone=kept:10m max_size=4g use_temp_path=off;"
    return _nginx("nginx proxy_cache", PROXY_PORT, folder, places, cache)


def appliance(data: Path, workers: int = 1) -> System:
    """The gateway alone, with the shipped policy, as `registry serve` runs it."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "registry.toml").touch()
    shutil.copy(ROOT / "config" / "policy.toml", data)
    return System(
        name="the appliance",
        port=APPLIANCE_PORT,
        command=[sys.executable, "-m", "registry", "serve"],
        python="/pypi/simple/",
        npm="/npm/",
        alive="/-/live",
        environ={
            "REGISTRY_DATA": str(data / "data"),
            "REGISTRY_PORT": str(APPLIANCE_PORT),
            "REGISTRY_CONFIG": str(data / "registry.toml"),
            "REGISTRY_POLICY": str(data / "policy.toml"),
            "REGISTRY_PYPI_UPSTREAM": f"{ORIGIN}/pypi/simple/",
            "REGISTRY_NPM_UPSTREAM": f"{ORIGIN}/npm/",
            "REGISTRY_PYPISERVER_URL": "http://127.0.0.1:9/",
            "REGISTRY_VERDACCIO_URL": "http://127.0.0.1:9/",
            "REGISTRY_WORKERS": str(workers),
        },
    )


def _paths(root: Path, packuments: str) -> str:
    """Both registries as static files below `root`, in the layout of `capture` (and of our own URLs)."""
    return f"""
    types {{ }}
    location /pypi/simple/ {{
        root {root}/simple; absolute_redirect off;
        rewrite ^(/pypi/simple/[^/]+)$ $1/ permanent; rewrite ^/pypi/simple/([^/]+)/$ /$1.json break;
        default_type application/vnd.pypi.simple.v1+json; gzip_static on;
    }}
    location ~ ^/pypi/files/(?:.*/)?([^/]+)$ {{ alias {root}/files/$1; }}
    location ~ ^/npm/((?:@[^/]+/)?[^/]+/-/[^/]+)$ {{ alias {root}/tarballs/$1; }}
    location ~ ^/npm/((?:@[^/]+/)?[^/]+)$ {{
        alias {root}/packuments/$1.json; default_type {packuments}; gzip_static on;
    }}"""


def _nginx(name: str, port: int, folder: Path, places: str, top: str = "") -> System:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{name.replace(' ', '-')}.conf"
    temp = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(f"""
daemon off; worker_processes 1; pid {folder}/{config.stem}.pid; error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
{temp}
{top}
server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = /requests {{ stub_status; }}
    {places}
}}
}}""")
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    return System(
        name=name,
        port=port,
        command=[NGINX, "-e", "stderr", "-c", str(config), *user],
        python="/pypi/simple/",
        npm="/npm/",
        alive="/requests",
    )


def nginx_version() -> str:
    """As `1.22.1`."""
    done = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]


def upstream_requests() -> int:
    """How many requests the upstream has had."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    connection.request("GET", "/requests")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.search(r"\n +\d+ +\d+ +(\d+)", text)
    assert found is not None, text
    return int(found[1])
