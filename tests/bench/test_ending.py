"""Whatever ends a run, nothing that it started stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.systems import ROOT

RUN = """
import signal, subprocess, sys
from pathlib import Path
from tests.bench.systems import System, stop_when_ended
from tests.e2e.house import free_port

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
stop_when_ended()
port = free_port()
command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
with System("small", port, command).running(Path(sys.argv[1])) as small:
    print(small.pid, flush=True)
    subprocess.run(["sleep", "100"])
"""
"""A bench in miniature: a server under test, and a client that is waited for."""


@contextlib.contextmanager
def measuring(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run that waits for its client; and its server's process."""
    command = [sys.executable, "-c", RUN, str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stdout is not None
        try:
            yield run, int(run.stdout.readline())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)  # all that a test that fails leaves behind


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_run_that_is_ended_stops_its_server_first(number: signal.Signals, tmp_path: Path) -> None:
    with measuring(tmp_path) as (run, server):
        os.kill(server, 0)
        run.send_signal(number)
        assert run.wait() == 128 + number
        with pytest.raises(ProcessLookupError):
            os.kill(server, 0)
