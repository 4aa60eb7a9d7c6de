"""The tables of a run: ratios against nginx, words where nothing could be measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import page
from tests.bench.cost import Memory
from tests.bench.load import Load
from tests.bench.measure import ROWS, Findings, Install
from tests.bench.systems import System
from tests.bench.targets import Measured


def findings(name: str, times: float) -> Findings:
    """A system that needs so many times of nginx's CPU and memory, and does so much fewer requests."""
    install = Install(cpu=0.5 * times, seconds=3, upstream=7, failure="")
    return Findings(
        System(name, 1, ()),
        cold=dict.fromkeys(("python", "npm"), install),
        warm=dict.fromkeys(("python", "npm"), install),
        loads={row.title: Load(2e-5 * times, 40_000 / times, 0.0005, 0.002, 0) for row in ROWS},
        memory=Memory(proportional=int(5e6 * times), peaks=int(6e6 * times)),
    )


def measured() -> Measured:
    """We take four times of what nginx does."""
    return Measured(
        ours=findings("the appliance", 4),
        restarted=findings("the appliance", 4),
        limit=findings("nginx", 1),
        proxy=findings("nginx proxy_cache", 1),
    )


def rows(text: str) -> dict[str, str]:
    """Each row of the tables, by the first of its cells and the head of its table."""
    found, head = {}, ""
    for line in text.splitlines():
        if line.startswith("| "):
            first, _, rest = line[2:].partition(" | ")
            head = head or first
            found[f"{head}: {first}"] = rest
        else:
            head = ""
    return found


def test_cpu_rate_and_memory_are_told_as_ratios_against_nginx() -> None:
    found = rows(page.tables(measured(), []))
    assert found["CPU: small packument"] == "20 µs (1.0 x) | 80 µs (4.0 x) |"
    rates = "requests per second (p50, p99): "
    assert (
        found[f"{rates}small packument"]
        == "40,000, 1.00 x (0.5 ms, 2.0 ms) | 10,000, 0.25 x (0.5 ms, 2.0 ms) |"
    )
    assert found[f"{rates}peak memory, what processes share counted once"] == "5 MB (1 x) | 20 MB (4 x) |"
    assert found["work: wheel of 17 MB"] == "≤ 1.5 x | 4.0 x | missed |"


def test_what_a_peer_lacks_is_said_in_its_cells() -> None:
    peer = findings("peer", 9)
    del peer.loads["wheel of 17 MB"], peer.loads["304 of it"], peer.warm["npm"], peer.cold["npm"]
    peer.warm["python"] = Install(cpu=1, seconds=1, upstream=0, failure="error: no such file")
    peer.lacking = {"wheel of 17 MB": "redirects away"}
    found = rows(page.tables(measured(), [peer]))
    for kind in ("CPU", "requests per second (p50, p99)"):
        assert found[f"{kind}: wheel of 17 MB"].endswith("| redirects away |")
        assert found[f"{kind}: 304 of it"].endswith("| - |")
    assert found["CPU: whole `uv pip install`, warm"].endswith("| failed |")
    assert found["CPU: whole `npm ci`, warm"].endswith("| - |")


def test_the_head_names_the_date_the_commit_and_every_version() -> None:
    head = page.head(page.commit(), {"nginx": "1.22.1", "devpi-server": "6.20.3"})
    for named in (
        "Measured on 20",
        " at commit ",
        "nginx 1.22.1, ",
        "devpi-server 6.20.3",
        ", uv 0.",
        ", npm 1",
        "cores of",
    ):
        assert named in head


def test_the_tables_take_the_place_of_those_before_and_leave_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "performance.md"
    written.write_text(f"# Said by people\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\n## Said by people too\n")
    monkeypatch.setattr(page, "PAGE", written)
    page.write("new")
    assert written.read_text() == (
        f"# Said by people\n\n{page.BEGIN}\n\nnew\n\n{page.END}\n\n## Said by people too\n"
    )
