"""Many connections at once, in an open loop, at half of what the appliance can do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.load import closed_loop, open_loop
from tests.bench.measure import ROWS, Findings, address
from tests.bench.systems import System

CONNECTIONS = 300
_SMALL = ROWS[0]
_MIX = ((ROWS[0], 30.0), (ROWS[1], 20.0), (ROWS[3], 20.0), (ROWS[5], 20.0), (ROWS[7], 9.0), (ROWS[2], 1.0))
"""Kinds of request and their weights."""


@dataclass(frozen=True)
class Crowd:
    """How it went."""

    rate: float
    seconds: float
    requests: int
    wrong: int
    p99: float
    """Of the small index, in seconds."""
    unloaded: float
    """Median of the small index alone, in seconds."""


def crowded(system: System, findings: Findings, seconds: float) -> Crowd:
    """300 connections for `seconds`."""
    mean = sum(weight * findings.loads[row.title].cpu for row, weight in _MIX) / sum(w for _, w in _MIX)
    rate = 0.5 / mean
    paths: list[tuple[str, Mapping[str, str], float]] = []
    for row, weight in _MIX:
        url, headers = address(system, row)
        paths.append((url.removeprefix(system.url), headers, weight))
    url, headers = address(system, _SMALL)
    unloaded = closed_loop(system.pid, url, headers, 2, connections=1).p50
    answers = asyncio.run(open_loop(system.port, paths, rate, seconds, CONNECTIONS))
    small = sorted(answer.seconds for answer in answers if answer.path == paths[0][0])
    return Crowd(
        rate=rate,
        seconds=seconds,
        requests=len(answers),
        wrong=sum(not answer.right for answer in answers),
        p99=small[int(len(small) * 0.99)],
        unloaded=unloaded,
    )
