"""What an upstream offers besides packages: audit, signing keys, attestations. Asked by path, small answers.

A client of its own, so that a service that fails again and again never closes the way to the packages.
"""

from __future__ import annotations

from dataclasses import replace

from registry.sources.client import Client
from registry.sources.hosts import HomeOnly
from registry.sources.limits import MIB, Limits

ANSWER = 32 * MIB
"""Bytes of an answer at most; the attestations of one version and the advisories of a large project stay
far below."""
PATIENCE = 5.0
"""Seconds to the first byte: a person waits for the end of an install."""


def bounded(limits: Limits) -> Limits:
    """The bounds of an upstream, drawn closer for its services."""
    return replace(
        limits,
        first_byte=min(limits.first_byte, PATIENCE),
        document_bytes=ANSWER,
        document_setting="nothing (the bound is fixed)",
    )


class UpstreamServices:
    """The port `Services` over HTTP."""

    def __init__(self, client: Client) -> None:
        self.name = client.name
        self._client = client
        self._rule = HomeOnly(client.name, client.home)

    async def get(self, path: str) -> tuple[int, bytes]:
        """GET a JSON document: its status, and its body where that is 200."""
        url = self._client.home.join(path)
        reply = await self._client.fetch(url, {"Accept": "application/json"}, self._rule)
        return reply.status, reply.body

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """POST a JSON document, once."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        url = self._client.home.join(path)
        reply = await self._client.send("POST", url, headers=headers, data=body)
        return reply.status, reply.body
