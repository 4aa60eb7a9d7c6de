"""One source's requests: what is tried again, followed, waited for or given up, and what answers come to.

What goes wrong comes out as one of `registry.errors`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from registry.errors import SourceFailed, SourceTimedOut, Unavailable
from registry.model.ports import Clock
from registry.sources.bodies import Body, read_document
from registry.sources.breaker import Breaker
from registry.sources.download import Download
from registry.sources.egress import Home, Origin, read_url
from registry.sources.failures import Outage, seconds_of_rest, unexpected
from registry.sources.hosts import Alarm, Permit, Rule, note_alarm
from registry.sources.limits import Limits
from registry.sources.proxies import Proxies
from registry.sources.wire import Wire

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({500, 502, 503})

SLOWEST_UPLOAD = 1024 * 1024
"""Bytes a second that a back end takes at least."""
UPLOAD_PATIENCE = 60.0
"""Seconds more that a change may take than a question."""


class Reply(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    url: URL
    """After redirects."""
    headers: Mapping[str, str]
    """By lower-case name; the last of each."""
    body: bytes
    """Empty for a document whose status isn't 200, and for one that lies in a file."""
    path: str
    """A gzip file with a document that is too large for memory; whoever asked for it removes it."""
    sha256: str
    """Of the document, in hex."""


