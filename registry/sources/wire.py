"""Requests on the wire, up to an answer's headers: the only place that opens connections to the outside.

Headers are built here and by the sources, never taken from a client; credentials go to the source's own
origin only; nothing is redirected, decoded, remembered (cookies) or retried by the library itself. What goes
wrong comes out as one of `registry.errors`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver

from registry.errors import SourceFailed, SourceTimedOut
from registry.sources.bodies import CHUNK
from registry.sources.egress import EgressBlocked, Home, Origin, is_literal, objection, public_socket
from registry.sources.failures import in_our_words
from registry.sources.hosts import Alarm, Permit
from registry.sources.limits import Limits
from registry.sources.proxies import Proxies

journal = logging.getLogger("registry.sources")

_OWN_HEADERS = ("Accept", "Accept-Encoding", "User-Agent")
"""Those that the library would add by itself."""


class Wire:
    """The connections of one source."""

    def __init__(
        self,
        name: str,
        home: Home,
        *,
        tls: ssl.SSLContext,
        proxies: Proxies,
        limits: Limits,
        agent: str,
        alarm: Alarm,
        resolver: AbstractResolver | None,
    ) -> None:
        self._name = name
        self._home = home
        self._tls = tls
        self._proxies = proxies
        self._limits = limits
        self._agent = agent
        self._alarm = alarm
        self._resolver = resolver
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """End all connections; the next request makes new ones."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def ask(
        self,
        method: str,
        permit: Permit,
        headers: Mapping[str, str],
        data: object = None,
        patience: float = 0.0,
    ) -> aiohttp.ClientResponse:
        """One request; `patience` are seconds more that it may take.

        Raises SourceFailed, SourceTimedOut.
        """
        url, origin = permit.url, Origin.of(permit.url)
        proxy = self._proxies.of(url)
        if not permit.named and (why := is_literal(origin.host) and objection(origin.host)):
            raise await self._blocked(origin, f"its address is {why}")
        complete = {**headers, "User-Agent": self._agent}
        if self._home.authorization and origin == self._home.origin:
            complete["Authorization"] = self._home.authorization
        try:
            async with asyncio.timeout(self._limits.connect + self._limits.first_byte + patience):
                response = await self._session(anywhere=permit.named or proxy is not None).request(
                    method,
                    url,
                    headers=complete,
                    data=data,
                    allow_redirects=False,
                    proxy=proxy,
                )
        except TimeoutError as exc:
            self._note(origin, "no answer in time")
            raise SourceTimedOut(f"{self._name} took too long to answer.") from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            if EgressBlocked.MARK in str(exc):
                raise await self._blocked(origin, "its name leads to an address that isn't public") from exc
            self._note(origin, str(exc))
            raise in_our_words(self._name, exc) from exc
        if len(response.headers.getall("Content-Length", ())) + ("Transfer-Encoding" in response.headers) > 1:
            response.close()
            raise SourceFailed(f"{self._name} announced two lengths for one answer, which was not read.")
        return response

    def _session(self, *, anywhere: bool) -> aiohttp.ClientSession:
        """The connections to origins that an operator named (and proxies), or those to public addresses."""
        session = self._sessions.get(anywhere)
        if session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._tls,
                limit=self._limits.connections,
                resolver=self._resolver,
                socket_factory=None if anywhere else public_socket,
            )
            session = self._sessions[anywhere] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=_OWN_HEADERS,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect),
                read_bufsize=CHUNK,
            )
        return session

    async def _blocked(self, origin: Origin, why: str) -> SourceFailed:
        await self._alarm("egress_blocked", {"source": self._name, "origin": str(origin), "why": why})
        return SourceFailed(
            f"{self._name} is not asked where it leads: {why}; the log's alarm has the address, and if "
            "that is right, name it in the settings."
        )

    def _note(self, origin: Origin, error: str) -> None:
        """For operators; what clients are told names no address."""
        journal.warning(
            "a request failed", extra={"source": self._name, "origin": str(origin), "error": error}
        )
