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
from tests.bench.peers import NAMES, install, peer, set_up, version
from tests.bench.replay import replayed
from tests.bench.targets import Measured


def main() -> None:
    """Parse, measure, print; write docs/performance.md where asked."""
    asked = _arguments()
    systems.stop_when_ended()
    if asked.growth:
        growth.main()
        return
    try:
        _compare(asked)
    except systems.NotMeasured as error:
        raise SystemExit(f"bench: {error}") from error


def _compare(asked: argparse.Namespace) -> None:
    """All but the growth of the cache alone."""
    captured, scratch, commit = asked.folder / "captured", asked.folder / "scratch", page.commit()
    captured.mkdir(parents=True, exist_ok=True)
    for name in asked.peers:
        install(name, asked.folder / name)
    capture(captured)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    if asked.quick:
        with systems.upstream(captured, scratch).running(scratch):
            replayed(captured, scratch)
        return
    with systems.upstream(captured, scratch).running(scratch):
        found = _measured(asked, captured, scratch)
    found.large = large.measured(scratch / "large")
    found.growth, found.told = growth.measured(scratch / "growth")
    _tell(asked, commit, found, [], {})
    if asked.peers:  # last: what was measured is told, whatever they do
        with systems.upstream(captured, scratch).running(scratch):
            _tell(asked, commit, found, *_peers(asked, scratch))


def _tell(
    asked: argparse.Namespace,
    commit: str,
    found: Measured,
    peers: list[Findings],
    versions: dict[str, str],
) -> None:
    """Print it all, and put it into the page."""
    head = page.head(commit, {"nginx": systems.nginx_version(), **versions})
    text = f"{head}\n\n{page.tables(found, peers)}"
    print(text, flush=True)
    if asked.write:
        page.write(text)


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
    """The other registries that were asked for, and their versions; one that fails spoils nobody's figures."""
    found, versions = [], {}
    for name in asked.peers:
        folder = asked.folder / name
        try:
            other = peer(name, folder)
            with other.running(scratch):
                set_up(other)
                found.append(measured(other, 1, asked.seconds))
        except systems.NotMeasured as error:
            print(f"  {name} is left out: {error}", flush=True)
        else:
            versions[name] = version(name, folder)
    return found, versions


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=f"{__doc__} A quarter of an hour, as long again with all peers. docs/performance.md says how to"
        " read what is printed.",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--quick", action="store_true", help="the workloads' requests replayed, a minute: for development"
    )
    instead.add_argument(
        "--growth",
        action="store_true",
        help="a cache of a thousand artifacts beside one of a million, two minutes",
    )
    parser.add_argument(
        "--peers", nargs="*", choices=NAMES, default=None, metavar="PEER",
        help=f"also measure these, of {', '.join(NAMES)} (all of them if none is named); installed from their registries",
    )  # fmt: skip
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("build/bench"),
        help="where to keep what is captured, the peers, and scratch (%(default)s)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="warm installs of each workload, of which the median counts (%(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, default=5, help="of load, for each kind of request (%(default)s)"
    )
    parser.add_argument(
        "--crowd", type=float, default=60, help="seconds of 300 connections, mixed (%(default)s); 0 for none"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    asked = parser.parse_args()
    if asked.rounds < 1:
        parser.error("--rounds: at least one")
    asked.peers = [] if asked.peers is None else asked.peers or list(NAMES)
    asked.folder = asked.folder.resolve()
    return asked


if __name__ == "__main__":
    main()
