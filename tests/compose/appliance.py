"""The appliance as `docker compose` runs it: a project of its own name, its volumes gone when the test is over."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.compose.engine import ROOT
from tests.e2e.house import User, free_port
from tests.protocols.npm.world import publish_document
from tests.upstream import Distribution, Tarball

PATIENCE = 90.0
"""Seconds after which something that should happen has hung."""
SERVICES = ("gateway", "pypiserver", "verdaccio")
BACK_ENDS = ("pypiserver", "verdaccio")


@dataclass
class Appliance:
    """One project."""

    engine: Any
    """The Docker SDK's client."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What `.env` would say."""
    files: Sequence[str | Path] = ()
    """More Compose files."""
    ca: str | None = None
    """The certificates to trust it by, where it speaks TLS."""
    project: str = field(default_factory=lambda: f"registry-test-{secrets.token_hex(4)}")
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Where it answers on this machine; no slash at the end."""
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, stdin: str | bytes = b"") -> bytes:
        """Run `docker compose ...`; gives what it printed."""
        files = ["docker-compose.yml", *self.files]
        command = ["docker", "compose", "--env-file", os.devnull, "--project-name", self.project]
        for file in files:
            command += ["--file", str(file)]
        done = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "REGISTRY_HOST": "127.0.0.1",
                "REGISTRY_PORT": str(self.port),
                **{name: os.environ[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG") if name in os.environ},
                **self.settings,
            },
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            check=False,
            timeout=600,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, f"{' '.join(arguments)}: {said[-8000:]}"
        return done.stdout

    # its life

    def up(self) -> None:
        """Start it and wait until every part is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", str(int(PATIENCE)), "--no-build")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def down(self, *arguments: str) -> None:
        """Stop and remove the containers."""
        self.compose("down", *arguments)

    def tear_down(self) -> None:
        """Leave nothing."""
        self.compose("down", "--volumes", "--timeout", "5", "--remove-orphans")

    def container(self, service: str) -> Any:
        """The SDK's view of a service's container, as it is now."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        (found,) = self.engine.containers.list(all=True, filters={"label": labels})
        return found

    def is_healthy(self, service: str) -> bool:
        """Whether it runs and its health check says so."""
        state = self.container(service).attrs["State"]
        return bool(state["Status"] == "running" and state.get("Health", {}).get("Status") == "healthy")

    def wait_until(self, holds: Callable[[], object], what: str) -> None:
        """Look until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"never {what}:\n{self.logs()}"
            time.sleep(0.1)

    def wait_until_healthy(self) -> None:
        """Until every part is."""
        for service in SERVICES:
            self.wait_until(lambda service=service: self.is_healthy(service), f"{service} healthy")  # type: ignore[misc]
        self.wait_until(lambda: self.readiness().get("ready"), "ready")

    def logs(self) -> str:
        """What all parts printed."""
        return self.compose("logs", "--no-color", "--tail", "200").decode("utf-8", "replace")

    # inside

    def run_in(self, service: str, *command: str, stdin: str | bytes = b"") -> str:
        """Run something in a running container."""
        return self.compose("exec", "-T", service, *command, stdin=stdin).decode()

    def python_in(self, service: str, program: str) -> str:
        """Run a program in a container that has Python."""
        return self.run_in(service, "python", "-", stdin=program)

    def registry(self, *arguments: str, stdin: str = "") -> str:
        """Run `registry ...` as an operator does."""
        return self.run_in("gateway", "registry", *arguments, stdin=stdin)

    def answer(self, *arguments: str) -> Any:
        """What a command answers with --json."""
        return json.loads(self.registry(*arguments, "--json"))

    def add_user(self, name: str) -> User:
        """Make an account with its tokens."""
        password = f"{name} likes long passwords"
        self.registry("user", "add", name, "--password-stdin", stdin=f"{password}\n")
        token, reader = (
            self.registry("token", "create", name, "--scope", scope).strip() for scope in ("publish", "read")
        )
        return User(name, password, token, reader)

    # over HTTP

    def get(self, path: str, **headers: str) -> requests.Response:
        """Ask it for a path."""
        return requests.get(f"{self.url}{path}", headers=headers, timeout=30, verify=self.ca or True)

    def readiness(self) -> dict[str, Any]:
        """What `/-/ready` says; nothing where nobody answers."""
        try:
            answer: dict[str, Any] = self.get("/-/ready").json()
        except requests.RequestException:
            return {}
        return answer

    def upload(self, user: User, wheel: Distribution) -> int:
        """Publish a wheel, as twine does; gives the status, 0 where nobody answered."""
        fields = {
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": wheel.project,
            "version": wheel.version,
            "filetype": "bdist_wheel",
            "sha256_digest": hashlib.sha256(wheel.data).hexdigest(),
        }
        try:
            return requests.post(
                f"{self.url}/pypi/legacy/",
                data=fields,
                files={"content": (wheel.filename, wheel.data)},
                auth=("__token__", user.token),
                timeout=30,
            ).status_code
        except requests.RequestException:
            return 0

    def publish(self, user: User, tarball: Tarball) -> int:
        """Publish an npm package, as npm does; gives the status, 0 where nobody answered."""
        try:
            return requests.put(
                f"{self.url}/npm/{tarball.name.replace('/', '%2f')}",
                json=publish_document(tarball),
                headers={"Authorization": f"Bearer {user.token}"},
                timeout=30,
            ).status_code
        except requests.RequestException:
            return 0

    def tarball(self, tarball: Tarball) -> bytes:
        """An npm package's file, found by its packument as npm finds it."""
        packument = self.get(f"/npm/{tarball.name.replace('/', '%2f')}")
        assert packument.status_code == 200, (packument.status_code, packument.text)
        url = packument.json()["versions"][tarball.version]["dist"]["tarball"]
        got = requests.get(url, timeout=60, verify=self.ca or True)
        assert got.status_code == 200, (got.status_code, got.text)
        return got.content

    def file(self, project: str, filename: str) -> bytes:
        """A Python file, found by its index as pip finds it."""
        index = self.get(f"/pypi/simple/{project}/", Accept="application/vnd.pypi.simple.v1+json")
        assert index.status_code == 200, (index.status_code, index.reason)
        (url,) = [file["url"] for file in index.json()["files"] if file["filename"] == filename]
        got = requests.get(requests.compat.urljoin(index.url, url), timeout=60, verify=self.ca or True)
        assert got.status_code == 200, (got.status_code, got.reason)
        return got.content
