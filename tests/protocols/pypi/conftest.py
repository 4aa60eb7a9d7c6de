"""Upstreams and gateways for the protocol tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from registry.appliance import back_ends
from tests.protocols.pypi.premises import Premises, opened
from tests.sources.private import free_port, make_folders, running
from tests.upstream import LyingUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream() as upstream:
        yield upstream


@pytest.fixture
async def house(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[Premises]:
    """A gateway whose private side nobody uses."""
    async with opened(tmp_path, upstream) as premises:
        yield premises


@pytest.fixture(scope="session")
def pypiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A real one, shared: file names never clash, since each test publishes projects of its own."""
    private = make_folders(tmp_path_factory.mktemp("pypiserver"))
    port = free_port()
    credentials = back_ends.make_credentials(private, "pypiserver")
    with running(back_ends.pypiserver(private, port), f"http://127.0.0.1:{port}/health"):
        yield port, credentials


@pytest.fixture
async def shop(
    tmp_path: Path, upstream: LyingUpstream, pypiserver: tuple[int, Path]
) -> AsyncIterator[Premises]:
    """A gateway with its private side."""
    async with opened(tmp_path, upstream, pypiserver=pypiserver) as premises:
        yield premises
