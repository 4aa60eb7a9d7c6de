"""Load on loopback: closed loops by wrk; and requests as they go over the wire, for whoever sends them."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.cost import cpu_seconds

CONNECTIONS = 16


@dataclass(frozen=True)
class Load:
    """What a loop of requests came to."""

    cpu: float
    """CPU seconds of the server's tree, a request."""
    rate: float
    """Requests per second."""
    p50: float
    """Seconds."""
    p99: float
    errors: int


def closed_loop(
    pid: int, url: str, headers: Mapping[str, str], seconds: float, connections: int = CONNECTIONS
) -> Load:
    """As many requests as the server answers, over a few connections."""
    fields = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "60s",
        "--latency",
    ]
    before = cpu_seconds(pid)
    done = subprocess.run([*command, *fields, url], capture_output=True, text=True, check=True)
    text = done.stdout
    spent = cpu_seconds(pid) - before
    count = int(_number(r"(\d+) requests in", text))
    wrong = sum(map(int, re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", text)))
    return Load(
        cpu=spent / max(count, 1),
        rate=float(_number(r"Requests/sec: +([\d.]+)", text)),
        p50=_duration(text, "50%"),
        p99=_duration(text, "99%"),
        errors=wrong,
    )


def _number(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"wrk said something else:\n{text}")
    return found[1]


def _duration(text: str, share: str) -> float:
    found = re.search(rf"{share} +([\d.]+)(us|ms|s|m)\b", text)
    if found is None:
        return 0.0
    return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[found[2]]


async def answered(reader: asyncio.StreamReader) -> bool:
    """Read one answer; whether it was right."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    rest = int(found[1]) if found and not head.startswith(b"HTTP/1.1 304") else 0
    while rest:
        piece = await reader.read(min(rest, 2**18))
        if not piece:
            return False
        rest -= len(piece)
    return head[9:12] in {b"200", b"304"}


def request(port: int, path: str, headers: Mapping[str, str]) -> bytes:
    """A GET as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
