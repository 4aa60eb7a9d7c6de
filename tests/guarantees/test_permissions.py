"""I14: a volume that doesn't let this user in is named with the place and the user's number, and waited for.

Row F15. Run by root, the appliance runs as somebody whom permissions count for.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.guarantees.crew import Crew
from tests.guarantees.house import path_of
from tests.guarantees.test_cache_care import job
from tests.upstream import LyingUpstream, make_wheel

NOBODY = 65534
ROOT = os.geteuid() == 0
UID = NOBODY if ROOT else os.geteuid()
SETPRIV = shutil.which("setpriv")
PREFIX = (str(SETPRIV), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups") if ROOT else ()
pytestmark = pytest.mark.skipif(ROOT and SETPRIV is None, reason="setpriv (util-linux) isn't here")

WHEEL, OTHER = make_wheel("demo", "1.0", padding=50_000), make_wheel("other", "1.0")


@dataclass
class Lodger(Crew):
    """One process, that is not root's."""

    workers: int = 1
    prefix: tuple[str, ...] = PREFIX
    mine: bool = True
    """Whether the data directory is its own."""

    async def start(self) -> None:
        if self.mine:
            self.data.mkdir(exist_ok=True)
            give(self.folder)
        await super().start()


def give(folder: Path) -> None:
    """Make a tree the lodger's own."""
    if ROOT:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)


@contextmanager
def closed(path: Path, bits: int = 0) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where anybody may come: pytest's own directories are its user's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@asynccontextmanager
async def serving(lodger: Lodger) -> AsyncIterator[Lodger]:
    """With all around it, and the proof that nothing went wrong unnoticed."""
    async with lodger.pypiserver.serving(), lodger.verdaccio.serving():
        try:
            await lodger.start()
            yield lodger
        finally:
            await lodger.stop()
    assert '"trace"' not in lodger.journal, lodger.journal


@pytest.fixture
async def lodger(folder: Path, upstream: LyingUpstream) -> AsyncIterator[Lodger]:
    upstream.add(WHEEL, OTHER)
    async with serving(Lodger(folder, upstream)) as opened:
        yield opened


CLOSED = (
    (".", {"kept", "new"}, "its top directory"),
    ("blobs", {"kept", "new"}, "'blobs'"),
    ("blobs/sha256/{shard}", {"kept"}, "'blobs/sha256/{shard}'"),
    ("tmp", {"new"}, "'tmp'"),
    ("blobs/sha256/{shard}/{sha256}", {"kept"}, "'{sha256}'"),
)
"""What is closed, what can't be had then, and what the answer names."""


async def test_what_is_closed_is_named_with_the_user_and_is_waited_for(
    lodger: Lodger, upstream: LyingUpstream
) -> None:
    sha256 = WHEEL.hashes["sha256"]
    assert (await lodger.fetch(WHEEL)).is_whole(WHEEL.data)
    for number, (place, away, name) in enumerate(CLOSED):
        new = make_wheel(f"new{number}", "1.0")
        upstream.add(new)
        await lodger.learn(new)
        with closed(lodger.volume / place.format(shard=sha256[:2], sha256=sha256)):
            got = {"kept": await lodger.ask(path_of(WHEEL)), "new": await lodger.ask(path_of(new))}
            assert {which for which, each in got.items() if each.status == 503} == away, place
            for which in away:
                said = got[which].reason
                assert name.format(shard=sha256[:2], sha256=sha256) in said
                assert f"user id {UID}" in said.lower()
                assert str(lodger.folder) not in said
            assert all(got[which].status == 200 for which in got.keys() - away)
            await lodger.index("demo")
        for package in (WHEEL, new):
            while not (await lodger.ask(path_of(package))).is_whole(package.data):  # noqa: ASYNC110  it is looked at again by and by
                await asyncio.sleep(0.05)


@pytest.mark.skipif(not ROOT, reason="only root gives files to others")
async def test_a_file_that_belongs_to_somebody_else_is_named_and_nothing_else_suffers(lodger: Lodger) -> None:
    for package in (WHEEL, OTHER):
        assert (await lodger.fetch(package)).is_whole(package.data)
    path = lodger.blobs()[WHEEL.hashes["sha256"]]
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    got = await lodger.ask(path_of(WHEEL))
    assert (got.status, f"User id {NOBODY} can't read '{path.name}'" in got.reason) == (503, True)
    assert (await lodger.ask(path_of(OTHER))).is_whole(OTHER.data)
    os.chown(path, NOBODY, NOBODY)
    assert (await lodger.ask(path_of(WHEEL))).is_whole(WHEEL.data)


async def test_a_umask_of_077_hinders_nothing(folder: Path, upstream: LyingUpstream) -> None:
    upstream.add(WHEEL, OTHER)
    lodger = Lodger(folder, upstream)
    lodger.umask = 0o077
    async with serving(lodger):
        for package in (WHEEL, OTHER):
            assert (await lodger.fetch(package)).is_whole(package.data)
        assert {path.stat().st_mode & 0o777 for path in lodger.blobs().values()} == {0o600}
        await lodger.stop()
        await lodger.start()
        assert (await lodger.ask(path_of(WHEEL))).is_whole(WHEEL.data)
        assert (await job(lodger, "scrub"))["found"]["damaged"] == 0
        assert (await job(lodger, "gc"))["found"]["orphans"] == 0
        lodger.require_sound()


async def test_a_data_directory_of_somebody_else_is_refused_at_the_start(
    folder: Path, upstream: LyingUpstream
) -> None:
    lodger = Lodger(folder, upstream)
    (lodger.data / "names").mkdir(parents=True)
    lodger.mine = False
    with closed(lodger.data, bits=0o500):
        if ROOT:
            os.chown(lodger.data, 12345, 12345)
        with pytest.raises(AssertionError, match=r"REGISTRY_DATA: .* can't be used .Permission denied."):
            await lodger.start()
    await lodger.stop()
    for back_end in (lodger.pypiserver, lodger.verdaccio):
        back_end.socket.close()