class Client:
    """Everything one source is asked."""

    def __init__(
        self,
        name: str,
        home: Home,
        *,
        tls: ssl.SSLContext,
        proxies: Proxies,
        clock: Clock,
        limits: Limits,
        agent: str,
        alarm: Alarm = note_alarm,
        resolver: AbstractResolver | None = None,
        spool: Path | None = None,
        offline: Callable[[], bool] = lambda: False,
    ) -> None:
        """`spool` is a local directory for documents that are too large for memory."""
        self.name = name
        self.home = home
        self.limits = limits
        self._clock = clock
        self._spool = spool
        self._offline = offline
        self._wire = Wire(
            name,
            home,
            tls=tls,
            proxies=proxies,
            limits=limits,
            agent=agent,
            alarm=alarm,
            resolver=resolver,
        )
        self._breakers: dict[Origin, Breaker] = {}
        self._under_way: set[asyncio.Timeout] = set()

    async def close(self) -> None:
        """Break off what is under way and end all connections; the client can be used again."""
        now = asyncio.get_running_loop().time()
        for each in self._under_way:
            each.reschedule(now)
        await self._wire.close()

    async def fetch(self, url: URL, headers: Mapping[str, str], rule: Rule) -> Reply:
        """GET a document, decoded and whole; tried twice where the first failure was a passing one.

        Any status below 500 but 429 is an answer. Raises SourceFailed, SourceTimedOut, Unavailable.
        """
        asked = {**headers, "Accept-Encoding": "gzip"}
        for last in (False, True):
            try:
                async with self._exchange("GET", url, asked, rule) as response:
                    wanted = response.status == 200
                    if not wanted:
                        return _reply(response, Body())
                    return _reply(
                        response, await read_document(response, self.limits, self.name, self._spool)
                    )
            except Outage as outage:
                if last or not outage.again:
                    raise
            await asyncio.sleep(self.limits.retry_pause)
        raise AssertionError

    @asynccontextmanager
    async def stream(self, url: URL, rule: Rule) -> AsyncGenerator[tuple[int | None, AsyncIterator[bytes]]]:
        """GET a file: its announced length and its bytes as they arrive, never decoded.

        Entering is tried twice like `fetch`, and a broken connection is taken up again. Raises NotFound,
        SourceFailed (also for a coded body), SourceTimedOut, Unavailable, entering as iterating.
        """

        def ask(headers: Mapping[str, str]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
            return self._exchange("GET", url, headers, rule)

        async with (
            Download(ask, self.limits, self.name) as download,
            aclosing(download.body()) as body,
        ):
            yield download.length, body

    async def send(
        self, method: str, url: URL, *, headers: Mapping[str, str], data: object = None, size: int = 0
    ) -> Reply:
        """Another request to the source's own origin, once, not redirected; `size` bytes are sent with it.

        Any status below 500 but 429 is an answer. Raises like `fetch`.
        """
        self._require_online()
        permit = Permit(url, self.home.named)
        breaker = self._breaker(Origin.of(url))
        patience = size / SLOWEST_UPLOAD + UPLOAD_PATIENCE
        complete = {**headers, "Accept-Encoding": "identity"}
        async with self._breakable():
            with breaker.attempt():
                async with await self._wire.ask(method, permit, complete, data, patience) as response:
                    self._check_status(response, breaker)
                    return _reply(response, await read_document(response, self.limits, self.name))
        raise AssertionError  # it returns or raises

    async def probe(self, method: str, path: str) -> str | None:
        """Ask for a path and read nothing: None when the source answers, else a sentence on what fails."""
        if self._offline():
            return None
        permit = Permit(self.home.join(path), self.home.named)
        try:
            async with await self._wire.ask(
                method, permit, {"Accept": "*/*", "Accept-Encoding": "identity"}
            ) as response:
                status = response.status
        except (SourceFailed, SourceTimedOut) as exc:
            return str(exc)
        return str(unexpected(self.name, status)) if status in {401, 403, 407} or status >= 500 else None

    @asynccontextmanager
    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], rule: Rule
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """One attempt with all its redirects; the body is read inside, so that it counts for the breaker, and
        so that `close` breaks it off, which says nothing for or against the source."""
        self._require_online()
        async with self._breakable(), self._followed(method, url, headers, rule) as response:
            yield response

    @asynccontextmanager
    async def _breakable(self) -> AsyncGenerator[None]:
        """What `close` breaks off."""
        try:
            async with asyncio.timeout(None) as under_way:
                self._under_way.add(under_way)
                try:
                    yield
                finally:
                    self._under_way.discard(under_way)
        except TimeoutError as exc:
            self._require_online()
            raise Unavailable(f"{self.name} was being asked when its connections were ended.", 1) from exc

    @asynccontextmanager
    async def _followed(
        self, method: str, url: URL, headers: Mapping[str, str], rule: Rule
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        permit = await rule.admit(url)
        for _ in range(self.limits.redirects + 1):
            breaker = self._breaker(Origin.of(permit.url))
            with breaker.attempt():
                async with await self._wire.ask(method, permit, headers) as response:
                    self._check_status(response, breaker)
                    if response.status not in _REDIRECTS:
                        yield response
                        return
            hop = await rule.admit(self._next_hop(permit.url, response))
            if permit.url.scheme == "https" and hop.url.scheme != "https":
                raise SourceFailed(
                    f"{self.name} redirected from https to plain http, which was not followed."
                )
            permit = hop
        raise SourceFailed(
            f"{self.name} redirected more than {self.limits.redirects} times and was given up."
        )

    def _require_online(self) -> None:
        """Before anything else: offline there is no look-up, and no vote for or against the upstream."""
        if self._offline():
            raise Unavailable(
                f"{self.name} isn't asked, this appliance is offline; `registry offline off` ends that.", 60
            )

    def _breaker(self, origin: Origin) -> Breaker:
        breaker = self._breakers.get(origin)
        if breaker is None:
            breaker = self._breakers[origin] = Breaker(self.name, self._clock, self.limits)
        return breaker

    def _check_status(self, response: aiohttp.ClientResponse, breaker: Breaker) -> None:
        status = response.status
        asked_to_wait = response.headers.get("Retry-After")
        if status == 429 or (status == 503 and asked_to_wait):
            seconds = seconds_of_rest(asked_to_wait, self._clock.now())
            breaker.rest(seconds)
            raise Unavailable(f"{self.name} asks not to be asked for {seconds} s ({status}).", seconds)
        if status >= 500:
            raise Outage(f"{self.name} answered {status}; try again later.", again=status in _AGAIN)

    def _next_hop(self, url: URL, response: aiohttp.ClientResponse) -> URL:
        try:
            return url.join(read_url(response.headers["Location"]))
        except (KeyError, ValueError):
            raise SourceFailed(f"{self.name} redirected to something that isn't a URL.") from None


def _reply(response: aiohttp.ClientResponse, body: Body) -> Reply:
    headers = {key.lower(): value for key, value in response.headers.items()}
    return Reply(response.status, response.url, headers, body.data, body.path, body.sha256)
