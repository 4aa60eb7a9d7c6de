"""What was to be reached, beside what was measured: met or missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench import growth, large
from tests.bench.crowd import Crowd
from tests.bench.measure import Findings

_SMALL = ("wheel of 7 kB", "tarball of 3 kB")
_LARGE = ("simple index of numpy", "packument of typescript")
_WORKLOADS = {"python": "`uv pip install`", "npm": "`npm ci`"}


@dataclass
class Measured:
    """Everything of one run; what wasn't measured is None."""

    ours: Findings
    restarted: Findings
    limit: Findings
    proxy: Findings
    two: Findings | None = None
    """Of two workers, its loads."""
    crowd: Crowd | None = None
    crowded_limit: Crowd | None = None
    """nginx at the same rate."""
    large: list[large.Request] = field(default_factory=list)
    growth: list[growth.Grown] = field(default_factory=list)
    told: str = ""
    """What else differs between the small cache and the large one."""


def table(measured: Measured) -> str:
    """In Markdown."""
    lines = ["| work | to reach | measured | |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(measured)]
    return "\n".join(lines)


def _rows(measured: Measured) -> Iterator[tuple[str, str, str, str]]:
    ours, limit = measured.ours, measured.limit
    for name, most in (("python", 2.0), ("npm", 2.2)):
        cost = ours.warm[name].cpu / limit.warm[name].cpu
        yield _times(f"whole {_WORKLOADS[name]}, warm", most, [cost])
    for title, most, rows in (
        (
            "small index, 304 of it, small packument",
            5.5,
            ("small simple index", "304 of it", "small packument"),
        ),
        ("small file, its delivery recorded: wheel, tarball", 8.0, _SMALL),
        ("index of numpy, packument of typescript", 2.0, _LARGE),
        ("wheel of 17 MB", 1.5, ("wheel of 17 MB",)),
    ):
        yield _times(title, most, [ours.loads[row].cpu / limit.loads[row].cpu for row in rows])
    for name, title in _WORKLOADS.items():
        cost = ours.cold[name].cpu / measured.proxy.cold[name].cpu
        yield _times(f"whole {title}, cold, against nginx `proxy_cache`", 4.0, [cost])
    taken = ours.memory.also(measured.restarted.memory).proportional
    yield _megabytes("peak memory of the whole run", 200, taken)
    if measured.large:
        most_taken = max(each.memory.proportional for each in measured.large)
        yield _megabytes("peak memory during a packument of 105 MB", 350, most_taken)
    if measured.crowd is not None:
        yield _crowd_row(measured.crowd)
    if measured.growth:
        worst = max(each.growth for each in measured.growth)
        yield _row(
            "warm request, 1,000,000 artifacts against 1,000", "1.2 x", f"{worst:.2f} x", worst <= growth.MOST
        )
    if measured.two is not None:
        shares = [load.cpu / ours.loads[title].cpu for title, load in measured.two.loads.items()]
        mean = sum(shares) / len(shares)
        told = f"{mean:.2f} x (from {min(shares):.2f} to {max(shares):.2f})"
        yield _row("request with two workers against one", "1.15 x", told, mean <= 1.15)


def _crowd_row(crowd: Crowd) -> tuple[str, str, str, str]:
    times = crowd.p99 / crowd.unloaded
    return _row(
        f"300 connections, {crowd.seconds:.0f} s at half of the capacity: p99 of a small index",
        "no error, 20 x its unloaded median",
        f"{crowd.wrong} errors, {times:.0f} x",
        crowd.wrong == 0 and times <= 20,
    )


def _times(title: str, most: float, costs: list[float]) -> tuple[str, str, str, str]:
    return _row(title, f"{most:g} x", ", ".join(f"{cost:.1f} x" for cost in costs), max(costs) <= most)


def _megabytes(title: str, most: int, taken: int) -> tuple[str, str, str, str]:
    return _row(title, f"{most} MB", f"{taken / 1e6:,.0f} MB", taken <= most * 1e6)


def _row(title: str, most: str, told: str, reached: bool) -> tuple[str, str, str, str]:
    return title, f"≤ {most}" if most[0].isdigit() else most, told, "met" if reached else "missed"
