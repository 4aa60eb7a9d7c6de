"""What a process and everything below it has used, out of /proc."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> set[int]:
    """The process and its living descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree, of children that ended and were waited for too."""
    total = 0
    for each in tree(pid):
        total += sum(map(int, _stat(each)[11:15] or (0,)))
    return total / _TICK


def settle(pid: int, seconds: float, patience: float = 120.0) -> None:
    """Wait, `patience` seconds at most, until the tree did next to nothing for so many: what it was asked
    before is no part of what is measured next."""
    ends, spent = time.monotonic() + patience, -seconds
    while (now := cpu_seconds(pid)) - spent > seconds / 20 and time.monotonic() < ends:
        spent = now
        time.sleep(seconds)


def peak_memory(pid: int) -> int:
    """The largest resident sizes that the tree's processes had, in bytes, added up."""
    return sum(_memory(each, "VmHWM") for each in tree(pid))


def resident(pid: int) -> tuple[int, int]:
    """What the tree has in memory now, in bytes: pages that its processes share counted for each, and once."""
    each, once = 0, 0
    for process in tree(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        found = {
            words[0]: int(words[1]) * 1024 for line in lines if (words := line.split())[0] in {"Rss:", "Pss:"}
        }
        each, once = each + found.get("Rss:", 0), once + found.get("Pss:", 0)
    return each, once


@dataclass
class Memory:
    """The most that was seen of a tree's memory, in bytes."""

    resident: int = 0
    """At one moment, what its processes share counted for each."""
    proportional: int = 0
    """At one moment, what they share counted once: what the tree takes from its machine."""
    peaks: int = 0
    """Each process at its own highest, added up: never that much at once, and what they share counted for each."""

    def also(self, other: Memory) -> Memory:
        """The more of both."""
        return Memory(
            max(self.resident, other.resident),
            max(self.proportional, other.proportional),
            max(self.peaks, other.peaks),
        )


@contextmanager
def watching(pid: int, every: float) -> Iterator[Memory]:
    """Look at the tree's memory all the while, `every` so many seconds."""
    seen, done = Memory(), threading.Event()

    def look() -> None:
        while not done.wait(every):
            each, once = resident(pid)
            seen.resident, seen.proportional = max(seen.resident, each), max(seen.proportional, once)
            seen.peaks = max(seen.peaks, peak_memory(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _memory(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _stat(pid: int) -> list[str]:
    """The fields after the command, which may itself have spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
