"""`registry serve`, and a witness on its loop: a line for each time that the loop did nothing else for long.

Usage: python -m tests.bench.watched FILE; a line is the monotonic time and the length of a gap, in seconds. The
time for which the loop's thread was ready and other processes had the processors doesn't count.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

TICK = 0.001
LONG = 0.005


async def witness(file: Path) -> None:
    """Write down what is longer than `LONG`."""
    with file.open("a", buffering=1) as lines:
        before, starved = time.monotonic(), starvation()
        while True:
            await asyncio.sleep(TICK)
            now, starved_now = time.monotonic(), starvation()
            gap = now - before - TICK - (starved_now - starved)
            if gap > LONG:
                lines.write(f"{before} {gap}\n")
            before, starved = now, starved_now


def starvation() -> float:
    """Seconds for which this thread has waited for a processor so far."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


async def main() -> None:
    """Serve until SIGTERM."""
    # Here, as `registry serve` does it: a worker process imports this file again, and needs none of it.
    from registry.app.serving import bound_socket, serve
    from registry.settings import load_settings

    settings = load_settings(dict(os.environ), Path.cwd())
    watching = asyncio.create_task(witness(Path(sys.argv[1])))
    try:
        await serve(settings, bound_socket(settings))
    finally:
        watching.cancel()


if __name__ == "__main__":
    asyncio.run(main())
