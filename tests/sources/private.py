"""The real back ends, run as the appliance runs them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

from registry.appliance.part import Part
from registry.appliance.premises import PRIVATE_FOLDERS
from registry.sources.client import Client
from registry.sources.limits import BACK_END
from tests.sources.world import make_client


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def make_folders(data: Path) -> Path:
    """The folders that the back ends expect; gives the one that is theirs."""
    for folder in PRIVATE_FOLDERS:
        (data / folder).mkdir(parents=True, exist_ok=True)
    return data / "private"


@contextlib.contextmanager
def running(part: Part, health: str) -> Iterator[int]:
    """The part's process id, from its first good answer at `health` to its end."""
    log = part.folder / f"{part.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            part.command,
            cwd=part.folder,
            env={**part.environ, "PATH": os.environ["PATH"]},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, health, log)
        yield process.pid
    finally:
        process.kill()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError), urlopen(health, timeout=5):
            return
        time.sleep(0.05)  # a process tells nobody that it is ready
    raise AssertionError(f"it ended with {process.returncode}: {log.read_text()}")


def back_end_client(credentials: Path, port: int, *, password: str | None = None) -> Client:
    user, _, secret = credentials.read_text().strip().partition(":")
    return make_client(f"http://{user}:{password or secret}@127.0.0.1:{port}/", limits=BACK_END)
