"""A file on its way from a source, taken up again where a connection broke.

What is asked for again is the rest, if the source gave a strong validator (RFC 9110 §13.1.5: Range with
If-Range); else the whole, of which what is here is passed over. Either way it is a guess that these are the
same bytes: who takes them checks their digest.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from types import TracebackType
from typing import Self

from aiohttp import ClientResponse

from registry.errors import NotFound, SourceFailed
from registry.sources.bodies import chunks, coding_of
from registry.sources.failures import Outage, unexpected
from registry.sources.limits import MIB, Limits

MOST_RESUMED = 2
"""Times in a row that a broken download is taken up again."""
PROGRESS = 16 * MIB
"""Bytes after which a row is over: a large file may take more attempts than a small one."""
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}
_REST = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})")

Ask = Callable[[Mapping[str, str]], AbstractAsyncContextManager[ClientResponse]]
"""One GET of the file with these headers; what is raised inside counts against the source."""


class Download:
    """One file: `async with Download(...) as download`, then its `body()`."""

    def __init__(self, ask: Ask, limits: Limits, name: str) -> None:
        self.length: int | None = None
        """What the source announced for the whole file."""
        self._ask = ask
        self._limits = limits
        self._name = name
        self._etag = ""
        self._got = 0
        """Bytes that were handed on."""
        self._skip = 0
        """Bytes of the answer that were handed on already."""
        self._attempt = AsyncExitStack()
        self._response: ClientResponse

    async def __aenter__(self) -> Self:
        """The answer's headers, tried twice where the first failure was a passing one.

        Raises NotFound, SourceFailed (also for a coded body), SourceTimedOut, Unavailable.
        """
        try:
            await self._begin(_HEADERS)
        except Outage as outage:
            if not outage.again:
                raise
            await asyncio.sleep(self._limits.retry_pause)
            await self._begin(_HEADERS)
        self.length = self._response.content_length
        self._etag = self._response.headers.get("ETag", "")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._attempt.__aexit__(kind, error, traceback)

    async def body(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they arrive, never decoded. Raises like entering, and SourceFailed when they end
        early, are too slow, or are others than before."""
        tries, progress = 0, PROGRESS
        while True:
            try:
                async with aclosing(chunks(self._response, self._limits, self._name)) as arriving:
                    async for chunk in arriving:
                        rest = self._beyond(chunk)
                        if rest:
                            yield rest
            except Outage as outage:
                if self._got >= progress:
                    tries = 0
                if not outage.again or tries == MOST_RESUMED:
                    raise
                tries, progress = tries + 1, self._got + PROGRESS
                await self._give_up(outage)
                await asyncio.sleep(self._limits.retry_pause * 2**tries)
                await self._resume()
            else:
                return

    def _beyond(self, chunk: bytes) -> bytes:
        """What of a chunk wasn't handed on before."""
        passed = min(self._skip, len(chunk))
        self._skip -= passed
        self._got += len(chunk) - passed
        return chunk[passed:]

    async def _begin(self, headers: Mapping[str, str]) -> None:
        async with AsyncExitStack() as attempt:
            response = await attempt.enter_async_context(self._ask(headers))
            if response.status in {404, 410}:
                raise NotFound(f"{self._name} has no such file any more ({response.status}).")
            if response.status != 200 and (response.status != 206 or "Range" not in headers):
                raise unexpected(self._name, response.status)
            coding = coding_of(response)
            if coding != "identity":
                raise SourceFailed(
                    f"{self._name} sent the file coded ({coding[:20]!r}), although asked for plain bytes."
                )
            self._response, self._attempt = response, attempt.pop_all()

    async def _give_up(self, outage: Outage) -> None:
        """Let the attempt that failed count as one."""
        try:
            await self._attempt.__aexit__(type(outage), outage, outage.__traceback__)
        except Outage:
            return

    async def _resume(self) -> None:
        """Ask for what is missing; the answer is the rest, or the whole once more."""
        headers = dict(_HEADERS)
        if self._got and self._etag.startswith('"'):
            headers |= {"Range": f"bytes={self._got}-", "If-Range": self._etag}
        await self._begin(headers)
        whole, start = self._response.content_length, 0
        if self._response.status == 206:
            rest = _REST.fullmatch(self._response.headers.get("Content-Range", ""))
            start, whole = (int(rest[1]), int(rest[2])) if rest else (-1, None)
        self._skip = self._got - start
        same = whole == self.length and self._response.headers.get("ETag", "") == self._etag
        if not same or start not in {0, self._got}:
            raise SourceFailed(f"{self._name} changed a file while it was fetched; try again.")
