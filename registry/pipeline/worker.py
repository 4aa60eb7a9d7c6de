"""A worker process: does errands that come through a socket, one by one, until the other end is closed.

Imports as little as it can: what it needs for an errand comes with that errand's function. A message is its
length in eight bytes, and a pickle; an errand is a callable without arguments, an answer is an `Answer`.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from registry.pipeline.heap import spare_memory, trim_memory

_LENGTH = 8
GROWN = 96 << 20
"""Bytes of memory from which a process ends after its errand: what it holds free is in too many pieces."""


class Answer(NamedTuple):
    """What came of an errand."""

    value: Any = None
    error: Exception | None = None
    last: bool = False
    """Whether the process ends with it."""


def work(descriptor: int) -> None:
    """Do errands. Ctrl-C is left to the gateway."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spare_memory()
    gc.disable()  # an errand makes a hundred thousand values, none in a cycle; GROWN bounds what stays behind
    with socket.socket(fileno=descriptor) as line:
        while (message := receive(line)) is not None:
            send(line, _answered(message))
            del message
            trim_memory()


def send(line: socket.socket, message: bytes) -> None:
    """Send a message. Blocks; raises OSError."""
    line.sendall(len(message).to_bytes(_LENGTH, "little"))
    line.sendall(message)


def receive(line: socket.socket) -> bytearray | None:
    """The next message; None when the other end is closed, or gone in the middle. Blocks; raises OSError."""
    head = _exactly(line, _LENGTH)
    return None if head is None else _exactly(line, int.from_bytes(head, "little"))


def _exactly(line: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = line.recv_into(rest)
        if not count:
            return None
        rest = rest[count:]
    return data


def _answered(message: bytearray) -> bytes:
    try:
        errand: Callable[[], Any] = pickle.loads(message)  # noqa: S301 - from our own parent
        message.clear()
        answer = Answer(errand())
    except Exception as error:  # noqa: BLE001 - whoever waits is told
        answer = Answer(error=error)
    answer = answer._replace(last=_memory() > GROWN)
    try:
        return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - an error that can't be told as it is
        return pickle.dumps(Answer(error=RuntimeError(f"{answer.error or error!r}"), last=True))


def _memory() -> int:
    """Resident bytes of this process; 0 where nobody tells."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
