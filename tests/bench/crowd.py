"""Many connections at once, in an open loop, at half of what the appliance can do; and nginx under the same."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.generator import Plan, Request, generate
from tests.bench.load import closed_loop
from tests.bench.measure import ROWS, address
from tests.bench.systems import System

CONNECTIONS = 300
_MIX = {
    "small simple index": 30.0, "304 of it": 20.0, "wheel of 7 kB": 20.0, "small packument": 20.0,
    "tarball of 3 kB": 8.45, "simple index of numpy": 1.0, "packument of typescript": 0.5, "wheel of 17 MB": 0.05,
}  # fmt: skip
"""Kinds of request, and how many of a hundred are of it. The first one's times are told."""
_WARMING = 2.0
_CAPACITY = 10.0
"""Seconds in which all connections ask as fast as they are answered."""


@dataclass(frozen=True)
class Crowd:
    """How it went; times in seconds, of the small index."""

    capacity: float
    """Requests a second of the same mix and connections, each asking again as soon as it is answered."""
    rate: float
    seconds: float
    answers: int
    wrong: int
    p50: float
    p99: float
    unloaded: float
    """Median of one connection that asks for nothing else."""
    late: float
    """How late the generator itself sent, the 99th of a hundred: its part of p99."""


def crowded(system: System, seconds: float, rate: float | None = None) -> Crowd:
    """300 connections for `seconds`, at `rate` a second or at half of the capacity."""
    rows = [row for row in ROWS if row.title in _MIX]
    rows.sort(key=lambda row: list(_MIX).index(row.title))
    requests = []
    for row in rows:
        url, headers = address(system, row)
        requests.append(Request(url.removeprefix(system.url), headers, _MIX[row.title]))
        closed_loop(system.pid, url, headers, 1)
    unloaded = closed_loop(system.pid, *address(system, rows[0]), 2, connections=1).p50
    full = generate(system.port, Plan(tuple(requests), CONNECTIONS, _CAPACITY))
    capacity = full.answers / full.seconds
    rate = rate or capacity / 2
    generate(system.port, Plan(tuple(requests), CONNECTIONS, _WARMING, rate))
    outcome = generate(system.port, Plan(tuple(requests), CONNECTIONS, seconds, rate))
    crowd = Crowd(
        capacity=capacity,
        rate=rate,
        seconds=seconds,
        answers=outcome.answers,
        wrong=outcome.wrong + full.wrong,
        p50=_share(outcome.took[0], 0.5),
        p99=_share(outcome.took[0], 0.99),
        unloaded=unloaded,
        late=_share(outcome.late, 0.99),
    )
    print(f"  {system.name}: {crowd}", flush=True)
    return crowd


def _share(times: list[float], share: float) -> float:
    """What so much of them stayed below."""
    return sorted(times)[int(len(times) * share)]
