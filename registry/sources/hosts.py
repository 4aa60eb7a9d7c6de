"""Which hosts a source's documents and files may come from.

A permit says that a URL may be asked, and whether an operator named its origin: only then may it be plain
http or lie at a private address. Everything else is https on its usual port, at a public address.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

import msgspec
from yarl import URL

from registry.errors import SourceFailed
from registry.sources.egress import Home, Origin, is_literal, objection

journal = logging.getLogger("registry.sources")

Alarm = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Called with what happened (`egress_blocked`, `file_host_refused`) and its particulars."""

Remember = Callable[[str, str], Awaitable[Collection[str]]]
"""Called with an ecosystem and a host to pin, before anything is fetched from it; gives the hosts that are
pinned then: others, where another process was first."""


async def note_alarm(what: str, detail: Mapping[str, str]) -> None:
    """An alarm for who has none: a line in the journal."""
    journal.warning("%s %s", what, dict(detail))


async def forget_pin(_ecosystem: str, host: str) -> Collection[str]:
    """The memory of who keeps none: pins last as long as the process."""
    return (host,)


class Permit(msgspec.Struct, frozen=True):
    """A URL that may be asked."""

    url: URL
    named: bool
    """Whether an operator named its origin."""


class Rule(Protocol):
    """What admits the URLs of one kind of request; asked again at every redirect."""

    async def admit(self, url: URL) -> Permit:
        """Raises SourceFailed, with what to do, for a URL that must not be asked."""


class HomeOnly:
    """For documents: the source's own origin, and its own host on https where that is the safer one."""

    def __init__(self, name: str, home: Home, *, alarm: Alarm = note_alarm) -> None:
        self._name = name
        self._home = home
        self._alarm = alarm

    async def admit(self, url: URL) -> Permit:
        """The source itself, nobody else."""
        origin = Origin.of(url)
        home = self._home.origin
        upgraded = home.scheme == "http" and origin.scheme == "https" and origin.host == home.host
        if url.user is None and (origin == home or upgraded):
            return Permit(url, self._home.named)
        await self._alarm(
            "egress_blocked", {"source": self._name, "origin": _shown(url), "why": "another host"}
        )
        raise SourceFailed(
            f"{self._name} pointed to another host, which was not asked; the log's alarm names it, and if "
            "the index lives there now, name it in the settings."
        )


class FileHosts:
    """For files: the source's own origin, the hosts an operator listed, else the one pinned at first sight.

    `allowed` has host names, perhaps with a port (https, public), and origins (`http://files.lan:8080`, which
    may be anywhere); None means pinned: the first public https host that an index names for files is
    remembered, and a second one is refused and alarmed.
    """

    def __init__(
        self,
        ecosystem: str,
        name: str,
        home: Home,
        *,
        allowed: Collection[str] | None = None,
        pinned: Collection[str] = (),
        remember: Remember = forget_pin,
        alarm: Alarm = note_alarm,
    ) -> None:
        self._ecosystem = ecosystem
        self._name = name
        self._home = home
        self._named = {Origin.of(URL(entry)) for entry in allowed or () if "://" in entry}
        self._public = {Origin.of(URL(f"https://{entry}")) for entry in allowed or () if "://" not in entry}
        self._pins: set[str] | None = {host.lower() for host in pinned} if allowed is None else None
        self._remember = remember
        self._alarm = alarm

    async def admit(self, url: URL) -> Permit:
        """The URL, on https where the source's own documents say http of its own host by mistake."""
        if url.user is not None or url.password is not None:
            raise await self._refusal(url, "it has credentials in it")
        origin, home = Origin.of(url), self._home.origin
        if origin == home:
            return Permit(url, self._home.named)
        if origin == Origin("http", home.host, 80) and home == Origin("https", home.host, 443):
            return Permit(url.with_scheme("https"), self._home.named)
        if origin in self._named:
            return Permit(url, named=True)
        listed = origin in self._public
        if not listed and origin != Origin("https", origin.host, 443):
            raise await self._refusal(url, "it isn't https on its usual port, nor named in file_hosts")
        if is_literal(origin.host) and (why := objection(origin.host)):
            raise await self._refusal(url, f"its address is {why}")
        if listed or await self._is_pinned(origin.host):
            return Permit(url, named=False)
        raise await self._refusal(url, "its host is not one that files may come from")

    async def _is_pinned(self, host: str) -> bool:
        if self._pins is None:
            return False
        if not self._pins and not is_literal(host):
            self._pins.update(await self._remember(self._ecosystem, host))
        return host in self._pins

    async def _refusal(self, url: URL, why: str) -> SourceFailed:
        await self._alarm(
            "file_host_refused",
            {"ecosystem": self._ecosystem, "source": self._name, "url": _shown(url), "why": why},
        )
        return SourceFailed(
            f"{self._name} named a file somewhere else, which was not fetched: {why}; the log's alarm has "
            "the address, and if that is right, add its host to file_hosts."
        )


def _shown(url: URL) -> str:
    """Where a URL points, fit for the log: no credentials, no query, not long."""
    return str(Origin.of(url))[:200]
