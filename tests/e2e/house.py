"""The appliance as `scripts/run` starts it after set-up, in a process of its own, on a data directory of the test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.e2e.said import Said, run

ROOT = Path(__file__).resolve().parents[2]
GREETING = "The registry is ready"
PATIENCE = 60.0
"""Seconds after which something that should happen has hung."""


def free_port() -> int:
    """A loopback port that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class User:
    """An account."""

    name: str
    password: str
    token: str
    """To publish with."""
    reader: str
    """A token that may only read."""


@dataclass
class House:
    """One data directory, and the appliance that runs on it."""

    folder: Path
    upstreams: Mapping[str, str]
    """The settings that say where public packages come from."""
    settings: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=dict)
    """What it gets of this machine's environment."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "registry.toml").touch()
        if not self.policy.exists():
            self.policy.write_text((ROOT / "config" / "policy.toml").read_text("utf-8"), "utf-8")

    # what it is

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def policy(self) -> Path:
        """The policy file; a copy of the shipped one to begin with."""
        return self.folder / "policy.toml"

    @property
    def terminal(self) -> Path:
        """What it prints, over all of its starts."""
        return self.folder / "terminal"

    @property
    def url(self) -> str:
        """Where it answers; no slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """Of the appliance and of the `registry` command beside it."""
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            **self.inherited,
            **self.upstreams,
            "REGISTRY_PORT": str(self.port),
            "REGISTRY_DATA": str(self.data),
            "REGISTRY_CONFIG": str(self.folder / "registry.toml"),
            "REGISTRY_POLICY": str(self.policy),
            **self.settings,
        }

    # its life

    def start(self, command: Sequence[str] = (sys.executable, "-m", "registry.appliance")) -> None:
        """Start it and wait until every part is ready and it has said so."""
        self.terminal.touch()
        greetings = self.terminal.read_text("utf-8").count(GREETING)
        with self.terminal.open("ab") as terminal:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
            )

        def has_greeted() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.terminal.read_text("utf-8")
            return self.terminal.read_text("utf-8").count(GREETING) > greetings

        self.wait_until(has_greeted, "ready")
        assert self.is_ready()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to stop; no process of it may be left."""
        assert self.process is not None
        family = self.family()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.process = None
        assert status == 0, self.terminal.read_text("utf-8")
        assert survivors(family) == []

    def restart(self, **upstreams: str) -> None:
        """Stop it and start it on the same data."""
        self.stop()
        self.upstreams = {**self.upstreams, **upstreams}
        self.start()

    def is_ready(self) -> bool:
        """Whether every part is."""
        return self.readiness().get("ready") is True

    def readiness(self) -> dict[str, Any]:
        """What `/-/ready` says; nothing where nobody answers."""
        assert self.process is None or self.process.poll() is None, self.terminal.read_text("utf-8")
        try:
            answer: dict[str, Any] = requests.get(f"{self.url}/-/ready", timeout=10).json()
        except requests.RequestException:
            return {}
        return answer

    def wait_until(self, holds: Callable[[], object], what: str) -> None:
        """Look until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"never {what}:\n{self.terminal.read_text('utf-8')}"
            time.sleep(0.05)

    def family(self) -> list[tuple[int, str]]:
        """Its processes, for `survivors`."""
        assert self.process is not None
        return descendants(self.process.pid)

    def child(self, *words: str) -> int:
        """The process below it whose command line has these words."""
        for pid, _ in self.family():
            if all(word in command_line(pid) for word in words):
                return pid
        raise AssertionError(f"no process with {words}")

    # what an operator does

    def registry(self, *arguments: str, stdin: str = "") -> Said:
        """Run `registry ...` on its machine."""
        return run([sys.executable, "-m", "registry", *arguments], self.environ, ROOT, stdin=stdin)

    def add_user(self, name: str) -> User:
        """Make an account with its tokens."""
        password = f"{name} likes long passwords"
        self.registry("user", "add", name, "--password-stdin", stdin=f"{password}\n").checked()
        token, reader = (
            self.registry("token", "create", name, "--scope", scope).checked().out.strip()
            for scope in ("publish", "read")
        )
        return User(name, password, token, reader)

    def answer(self, *arguments: str) -> Any:
        """What a command answers with --json."""
        return json.loads(self.registry(*arguments, "--json").checked().out)

    def set_policy(self, text: str) -> None:
        """Write the policy file and wait until what it says is in force, or refused as wrong."""
        before = self.policy_status()
        self.policy.write_text(text, "utf-8")

        def has_changed() -> bool:
            return bool(self.policy_status() != before)

        self.wait_until(has_changed, "looked at the policy file")

    def policy_status(self) -> Any:
        """What `registry policy status` says; a policy file with a mistake isn't an error here."""
        return json.loads(self.registry("policy", "status", "--json").out)

    def get(self, path: str, **headers: str) -> requests.Response:
        """Ask it for a path; redirects aren't followed."""
        return requests.get(f"{self.url}{path}", headers=headers, timeout=PATIENCE, allow_redirects=False)


def descendants(pid: int) -> list[tuple[int, str]]:
    """A process and all below it: number and time of start, which together are never used twice."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields:
            parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return [(each, fields[19]) for each in found if (fields := _stat(each))]


def survivors(family: Iterable[tuple[int, str]]) -> list[str]:
    """The command lines of those that still run; one that only waits to be collected doesn't."""
    return [
        command_line(pid)
        for pid, began in family
        if (fields := _stat(pid)) and fields[19] == began and fields[0] != "Z"
    ]


def command_line(pid: int) -> str:
    """Its arguments, apart by spaces."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def kill(pid: int) -> None:
    """Without a warning."""
    os.kill(pid, signal.SIGKILL)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(") ")[2].split()
    except OSError:
        return []
