"""The findings as a table, and docs/performance.md around it."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import aiohttp

from registry import __version__
from tests.bench import growth, large, targets
from tests.bench.cost import Memory
from tests.bench.load import Load
from tests.bench.measure import ROWS, Findings, Install
from tests.bench.systems import ROOT
from tests.bench.targets import Measured
from tests.bench.workload import NPM

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
"""Between these lines the page is written by `scripts/bench --write`, the rest by people."""


def tables(measured: Measured, peers: Sequence[Findings]) -> str:
    """Everything, in Markdown: what was to be reached, and all that was measured."""
    found = [measured.limit, measured.ours, *peers]
    return "\n\n".join(
        part
        for part in (
            targets.table(measured),
            "\n".join(_costs(found)),
            "\n".join(_rates(found, measured.two)),
            "\n".join(_cold(measured, found[1:])),
            _memory(measured),
            _crowds(measured),
            large.table(measured.large) if measured.large else "",
            growth.table(measured.growth, measured.told) if measured.growth else "",
        )
        if part
    )


def _costs(found: Sequence[Findings]) -> Iterator[str]:
    limit = found[0]
    yield from _head("CPU", found)
    for row in ROWS:
        yield _line(
            [
                row.title,
                *(
                    _ratio(each.loads[row.title].cpu, limit.loads[row.title].cpu, "request")
                    if row.title in each.loads
                    else each.lacking.get(row.title, "-")
                    for each in found
                ),
            ]
        )
    for name, title in (("python", "whole `uv pip install`, warm"), ("npm", "whole `npm ci`, warm")):
        yield _line([title, *(_install(each.warm.get(name), limit.warm[name]) for each in found)])


def _rates(found: Sequence[Findings], two: Findings | None) -> Iterator[str]:
    limit = found[0]
    columns = [*found[:2], *([two] if two is not None else []), *found[2:]]
    yield from _head("requests per second (p50, p99)", columns)
    for row in ROWS:
        cells = [
            _rate(each.loads[row.title], limit.loads[row.title])
            if row.title in each.loads
            else each.lacking.get(row.title, "-")
            for each in columns
        ]
        yield _line([row.title, *cells])
    least = limit.memory.proportional
    memory = [
        f"{taken / 1e6:,.0f} MB ({taken / least:,.0f} x)" if (taken := each.memory.proportional) else "-"
        for each in columns
    ]
    yield _line(["peak memory, what processes share counted once", *memory])


def _cold(measured: Measured, found: Sequence[Findings]) -> Iterator[str]:
    proxy = measured.proxy
    columns = [proxy, *found, measured.restarted]
    yield _line(["whole install", *(each.system.name for each in columns[:-1]), "ours, after a restart"])
    yield _line(["---"] * (len(columns) + 1))
    for name, title in (("python", "`uv pip install`, cold"), ("npm", "`npm ci`, cold")):
        yield _line([title, *(_install(each.cold.get(name), proxy.cold[name]) for each in columns)])
        asked = [str(each.cold[name].upstream) if name in each.cold else "-" for each in columns]
        yield _line(["requests upstream", *asked])


def _memory(measured: Measured) -> str:
    ours, restarted = measured.ours, measured.restarted
    return (
        f"Started in {ours.system.start_seconds:.1f} s, at rest after {ours.system.start_cpu:.1f} s of CPU. Peak"
        f" memory of cold and warm installs and all requests: {_taken(ours.memory)}; after a restart, of installs and the crowd below: {_taken(restarted.memory)}."
    )


def _taken(memory: Memory) -> str:
    return (
        f"{memory.proportional / 1e6:,.0f} MB at one moment, what processes share counted once"
        f" ({memory.peaks / 1e6:,.0f} MB where each process counts with all it shares, at its own highest)"
    )


def _crowds(measured: Measured) -> str:
    if measured.crowd is None:
        return ""
    crowd = measured.crowd
    lines = [
        (
            f"300 connections, mixed requests, open loop at {crowd.rate:,.0f} a second (half of {crowd.capacity:,.0f}) for"
            f" {crowd.seconds:.0f} s; unloaded median of a small index {crowd.unloaded * 1e3:.2f} ms."
        ),
        "",
        "| | answers | wrong | small index p50 | p99 | the generator's own lateness, p99 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, each in (("nginx", measured.crowded_limit), ("the appliance", crowd)):
        if each is not None:
            times = " | ".join(f"{value * 1e3:.2f} ms" for value in (each.p50, each.p99, each.late))
            lines.append(f"| {name} | {each.answers:,} | {each.wrong} | {times} |")
    return "\n".join(lines)


def commit() -> str:
    """What is checked out, and whether it was changed since."""
    command = ["git", "describe", "--always", "--dirty=, changed", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def head(measured: str, versions: Mapping[str, str]) -> str:
    """When it was measured, what, and on what machine: `measured` is the commit, `versions` are those of nginx
    and the peers."""
    named = {
        "registry appliance": __version__,
        "Python": platform.python_version(),
        "aiohttp": aiohttp.__version__,
    }
    named |= {**versions, "uv": metadata.version("uv"), "npm": _npm()}
    said = ", ".join(f"{name} {version}" for name, version in named.items())
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit {measured}: {said}; {_machine()}."


def write(text: str) -> None:
    """Put head and tables into the page."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def _head(title: str, columns: Sequence[Findings]) -> Iterator[str]:
    yield _line([title, *(each.system.name for each in columns)])
    yield _line(["---"] * (len(columns) + 1))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ratio(value: float, against: float, what: str) -> str:
    shown = f"{value * 1e6:,.0f} µs" if what == "request" else f"{value:.2f} s"
    return f"{shown} ({value / against:.1f} x)" if against else shown


def _rate(load: Load, against: Load) -> str:
    return f"{load.rate:,.0f}, {load.rate / against.rate:.2f} x ({load.p50 * 1e3:.1f} ms, {load.p99 * 1e3:.1f} ms)"


def _install(install: Install | None, against: Install) -> str:
    if install is None:
        return "-"
    return "failed" if install.failure else _ratio(install.cpu, against.cpu, "install")


def _npm() -> str:
    manifest = Path(NPM[1]).parents[1] / "package.json"
    return str(json.loads(manifest.read_text("utf-8"))["version"])


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    return f"{sum(line.startswith('processor') for line in lines)} cores of {model}"
