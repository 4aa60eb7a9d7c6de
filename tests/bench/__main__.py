"""`scripts/bench`: the appliance beside nginx over the same bytes, and beside the other registries."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tests.bench import growth, large, page, static, systems
from tests.bench.capture import capture
from tests.bench.crowd import Crowd, crowded
from tests.bench.measure import Findings, installs, measured, warm
from tests.bench.peers import NAMES, peer, set_up, version
from tests.bench.replay import replayed


def main() -> None:
    """Parse, measure, print; write docs/performance.md where asked."""
    asked = _arguments()
    if asked.growth:
        growth.main()
        return
    captured, scratch = asked.folder / "captured", asked.folder / "scratch"
    captured.mkdir(parents=True, exist_ok=True)
    capture(captured)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    if asked.quick:
        with systems.upstream(captured, scratch).running(scratch):
            replayed(captured, scratch)
        return
    found: list[Findings] = []
    restarted: Findings
    crowd: Crowd | None = None
    with systems.upstream(captured, scratch).running(scratch):
        appliance = systems.appliance(scratch / "appliance", asked.workers)
        with appliance.running(scratch):
            ours = measured(appliance, asked.rounds, asked.seconds)
            static.build(appliance, captured, scratch / "static")
        with appliance.running(scratch):
            restarted = Findings(appliance, cold=installs(appliance))
            restarted.warm = installs(appliance)
            restarted.memory = systems.memory(appliance)
            if asked.crowd:
                crowd = crowded(appliance, ours, asked.crowd)
        limit = systems.limit(scratch / "static", scratch)
        with limit.running(scratch):
            found.append(warm(Findings(limit), asked.rounds, asked.seconds))
        found.append(ours)
        proxy = systems.proxy(scratch)
        with proxy.running(scratch):
            cold = Findings(proxy, cold=installs(proxy))
        versions = {}
        for name in asked.peers:
            folder = asked.folder / name
            other = peer(name, folder)
            versions[name] = version(name, folder)
            with other.running(scratch):
                set_up(other)
                found.append(measured(other, 1, asked.seconds))
    text = "\n\n".join(
        (page.table(found, cold, restarted, crowd), large.table(large.measured(scratch / "large")))
    )
    print(text)
    if asked.write:
        page.write(text, versions)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="the workloads' requests replayed, a minute: for development"
    )
    parser.add_argument(
        "--growth",
        action="store_true",
        help="a cache of a thousand artifacts beside one of a million, two minutes",
    )
    parser.add_argument(
        "--peers", nargs="*", choices=NAMES, default=[], metavar="PEER",
        help=f"also measure these; installed from their registries: {', '.join(NAMES)}",
    )  # fmt: skip
    parser.add_argument(
        "--folder", type=Path, default=Path("build/bench"), help="what is captured, and scratch"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="warm installs of each workload; the median counts"
    )
    parser.add_argument("--seconds", type=float, default=5, help="of load, for each kind of request")
    parser.add_argument(
        "--crowd", type=float, default=20, help="seconds of 300 connections, mixed; 0 for none"
    )
    parser.add_argument("--workers", type=int, default=1, help="gateway processes")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    asked.folder = asked.folder.resolve()
    return asked


if __name__ == "__main__":
    main()
