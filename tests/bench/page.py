"""The findings as a table, and docs/performance.md around it."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from registry import __version__
from tests.bench.crowd import Crowd
from tests.bench.measure import ROWS, Findings, Install
from tests.bench.systems import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
"""Between these lines the page is written by `scripts/bench --write`, the rest by people."""


def table(found: Sequence[Findings], cold: Findings, restarted: Findings, crowd: Crowd | None) -> str:
    """Everything, in Markdown; the first of `found` is the limit that the ratios are against."""
    limit, ours = found[0], found[1]
    lines = [_line(["CPU", *(each.system.name for each in found)]), _line(["---"] * (len(found) + 1))]
    for row in ROWS:
        cells = [row.title]
        for each in found:
            load = each.loads.get(row.title)
            cells.append(_ratio(load.cpu, limit.loads[row.title].cpu, "request") if load else "-")
        lines.append(_line(cells))
    for name, title in (("python", "whole `uv pip install`, warm"), ("npm", "whole `npm ci`, warm")):
        cells = [title]
        for each in found:
            install = each.warm.get(name)
            cells.append(_install(install, limit.warm[name]))
        lines.append(_line(cells))
    lines += ["", _line(["requests per second (p50, p99)", *(each.system.name for each in found)])]
    lines.append(_line(["---"] * (len(found) + 1)))
    for row in ROWS:
        cells = [row.title]
        for each in found:
            load = each.loads.get(row.title)
            cells.append(
                f"{load.rate:,.0f} ({load.p50 * 1e3:.1f} ms, {load.p99 * 1e3:.1f} ms)" if load else "-"
            )
        lines.append(_line(cells))
    lines.append(_line(["peak memory", *(f"{each.memory / 1e6:,.0f} MB" for each in found)]))
    lines += [
        "",
        _line(["whole install", *(each.system.name for each in (cold, *found[1:])), "ours, after a restart"]),
    ]
    lines.append(_line(["---"] * (len(found) + 2)))
    for name, title in (("python", "`uv pip install`, cold"), ("npm", "`npm ci`, cold")):
        cells = [title]
        for each in (cold, *found[1:], restarted):
            cells.append(_install(each.cold.get(name), cold.cold[name]))
        lines.append(_line(cells))
        cells = ["requests upstream"]
        for each in (cold, *found[1:], restarted):
            cells.append(str(each.cold[name].upstream) if name in each.cold else "-")
        lines.append(_line(cells))
    lines.append("")
    lines.append(
        f"Started in {ours.system.start_seconds:.1f} s; peak memory after a restart and one install of"
        f" each workload: {restarted.memory / 1e6:,.0f} MB."
    )
    if crowd is not None:
        lines.append("")
        lines.append(
            f"300 connections, mixed requests, open loop at {crowd.rate:,.0f} a second for {crowd.seconds:.0f} s:"
            f" {crowd.requests:,} answers, {crowd.wrong} of them wrong; small index p99 {crowd.p99 * 1e3:.1f} ms,"
            f" unloaded median {crowd.unloaded * 1e3:.2f} ms."
        )
    return "\n".join(lines)


def write(text: str, versions: Mapping[str, str]) -> None:
    """Put the table into the page, with the date and what was measured."""
    named = {
        "registry appliance": __version__,
        "Python": platform.python_version(),
        "aiohttp": aiohttp.__version__,
    }
    named |= {"nginx": _nginx(), **versions}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    said = ", ".join(f"{name} {version}" for name, version in named.items())
    head = f"Measured on {datetime.now(UTC):%Y-%m-%d} at commit {commit}: {said}; {_machine()}."
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{head}\n\n{text}\n\n{END}{after}", "utf-8")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ratio(value: float, against: float, what: str) -> str:
    shown = f"{value * 1e6:,.0f} µs" if what == "request" else f"{value:.2f} s"
    return f"{shown} ({value / against:.1f} x)" if against else shown


def _install(install: Install | None, against: Install) -> str:
    if install is None:
        return "-"
    return "failed" if install.failure else _ratio(install.cpu, against.cpu, "install")


def _nginx() -> str:
    done = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    return f"{sum(line.startswith('processor') for line in lines)} cores of {model}"
