"""Many connections on loopback, by one thread that does little for each request.

In a process of its own, without a garbage collector, since what a generator lacks in time would count against the
server; how late it was itself it tells too.
"""

from __future__ import annotations

import gc
import pickle
import random
import re
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.load import request
from tests.bench.systems import ROOT

_BUFFER = 1 << 18
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
_PATIENCE = 60.0
"""Seconds after the last request in which answers still count."""


@dataclass(frozen=True)
class Request:
    """One kind of request, and how many of a hundred are of it."""

    path: str
    headers: Mapping[str, str]
    share: float


@dataclass(frozen=True)
class Plan:
    """What to do."""

    requests: tuple[Request, ...]
    connections: int
    seconds: float
    rate: float | None = None
    """Requests a second whether or not earlier ones are answered, at random moments; None: each connection asks
    as soon as it is answered."""


@dataclass
class Outcome:
    """What came of it; times in seconds."""

    took: list[list[float]]
    """For each kind of request, from when each was due until its last byte was read."""
    late: list[float] = field(default_factory=list)
    """How long after it was due each request was sent for which a connection was free: the generator's own
    doing, which is in `took` too."""
    wrong: int = 0
    seconds: float = 0.0

    @property
    def answers(self) -> int:
        """All of them, right or wrong."""
        return sum(map(len, self.took)) + self.wrong


def generate(port: int, plan: Plan) -> Outcome:
    """Carry out a plan in another process."""
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.bench.generator import main; main({port})"],
        input=pickle.dumps(plan), stdout=subprocess.PIPE, check=True, cwd=ROOT,
    )  # fmt: skip
    outcome: Outcome = pickle.loads(done.stdout)
    return outcome


class _Connection:
    """One at a time is under way on it."""

    __slots__ = ("due", "kind", "rest", "socket", "waiting")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.kind, self.due, self.waiting, self.rest = 0, 0.0, b"", -1
        """`rest`: bytes of the body that are to come, -1 while the head is; `waiting`: what there is of a head."""


class _Generator:
    def __init__(self, port: int, plan: Plan) -> None:
        self._port = port
        self._plan = plan
        self._bytes = [request(port, each.path, each.headers) for each in plan.requests]
        self._chance = random.Random(8)
        self._buffer = bytearray(_BUFFER)
        self._epoll = select.epoll()
        self._free: deque[_Connection] = deque()
        self._all: dict[int, _Connection] = {}
        self._due: deque[tuple[float, int]] = deque()
        """Requests for which there was no connection."""
        self._outcome = Outcome([[] for _ in plan.requests])

    def run(self) -> Outcome:
        plan, outcome = self._plan, self._outcome
        for _ in range(plan.connections):
            self._connect()
        shares = [request.share for request in plan.requests]
        kinds = self._chance.choices(range(len(shares)), shares, k=1 << 16)
        began = upcoming = time.monotonic()
        number, end = 0, began + plan.seconds
        while (now := time.monotonic()) < end:
            while upcoming <= now and (plan.rate is not None or self._free):
                kind = kinds[number & 0xFFFF]
                number += 1
                if plan.rate is None:
                    self._ask(self._free.popleft(), kind, time.monotonic())
                    continue
                if self._free:
                    outcome.late.append(time.monotonic() - upcoming)
                    self._ask(self._free.popleft(), kind, upcoming)
                else:
                    self._due.append((upcoming, kind))
                upcoming += self._chance.expovariate(plan.rate)
            self._hear(max(0.0, upcoming - time.monotonic()) if plan.rate is not None else 0.1)
        outcome.seconds = time.monotonic() - began
        while (len(self._free) < len(self._all) or self._due) and time.monotonic() < end + _PATIENCE:
            self._hear(0.1)
        outcome.wrong += len(self._all) - len(self._free) + len(self._due)
        return outcome

    def _connect(self) -> None:
        connection = _Connection(self._port)
        self._all[connection.socket.fileno()] = connection
        self._epoll.register(connection.socket.fileno(), select.EPOLLIN)
        self._free.append(connection)

    def _ask(self, connection: _Connection, kind: int, due: float) -> None:
        connection.kind, connection.due, connection.rest, connection.waiting = kind, due, -1, b""
        try:
            connection.socket.send(self._bytes[kind])
        except OSError:
            self._lose(connection)

    def _hear(self, seconds: float) -> None:
        if seconds:
            select.select([self._epoll], [], [], seconds)  # epoll counts in milliseconds, too coarse here
        for descriptor, _ in self._epoll.poll(0):
            connection = self._all[descriptor]
            try:
                count = connection.socket.recv_into(self._buffer)
            except BlockingIOError:
                continue
            except OSError:
                count = 0
            if not count:
                self._lose(connection)
            elif (right := self._read(connection, count)) is not None:
                self._answered(connection, right)

    def _read(self, connection: _Connection, count: int) -> bool | None:
        """Whether the answer is right; None while more of it is to come."""
        if connection.rest < 0:
            head = connection.waiting + bytes(memoryview(self._buffer)[: min(count, 4096)])
            end = head.find(b"\r\n\r\n")
            if end < 0:
                connection.waiting = head
                return None
            found = _LENGTH.search(head, 0, end + 2)
            length = int(found[1]) if found and head[9:12] != b"304" else 0
            connection.rest = length - (len(connection.waiting) + count - end - 4)
            connection.waiting = head[9:12]
        else:
            connection.rest -= count
        if connection.rest > 0:
            return None
        return connection.rest == 0 and connection.waiting in {b"200", b"304"}

    def _answered(self, connection: _Connection, right: bool) -> None:
        if right:
            self._outcome.took[connection.kind].append(time.monotonic() - connection.due)
        else:
            self._outcome.wrong += 1
        if self._due:
            due, kind = self._due.popleft()
            self._ask(connection, kind, due)
        else:
            self._free.append(connection)

    def _lose(self, connection: _Connection) -> None:
        self._outcome.wrong += 1
        descriptor = connection.socket.fileno()
        self._epoll.unregister(descriptor)
        del self._all[descriptor]
        connection.socket.close()
        self._connect()


def main(port: int) -> None:
    """What `generate` starts: reads a plan and writes what came of it."""
    gc.disable()
    plan: Plan = pickle.load(sys.stdin.buffer)
    outcome = _Generator(port, plan).run()
    sys.stdout.buffer.write(pickle.dumps(outcome))
