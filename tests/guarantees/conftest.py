"""A house for each test."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.app import sources
from tests.guarantees.house import House, open_house
from tests.upstream import LyingUpstream


@pytest.fixture(autouse=True)
def _no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here speaks TLS, and reading the system's store takes longer than most of these tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(sources, "tls_context", lambda *_: context)


@pytest.fixture
async def upstream() -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream() as server:
        yield server


@pytest.fixture
async def house(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[House]:
    async with open_house(tmp_path, upstream) as opened:
        yield opened
