"""The supervisor as a program of its own, over fake parts that report through a pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

PROGRAM = Path(__file__).with_name("fake_appliance.py")


@dataclass
class Running:
    process: subprocess.Popen[str]
    reports: IO[str]

    def pids(self, *names: str) -> dict[str, int]:
        """Wait until each of the parts has said that it runs."""
        found: dict[str, int] = {}
        while set(names) - set(found):
            name, _, pid = self.next_report().partition(" ")
            found[name] = int(pid)
        return found

    def next_report(self) -> str:
        line = self.reports.readline()
        assert line, "every part is gone"
        return line.strip()

    def said(self, text: str) -> str:
        """Wait until the supervisor has said it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"never said: {text}")

    def every_process_is_gone(self) -> bool:
        """Waits for the pipe's end: nobody holds it any more."""
        while self.reports.readline():
            pass
        return True


@contextmanager
def running(logs: Path, *parts: str) -> Iterator[Running]:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(logs), str(writing), *parts],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(writing)
    with os.fdopen(reading) as reports, process:
        try:
            yield Running(process, reports)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_and_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path, "gateway", "store", "stubborn", "parent") as appliance:
        appliance.pids("gateway", "store", "stubborn", "parent")
        appliance.said("ready")
        appliance.process.send_signal(number)
        assert appliance.every_process_is_gone()
        assert appliance.process.wait() == 0


def test_killing_the_supervisor_leaves_no_part(tmp_path: Path) -> None:
    with running(tmp_path, "gateway", "store", "stubborn") as appliance:
        appliance.pids("gateway", "store", "stubborn")
        appliance.process.kill()
        assert appliance.every_process_is_gone()


@pytest.mark.parametrize("name", ["gateway", "store", "parent"])
def test_a_part_that_is_killed_is_started_again_and_the_operator_is_told(name: str, tmp_path: Path) -> None:
    with running(tmp_path, "gateway", "store", "parent") as appliance:
        first = appliance.pids("gateway", "store", "parent")
        appliance.said("ready")
        os.kill(first[name], signal.SIGKILL)
        assert appliance.pids(name)[name] != first[name]
        assert "SIGKILL" in appliance.said(f"{name} was killed")


def test_hang_up_has_the_gateway_reload(tmp_path: Path) -> None:
    with running(tmp_path, "gateway", "store") as appliance:
        appliance.pids("gateway", "store")
        appliance.said("ready")
        appliance.process.send_signal(signal.SIGHUP)
        assert appliance.next_report() == "reloaded"


def test_a_gateway_that_fails_at_start_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    with running(tmp_path, "gateway-that-fails", "store") as appliance:
        assert appliance.every_process_is_gone()
        assert appliance.process.wait() == 1
        assert appliance.process.stdout is not None
        said = appliance.process.stdout.read()
        assert "the volume is somebody else's" in said
        assert "broken off" in said
        assert "ready" not in said.splitlines()


def test_what_a_part_prints_is_in_its_log_and_errors_are_on_the_terminal(tmp_path: Path) -> None:
    with running(tmp_path, "gateway", "store") as appliance:
        appliance.said("store: ERROR: store complains")
        appliance.process.terminate()
        appliance.process.wait()
    assert "store: ERROR: store complains" in (tmp_path / "store.log").read_text()
