"""`scripts/bench`: the appliance beside nginx over the same bytes, and beside the other registries."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from tests.bench import growth, large, page, static, systems
from tests.bench.capture import capture
from tests.bench.cost import watching
from tests.bench.crowd import Crowd, crowded
from tests.bench.measure import LOOK, Findings, installs, loads, measured, warm, whole
from tests.bench.peers import NAMES, peer, set_up, version
from tests.bench.replay import replayed
from tests.bench.targets import Measured


def main() -> None:
    """Parse, measure, print; write docs/performance.md where asked."""
    asked = _arguments()
    systems.stop_when_ended()
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
    with systems.upstream(captured, scratch).running(scratch):
        found = _measured(asked, captured, scratch)
        peers, versions = _peers(asked, scratch)
    found.large = large.measured(scratch / "large")
    found.growth, found.told = growth.measured(scratch / "growth")
    text = page.tables(found, peers)
    print(text)
    if asked.write:
        page.write(text, versions)


def _measured(asked: argparse.Namespace, captured: Path, scratch: Path) -> Measured:
    """The appliance and nginx, over the same bytes."""
    crowd: Crowd | None = None
    crowded_limit: Crowd | None = None
    appliance = systems.appliance(scratch / "appliance")
    with appliance.running(scratch):
        ours = whole(measured(appliance, asked.rounds, asked.seconds))
        static.build(appliance, captured, scratch / "static")
    two = Findings(replace(systems.appliance(scratch / "appliance", 2), name="ours, two workers"))
    with two.system.running(scratch):
        loads(two, asked.seconds)
    with appliance.running(scratch):
        restarted = Findings(appliance)
        with watching(appliance.pid, LOOK) as restarted.memory:
            restarted.cold = installs(appliance)
            restarted.warm = installs(appliance)
            if asked.crowd:
                crowd = crowded(appliance, asked.crowd)
    limit = systems.limit(scratch / "static", scratch)
    with limit.running(scratch):
        limited = Findings(limit)
        with watching(limit.pid, LOOK) as limited.memory:
            whole(warm(limited, asked.rounds, asked.seconds))
        if crowd is not None:
            crowded_limit = crowded(limit, asked.crowd, crowd.rate)
    proxy = systems.proxy(scratch)
    with proxy.running(scratch):
        proxied = Findings(proxy, cold=installs(proxy))
    return Measured(ours, restarted, limited, proxied, two, crowd, crowded_limit)


def _peers(asked: argparse.Namespace, scratch: Path) -> tuple[list[Findings], dict[str, str]]:
    """The other registries that were asked for, and their versions."""
    found, versions = [], {}
    for name in asked.peers:
        folder = asked.folder / name
        other = peer(name, folder)
        versions[name] = version(name, folder)
        with other.running(scratch):
            set_up(other)
            found.append(measured(other, 1, asked.seconds))
    return found, versions


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
        "--crowd", type=float, default=60, help="seconds of 300 connections, mixed; 0 for none"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    asked.folder = asked.folder.resolve()
    return asked


if __name__ == "__main__":
    main()
