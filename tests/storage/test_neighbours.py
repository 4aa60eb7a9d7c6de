"""Appliances that share a volume: each says what it needs, and they take files away in turn."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from registry.errors import Unavailable
from registry.storage import neighbours as module
from registry.storage.neighbours import LAPSE, SILENCE, SLACK, Neighbours
from tests.specimens import Storage, opened

ONE, TWO, THREE = "11" * 32, "22" * 32, "33" * 32


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[list[Storage]]:
    """Two databases over one volume."""
    async with AsyncExitStack() as stack:
        stores = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "volume").symlink_to(tmp_path / "lan")
            stores.append(await stack.enter_async_context(opened(tmp_path / name)))
        (tmp_path / "lan").mkdir()
        for each in stores:
            await each.volume.start()
        yield stores


def seen_by(storage: Storage) -> Neighbours:
    return Neighbours(storage.volume, storage.database)


def folder(storage: Storage) -> Path:
    return storage.root / "volume" / "appliances"


def word(storage: Storage) -> Path:
    """The only one that was said."""
    (path,) = folder(storage).iterdir()
    return path


def backdate(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


async def test_what_one_needs_the_other_knows_and_nobody_is_its_own_neighbour(shared: list[Storage]) -> None:
    ours, theirs = map(seen_by, shared)
    assert await ours.alone()
    await ours.tell([TWO, ONE])
    assert await ours.alone()
    assert not await theirs.alone()
    others = await theirs.others()
    assert (others.count, others.names) == (1, frozenset({ONE, TWO}))
    assert (await ours.others()).names == frozenset()
    await ours.tell([THREE])
    assert (await theirs.others()).names == {THREE}
    assert (await seen_by(shared[0]).others()).names == frozenset(), "it knows itself after a restart"


async def test_what_came_in_since_the_last_word_stays_too(shared: list[Storage]) -> None:
    ours, theirs = map(seen_by, shared)
    assert not (await theirs.others()).may_need(ONE, time.time()), "there is nobody to need it"
    await ours.tell([ONE])
    path = word(shared[0])
    backdate(path, 5 * SLACK)
    others = await theirs.others()
    assert others.may_need(ONE, 0.0)
    assert others.may_need(TWO, path.stat().st_mtime + 1)
    assert not others.may_need(TWO, path.stat().st_mtime - 2 * SLACK)
    await ours.tell([ONE])
    assert path.stat().st_mtime > time.time() - SLACK, "the same words again are a word"


async def test_who_was_silent_for_a_month_has_left(shared: list[Storage]) -> None:
    ours, theirs = map(seen_by, shared)
    await ours.tell([ONE])
    path = word(shared[0])
    backdate(path, SILENCE + 60)
    assert await theirs.alone()
    assert (await theirs.others()).count == 0


async def test_a_damaged_word_is_read_as_far_as_it_goes_and_a_link_not_at_all(shared: list[Storage]) -> None:
    ours, theirs = map(seen_by, shared)
    await ours.tell([ONE])
    path = word(shared[0])
    path.write_bytes(b"\xff\xfe\n../../etc\n" + ONE.encode() + b"\n" + TWO[:40].encode())
    assert (await theirs.others()).names == {ONE}
    (folder(shared[0]) / "README").write_text("hello")
    assert (await theirs.others()).count == 1
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(Unavailable, match="symbolic link"):
        await theirs.others()


async def test_one_at_a_time_takes_files_away(shared: list[Storage]) -> None:
    ours, theirs = map(seen_by, shared)
    async with ours.turn() as turn:
        turn.keep()
        with pytest.raises(Unavailable, match="tidies up the LAN volume now"):
            async with theirs.turn():
                pytest.fail("two have the turn")
        turn.keep()
    while (folder(shared[0]) / "turn").exists():
        await shared[0].volume.run(lambda: None)
    async with theirs.turn() as turn:
        turn.keep()


async def test_the_turn_of_one_that_died_is_taken_and_it_notices_should_it_live(
    shared: list[Storage],
) -> None:
    ours, theirs = map(seen_by, shared)
    async with ours.turn() as stalled:
        backdate(folder(shared[0]) / "turn", LAPSE + 60)
        async with theirs.turn() as turn:
            turn.keep()
            with pytest.raises(Unavailable, match="taken too long"):
                stalled.keep()
            stalled.end()
            turn.keep()


async def test_the_turn_of_an_earlier_self_is_ours_at_once(shared: list[Storage]) -> None:
    before, after = seen_by(shared[0]), seen_by(shared[0])
    async with before.turn(), after.turn() as turn:
        turn.keep()


async def test_a_turn_is_not_ended_by_the_one_before_it(shared: list[Storage]) -> None:
    """Which ends in a thread of its own, waited for by nobody."""
    ours = seen_by(shared[0])
    for _ in range(300):
        async with ours.turn() as turn:
            await asyncio.sleep(0)
            turn.keep()


async def test_who_has_the_turn_says_that_it_lives(
    shared: list[Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with seen_by(shared[0]).turn() as turn:
        path = folder(shared[0]) / "turn"
        backdate(path, LAPSE - 60)
        turn.keep()
        assert path.stat().st_mtime < time.time() - 60, "not at every file"
        monkeypatch.setattr(module, "BEAT", -1)
        turn.keep()
        assert path.stat().st_mtime > time.time() - 60


async def test_nothing_is_told_to_an_empty_mount_point(shared: list[Storage], tmp_path: Path) -> None:
    ours = seen_by(shared[0])
    await ours.tell([ONE])
    (tmp_path / "lan").rename(tmp_path / "unmounted")
    (tmp_path / "lan").mkdir()
    with pytest.raises(Unavailable, match="mount"):
        await ours.tell([TWO])
    with pytest.raises(Unavailable, match="mount"):
        async with ours.turn():
            pytest.fail("there is nothing to take away")
    assert list((tmp_path / "lan").iterdir()) == []
