"""A packument of a hundred megabytes: how long it takes, how long it holds the loop up, how much memory it takes.

`python -m tests.bench.large` does that alone and prints it; nothing needs to be captured before.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.cost import Memory, watching
from tests.bench.systems import System, appliance, stop_when_ended
from tests.upstream import Answer, LyingUpstream

NAME = "hundred-megabytes"
VERSIONS = 10_000
README = 9_800
"""Characters of each version's, most of them different: the whole comes to 105 MB."""
FORMS = {"full": "application/json", "install": "application/vnd.npm.install-v1+json"}
LOOK = 0.02
"""Seconds between two looks at the memory."""
PATIENCE = 120.0


@dataclass(frozen=True)
class Request:
    """One request for it, and what happened meanwhile."""

    title: str
    seconds: float
    gap: float
    """The longest time for which the gateway's loop did nothing else, in seconds."""
    memory: Memory


def measured(folder: Path) -> list[Request]:
    """Both forms, of a gateway that has just been started."""
    upstream = LyingUpstream()
    with upstream.in_a_thread():
        upstream.lie(_always(packument(upstream.origin)), f"/npm/{NAME}")
        system = _watched(appliance(folder / "appliance"), upstream, folder / "gaps")
        with system.running(folder):
            _get(system, "nothing", "full", expected=404)
            requests = [
                _measured(system, form, title, folder / "gaps")
                for title, form in (
                    ("cold", "full"), ("its other form", "install"), ("again", "full"), ("again, short", "install")
                )
            ]  # fmt: skip
    return requests


def table(requests: list[Request]) -> str:
    """In Markdown."""
    lines = ["| packument of 105 MB | seconds | longest gap of the loop | peak memory, shared once |"]
    lines.append("| --- | --- | --- | --- |")
    lines += [
        f"| {each.title} | {each.seconds:.2f} | {each.gap * 1e3:.0f} ms |"
        f" {each.memory.resident / 1e6:,.0f} MB, {each.memory.proportional / 1e6:,.0f} MB |"
        for each in requests
    ]
    return "\n".join(lines)


def packument(origin: str) -> bytes:
    """A valid one."""
    versions, times = [], {}
    for number in range(VERSIONS):
        version = f"1.{number}.0"
        noise = hashlib.shake_128(version.encode()).hexdigest(README // 8)
        manifest = {
            "name": NAME, "version": version, "license": "MIT", "dependencies": {"other": "^1.0.0"},
            "readme": noise * 4,
            "dist": {
                "tarball": f"{origin}/npm/{NAME}/-/{NAME}-{version}.tgz",
                "integrity": "sha512-" + "A" * 86 + "==",
                "signatures": [{"keyid": "SHA256:x", "sig": "MEUCIQ=="}],
            },
        }  # fmt: skip
        versions.append(f"{json.dumps(version)}: {json.dumps(manifest)}")
        times[version] = f"2020-01-01T00:{number // 100 % 60:02}:{number % 60:02}.000Z"
    head = json.dumps({"name": NAME, "dist-tags": {"latest": f"1.{VERSIONS - 1}.0"}, "time": times})
    return f'{head[:-1]}, "versions": {{{", ".join(versions)}}}}}'.encode()


def _always(body: bytes) -> Callable[[Answer], Answer]:
    return lambda _: Answer(headers=(("Content-Type", "application/json"),), body=body)


def _watched(system: System, upstream: LyingUpstream, gaps: Path) -> System:
    """The appliance with a witness on its loop, in front of that upstream."""
    environ = {
        **system.environ,
        "REGISTRY_NPM_UPSTREAM": upstream.url_npm,
        "REGISTRY_PYPI_UPSTREAM": upstream.url_pypi,
    }
    return replace(system, command=[sys.executable, "-m", "tests.bench.watched", str(gaps)], environ=environ)


def _measured(system: System, form: str, title: str, gaps: Path) -> Request:
    began = time.monotonic()
    with watching(system.pid, LOOK) as memory:
        _get(system, NAME, form)
        seconds = time.monotonic() - began
        time.sleep(0.3)
    longest = max((gap for at, gap in _lines(gaps) if at >= began), default=0.0)
    return Request(f"{title} ({form})", seconds, longest, memory)


def _lines(gaps: Path) -> Iterator[tuple[float, float]]:
    for line in gaps.read_text().splitlines() if gaps.exists() else ():
        at, gap = line.split()
        yield float(at), float(gap)


def _get(system: System, name: str, form: str, expected: int = 200) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=PATIENCE)
    connection.request(
        "GET", f"{system.npm}{name}", headers={"Accept": FORMS[form], "Accept-Encoding": "gzip"}
    )
    answer = connection.getresponse()
    while answer.read(1 << 20):
        pass
    assert answer.status == expected, answer.status
    connection.close()


if __name__ == "__main__":
    stop_when_ended()
    with tempfile.TemporaryDirectory(prefix="bench-large-") as folder:
        print(table(measured(Path(folder))))
