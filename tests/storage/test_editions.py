"""Editions: what one process raises, every other sees, and no two raise to the same number."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from registry.model.names import Project
from registry.storage.editions import SharedEditions

RAISED = 2_000


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[SharedEditions]:
    with closing(SharedEditions(tmp_path / "editions")) as editions:
        yield editions


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[SharedEditions]:
    with closing(SharedEditions(tmp_path / "editions")) as editions:
        yield editions


def _raise(path: Path, told: Connection) -> None:
    with closing(SharedEditions(path)) as editions:
        told.send([editions.policy.bump()[1] for _ in range(RAISED)])


def test_what_is_raised_here_is_seen_there_and_nothing_else_is_touched(
    ours: SharedEditions, theirs: SharedEditions
) -> None:
    people, rows = ours.people.bump()[1], ours.rows.bump(Project("pypi", "demo"))[1]
    assert (theirs.people.now(), theirs.rows.now(Project("pypi", "demo"))) == (people, rows)
    assert (theirs.policy.now(), theirs.rows.now(Project("npm", "demo"))) == (0, 0)
    assert theirs.documents.now(Project("pypi", "demo")) == 0


def test_no_number_comes_twice_even_if_the_file_is_lost(tmp_path: Path) -> None:
    numbers = []
    for _ in range(3):
        with closing(SharedEditions(tmp_path / "editions")) as editions:
            numbers += [editions.offline.bump()[1] for _ in range(10)]
        if len(numbers) == 20:
            (tmp_path / "editions").unlink()
    assert numbers == sorted(set(numbers))


def test_processes_that_raise_at_once_raise_to_different_numbers(tmp_path: Path) -> None:
    spawning = multiprocessing.get_context("spawn")
    numbers: list[int] = []
    with ExitStack() as stack:
        pipes = [spawning.Pipe(duplex=False) for _ in range(3)]
        for receiving, sending in pipes:
            other = spawning.Process(target=_raise, args=(tmp_path / "editions", sending))
            other.start()
            stack.callback(other.join)
            stack.callback(receiving.close)
        for receiving, _ in pipes:
            numbers += receiving.recv()
    assert len(set(numbers)) == 3 * RAISED


def test_a_use_that_another_process_noted_counts(ours: SharedEditions, theirs: SharedEditions) -> None:
    began = time.time()
    assert not ours.used_since("ab" * 32, began)
    theirs.note_use("ab" * 32)
    assert ours.used_since("ab" * 32, began)
    assert not ours.used_since("cd" * 32, began)
