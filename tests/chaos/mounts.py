"""Real file systems for tests that break them: mounted by root, in a process that may; else skipped, saying why."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BINDFS = shutil.which("bindfs")


def run(*command: str | Path) -> None:
    """A command that has to succeed."""
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)


def require_mounting() -> None:
    """Skip unless this process may mount; inside a container it usually may not."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount: run this test as root")
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"mounting isn't allowed here: {tried.stderr.strip()[-100:]}")


@contextmanager
def tmpfs(point: Path, mebibytes: int) -> Iterator[Path]:
    """A small disk in memory."""
    with _mounted(point, "mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", point):
        yield point


@contextmanager
def image(file: Path, point: Path) -> Iterator[Path]:
    """The ext4 file system in a file. With a journal of its own, so a copy of the file is a power cut."""
    with _mounted(point, "mount", "-o", "loop", file, point):
        yield point


@contextmanager
def read_only(point: Path) -> Iterator[None]:
    """A mounted file system, not writable for a while."""
    run("mount", "-o", "remount,ro", point)
    try:
        yield
    finally:
        run("mount", "-o", "remount,rw", point)


def make_image(file: Path, mebibytes: int) -> Path:
    """An empty ext4 file system in a file."""
    with file.open("wb") as disk:
        disk.truncate(mebibytes << 20)
    run("mkfs.ext4", "-q", "-F", file)
    return file


class Distant:
    """A directory seen through a file system of another process, as a NAS is: it can be stopped."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Every call that gets there waits, for as long as this lasts."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def distant(source: Path, point: Path) -> Iterator[Distant]:
    """`source` at `point`, by FUSE; nothing is remembered by the kernel."""
    if BINDFS is None or not Path("/dev/fuse").exists():
        pytest.skip("a FUSE mount needs bindfs and /dev/fuse: apt-get install bindfs")
    point.mkdir(parents=True, exist_ok=True)
    options = "attr_timeout=0,entry_timeout=0,negative_timeout=0"
    process = subprocess.Popen([BINDFS, "-f", "-o", options, str(source), str(point)])
    try:
        while not point.is_mount():
            assert process.poll() is None, "bindfs ended"
        yield Distant(process)
    finally:
        process.send_signal(signal.SIGCONT)
        run("umount", "-l", point)
        process.wait(timeout=30)


@contextmanager
def _mounted(point: Path, *command: str | Path) -> Iterator[None]:
    point.mkdir(parents=True, exist_ok=True)
    run(*command)
    try:
        yield
    finally:
        run("umount", "-l", point)
