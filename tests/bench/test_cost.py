"""What a process tree has used, out of /proc."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.bench.cost import cpu_seconds, settle

BUSY = """
import sys, time
ends = time.process_time() + 0.5
print("begun", flush=True)
while time.process_time() < ends:
    pass
sys.stdin.read()
"""
"""Half a second of CPU, and then nothing until its input ends."""
NEARLY = 0.45
"""Seconds: the kernel counts in hundredths, user's and its own apart."""


def test_what_was_begun_before_is_over_once_it_has_settled() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        settle(process.pid, 0.5)
        assert cpu_seconds(process.pid) >= NEARLY


def test_a_child_that_has_ended_still_counts() -> None:
    spent = cpu_seconds(os.getpid())
    subprocess.run(
        [sys.executable, "-c", BUSY], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True
    )
    assert cpu_seconds(os.getpid()) - spent >= NEARLY
