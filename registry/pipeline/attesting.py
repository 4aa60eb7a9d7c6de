"""Who vouches for a file: the registry's signature, checked when it comes in; keys and attestations.

The upstream's keys are asked for once an hour and remembered over restarts. What can't be checked is recorded
as `unknown`; a signature of a known key that doesn't fit is refused like wrong bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from registry.errors import IntegrityFailed, NotFound, RegistryError, Unavailable
from registry.model.artifacts import Holding, strongest
from registry.model.asks import ProvenanceAsk
from registry.model.ports import Clock, Services
from registry.pipeline.singleflight import Flights
from registry.provenance.signatures import Key, RegistryKey, Verdict, judge, listed, message, read_keys

KEYS = "-/npm/v1/keys"
FRESH_FOR = 3600.0
"""Seconds for which the upstream's keys, or its having none, are believed."""
RETRY_AFTER_FAILURE = 60.0
PATIENCE = 2.0
"""Seconds that a file waits for the keys; the question goes on without it."""

Alarm = Callable[[str, Mapping[str, str]], Awaitable[None]]

journal = logging.getLogger("registry.attesting")


class UpstreamKeys:
    """The keys that the npm upstream signs with."""

    def __init__(
        self,
        services: Services,
        clock: Clock,
        *,
        kept: bytes | None,
        keep: Callable[[bytes], None],
        alarm: Alarm,
    ) -> None:
        """`kept` is the key list of an earlier run, `keep` stores a new one durably."""
        self._services = services
        self._clock = clock
        self._keep = keep
        self._alarm = alarm
        self._document = kept or None
        self._next: float | None = None
        self._failure: RegistryError | None = None
        self._flights: Flights[str, None] = Flights()

    async def document(self) -> bytes | None:
        """The upstream's key list as it came; None when it has none. Raises Unavailable when it can't be
        asked and there is none from before."""
        await self._refresh()
        if self._document is None and self._failure is not None:
            raise Unavailable(f"The signing keys can't be had: {self._failure}")
        return self._document

    async def known(self) -> Mapping[str, Key]:
        """The keys to check by, by id; those of before, or none, where nobody says within `PATIENCE`."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._refresh()
        except TimeoutError:
            journal.warning("the upstream takes long to tell its signing keys")
        return {key.keyid: key for key in read_keys(self._document)} if self._document else {}

    async def _refresh(self) -> None:
        if self._next is None or self._clock.monotonic() >= self._next:
            await self._flights.join("keys", self._ask)

    async def _ask(self) -> None:
        self._failure = None
        try:
            status, body = await self._services.get(KEYS)
            if status == 200:
                await self._learn(body)
            elif status not in {400, 404, 405, 410}:
                raise Unavailable(f"{self._services.name} answered {status}.")
        except (RegistryError, ValueError) as error:
            self._failure = error if isinstance(error, RegistryError) else Unavailable(str(error))
            journal.warning("the upstream's signing keys can't be had", extra={"error": str(error)})
        rest = FRESH_FOR if self._failure is None else RETRY_AFTER_FAILURE
        self._next = self._clock.monotonic() + rest

    async def _learn(self, body: bytes) -> None:
        keys = {key.keyid for key in read_keys(body)}
        before = {key.keyid for key in read_keys(self._document)} if self._document else keys
        if keys != before:
            await self._alarm(
                "signing_keys_changed",
                {"before": " ".join(sorted(before)), "after": " ".join(sorted(keys))},
            )
        if body != self._document:
            self._keep(body)
            self._document = body


class Attesting:
    """Keys, attestations, and the verdict on what comes in."""

    def __init__(self, services: Services, keys: UpstreamKeys, own: RegistryKey) -> None:
        self._services = services
        self._keys = keys
        self._own = own

    async def keys(self) -> bytes:
        """Npm's key list: the upstream's as it is, and ours, which private packages are signed with."""
        return listed(await self._keys.document(), self._own.public)

    async def attestations(self, ask: ProvenanceAsk) -> bytes:
        """What the upstream attests of one version, unchanged. Raises NotFound, and what services raise."""
        name = quote(ask.project.name, safe="@")
        path = f"-/npm/v1/attestations/{name}@{quote(ask.version, safe='+')}"
        status, body = await self._services.get(path)
        if status != 200:
            raise NotFound(f"There are no attestations for '{ask.project.name}' {ask.version}.")
        return body

    async def vouch(self, holding: Holding) -> str:
        """The verdict on a public file's registry signature, for its ingest event; empty where files aren't
        signed (other ecosystems, private files). Raises IntegrityFailed for a signature that doesn't fit."""
        artifact = holding.artifact
        if artifact.project.ecosystem != "npm" or holding.origin != "public":
            return ""
        keys = await self._keys.known()
        integrity = strongest(artifact.digests)
        if integrity is None:
            return "unsigned"
        signed = message(artifact.project.name, artifact.version, integrity)
        verdict: Verdict = judge(signed, artifact.signatures, keys, artifact.published)
        if verdict == "bad":
            raise IntegrityFailed(
                f"The registry's signature of '{artifact.filename}' doesn't fit what is announced for it."
            )
        return verdict
