"""Measure the look-alike check on labelled names: scripts/lookalike-report FOLDER [--errors]

FOLDER holds, per ecosystem, {pypi,npm}_positives*.tsv (a header, then name and target) and
{pypi,npm}_longtail*.txt (harmless names). Prints recall, false alarms, the share of right targets, latency,
memory and start time; with --errors also what was missed and what was flagged wrongly.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from registry.model.names import Project  # noqa: E402
from registry.policy.engine import Policy, Rulebook  # noqa: E402
from registry.policy.entries import Roster  # noqa: E402
from registry.policy.lookalike.index import LookalikeIndex, Resemblance  # noqa: E402
from registry.policy.lookalike.rule import Lookalike  # noqa: E402
from registry.policy.names import KnownNames, shipped_names  # noqa: E402
from registry.policy.ownership import Owned  # noqa: E402

ECOSYSTEMS = ("pypi", "npm")
SCORES = {"hold": 0.5, "deny": 0.9}
NOW = datetime.now(UTC)


def main() -> None:
    """Print the table."""
    if sys.argv[1:] == ["--start"]:
        print_start()
        return
    arguments = [argument for argument in sys.argv[1:] if argument != "--errors"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    folder, errors = Path(arguments[0]), "--errors" in sys.argv
    known = {name: shipped_names(name) for name in ECOSYSTEMS}
    columns = (
        "ecosystem",
        "from",
        "recall",
        "right target",
        "false alarms",
        "known flagged",
        "known",
        "unknown",
    )
    print(f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", sep="\n")
    for ecosystem in ECOSYSTEMS:
        report(ecosystem, known, folder, errors=errors)
    print(flush=True)
    subprocess.run([sys.executable, __file__, "--start"], check=True)


def print_start() -> None:
    """Both ecosystems in a process of its own: time and memory."""
    before = memory()
    began = time.perf_counter()
    known = {name: shipped_names(name) for name in ECOSYSTEMS}
    indexes = [LookalikeIndex(name, known) for name in ECOSYSTEMS]
    for names in known.values():
        names.warm()
    took = time.perf_counter() - began
    after = memory()
    counts = " and ".join(f"{len(known[name]):,} {name}" for name in ECOSYSTEMS)
    kept, most = (after[key] - before["VmRSS"] for key in ("VmRSS", "VmHWM"))
    print(
        f"{len(indexes)} ecosystems, {counts} names: {took:.2f} s to start, {kept} MB kept, {most} MB at most"
    )


def memory() -> dict[str, int]:
    """Megabytes of this process: now (VmRSS) and at most (VmHWM)."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {
        parts[0].rstrip(":"): int(parts[1]) // 1024 for parts in lines if parts and parts[0].startswith("Vm")
    }


def report(ecosystem: str, known: dict[str, KnownNames], folder: Path, *, errors: bool) -> None:
    """The rows of one ecosystem."""
    positives = [
        tuple(line.split("\t")[:2])
        for path in sorted(folder.glob(f"{ecosystem}_positives*.tsv"))
        for line in path.read_text().splitlines()[1:]
    ]
    tails = sorted(folder.glob(f"{ecosystem}_longtail*.txt"))
    tail = [name for path in tails for name in path.read_text().split()]
    if not positives or not tail:
        sys.exit(f"{folder} has no {ecosystem}_positives*.tsv or no {ecosystem}_longtail*.txt.")
    index = LookalikeIndex(ecosystem, known)
    flagged = [(name, target, index.nearest(name)) for name, target in positives]
    times, harmless = [], []
    for name in tail:
        began = time.thread_time()
        harmless.append((name, index.nearest(name)))
        times.append(time.thread_time() - began)
    for word, score in SCORES.items():
        hits = [(target, found) for _, target, found in flagged if found and found.score >= score]
        right = sum(found.target == target for target, found in hits)
        alarms = sum(found is not None and found.score >= score for _, found in harmless)
        cells = (
            ecosystem,
            f"{word} {score}",
            f"{right / len(positives):.3f}",
            f"{right / max(1, len(hits)):.3f}",
            f"{alarms / len(tail):.2%}",
            str(sum(reaches(index.nearest(name), score) for name in known[ecosystem])),
            f"{known_name(ecosystem, index):.2f} us",
            quantiles(times),
        )
        print(f"| {' | '.join(cells)} |")
    if errors:
        for name, target, found in flagged:
            if found is None or found.score < SCORES["hold"] or found.target != target:
                print("missed", name, target, found and (found.target, found.kind, round(found.score, 2)))
        for name, found in harmless:
            if found and found.score >= SCORES["hold"]:
                print("false alarm", name, found.target, found.kind, round(found.score, 2))


def reaches(found: Resemblance | None, score: float) -> bool:
    """Whether something was found that is flagged."""
    return found is not None and found.score >= score


def known_name(ecosystem: str, index: LookalikeIndex) -> float:
    """Microseconds for a warm decision about a known name."""
    rule = Lookalike(index=index, allowed=Roster(()), hold=SCORES["hold"], deny=SCORES["deny"])
    policy = Policy("report", {ecosystem: Rulebook(mode="guarded", rules=(rule,), owned=Owned(()))})
    project = Project(ecosystem, next(iter(index.known)))
    policy.decide_project(project, NOW)
    began = time.perf_counter()
    for _ in range(100_000):
        policy.decide_project(project, NOW)
    return (time.perf_counter() - began) * 10


def quantiles(times: Sequence[float]) -> str:
    """The median, the 99th percentile and the worst."""
    ordered = sorted(times)
    marks = (ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1])
    return "p50 {:.0f} us, p99 {:.0f} us, worst {:.0f} us".format(*(mark * 1e6 for mark in marks))


if __name__ == "__main__":
    main()
