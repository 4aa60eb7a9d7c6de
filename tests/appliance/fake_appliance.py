"""A supervisor over fake parts, as a program that a test can kill.

    python fake_appliance.py LOGS PIPE

Each part writes `name pid` and a newline into the pipe and holds it open: the pipe's end is the end of all of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from registry.appliance.part import Backoff, Part
from registry.appliance.supervisor import Supervisor

CHILD = """
import os, signal, subprocess, sys, time
name, pipe = sys.argv[1], int(sys.argv[2])
if name == "gateway":
    signal.signal(signal.SIGHUP, lambda *_: os.write(pipe, b"reloaded\\n"))
if name == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if name == "parent":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=[pipe])
if name == "gateway-that-fails":
    sys.exit("ConfigurationError: the volume is somebody else's")
print(f"ERROR: {name} complains", flush=True)
os.write(pipe, f"{name} {os.getpid()}\\n".encode())
while True:
    time.sleep(600)
"""


async def main(logs: Path, pipe: int, gateway: str, *back_ends: str) -> int:
    def part(name: str) -> Part:
        command = (sys.executable, "-c", CHILD, name, str(pipe))
        return Part(
            name=name, command=command, environ=dict(os.environ), folder=logs, sockets=(pipe,), patience=0.3
        )

    async def is_ready() -> str | None:
        return "the gateway" if gateway == "gateway-that-fails" else None

    def say(text: str) -> None:
        print(text, flush=True)

    supervisor = Supervisor(
        part(gateway),
        [part(name) for name in back_ends],
        logs=logs,
        is_ready=is_ready,
        say=say,
        backoff=lambda: Backoff(first=0.01),
    )
    return await supervisor.run(lambda: say("ready"))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])))
