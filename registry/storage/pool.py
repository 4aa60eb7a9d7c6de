"""A few threads for calls that block, so that a disk that hangs stops those calls and nothing else.

Unlike `concurrent.futures` its threads are daemons: one that hangs in a dead NAS never keeps the process from
ending. And it is bounded: once a call hung, the next ones are given a second, and once every thread hangs
they are refused at once. The first call that comes back ends that.

A call wakes one thread, the one that was busy last: threads that wait at one common queue wake each other.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from registry.errors import Unavailable

T = TypeVar("T")
_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]"]
_Call = tuple[Callable[[], Any], _Waiting | None]
_Inbox = queue.SimpleQueue["_Call | None"]
"""What one thread waits at."""

_SHORT = 1.0
"""Seconds of patience while something hangs."""


class Pool:
    """At most `size` threads, made when they are needed; used from one event loop."""

    def __init__(self, place: str, size: int) -> None:
        self._place = place
        self._size = size
        self._unfinished = 0
        self._hangs = False
        self._lock = threading.Lock()
        """Of what follows."""
        self._threads = 0
        self._idle: list[_Inbox] = []
        """Of threads that have nothing to do, the one that was busy last at the end."""
        self._calls: deque[_Call] = deque()
        """Those that no thread is free for."""
        self._closed = False

    async def run(self, function: Callable[[], T], patience: float | None = None) -> T:
        """Call `function` in a thread and wait for it, at most `patience` seconds.

        Raises what it raises; Unavailable when patience ran out, or at once while every thread hangs. A call
        that is no longer waited for is made all the same: nothing can stop a thread in a system call.
        """
        if self._hangs:
            if self._unfinished >= self._size:
                raise self._hanging()
            patience = _SHORT
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._unfinished += 1
        self._put((function, (loop, future)))
        try:
            async with asyncio.timeout(patience):
                return await future
        except TimeoutError:
            if future.cancelled():
                self._hangs = True
                raise self._hanging() from None
            raise

    def post(self, function: Callable[[], object]) -> None:
        """Call `function` when a thread is free, without waiting; what it raises is lost."""
        self._put((function, None))

    def close(self) -> None:
        """Let the threads end after the calls they have; none is waited for."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _put(self, call: _Call) -> None:
        inbox: _Inbox | None = None
        with self._lock:
            if self._idle:
                inbox = self._idle.pop()
            else:
                self._calls.append(call)
                if self._threads < self._size:
                    self._threads += 1
                    threading.Thread(target=self._work, name=f"registry {self._place}", daemon=True).start()
        if inbox is not None:
            inbox.put(call)

    def _claim(self, inbox: _Inbox) -> _Call | None:
        """A call that waits for a thread; None where there is none: the next one, or the end, comes to the
        inbox."""
        with self._lock:
            if self._calls:
                return self._calls.popleft()
            if self._closed:
                inbox.put(None)
            else:
                self._idle.append(inbox)
        return None

    def _hanging(self) -> Unavailable:
        return Unavailable(
            f"{self._place[:1].upper()}{self._place[1:]} does not answer; look at its disk, or at the network"
            " and the NAS."
        )

    def _work(self) -> None:
        inbox: _Inbox = queue.SimpleQueue()
        call = self._claim(inbox)
        while call is not None or (call := inbox.get()) is not None:
            function, waiting = call
            result: Any = None
            failure: BaseException | None = None
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                failure = error
            call = self._claim(inbox)  # before anyone hears: whoever calls again finds this thread
            if waiting is not None:
                self._tell(waiting, result, failure)

    def _tell(self, waiting: _Waiting, result: Any, failure: BaseException | None) -> None:
        loop, future = waiting
        try:
            loop.call_soon_threadsafe(self._settle, future, result, failure)
        except RuntimeError:
            self._unfinished -= 1  # the loop was closed meanwhile: nobody waits any more

    def _settle(self, future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
        self._unfinished -= 1
        self._hangs = False
        if future.done():
            return
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(result)
