"""Who keeps others from writing a database: a hint, from what the kernel tells of locks (proc(5))."""

from __future__ import annotations

import re
from pathlib import Path

_WRITING = range(120, 121)
"""Of the -shm file: SQLite's WAL_WRITE_LOCK."""
_PENDING = range(0x4000_0000, 0x4000_0000 + 512)
"""Of the database: what a program locks that doesn't know of the -wal file, or does away with it."""
_LOCK = re.compile(r"\d+: \S+ +\S+ +WRITE +(-?\d+) \S+:(\d+) (\d+) (\d+|EOF)")


def lock_holder(database: Path) -> str | None:
    """`process 4711 (sqlite3)`; None where nobody holds the lock (any more), or the kernel doesn't say."""
    try:
        locks = Path("/proc/locks").read_text("ascii")
        places = {database.with_name(f"{database.name}-shm").stat().st_ino: _WRITING}
        places[database.stat().st_ino] = _PENDING
    except OSError:
        return None
    for pid, inode, start, end in _LOCK.findall(locks):
        wanted = places.get(int(inode))
        if wanted and int(start) < wanted.stop and (end == "EOF" or int(end) >= wanted.start):
            return _named(int(pid))
    return None


def _named(pid: int) -> str:
    if pid <= 0:
        return "a process of another container"
    try:
        return f"process {pid} ({Path(f'/proc/{pid}/comm').read_text('utf-8', errors='replace').strip()})"
    except OSError:
        return f"process {pid}"
