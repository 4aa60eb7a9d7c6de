"""Leases: one process at a time, and none for ever."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from registry.storage.leases import FileLeases


def _hold(path: Path, name: str, told: Connection) -> None:
    leases = FileLeases(path)
    told.send(leases.take(name))
    told.recv()


def test_a_lease_is_one_holders_until_it_is_dropped(tmp_path: Path) -> None:
    with closing(FileLeases(tmp_path / "leases")) as ours, closing(FileLeases(tmp_path / "leases")) as theirs:
        assert ours.take("gc")
        assert ours.take("gc")
        assert not theirs.take("gc")
        theirs.drop("gc")
        assert not theirs.take("gc")
        ours.drop("gc")
        assert theirs.take("gc")


def test_leases_of_other_names_are_free(tmp_path: Path) -> None:
    with closing(FileLeases(tmp_path / "leases")) as ours, closing(FileLeases(tmp_path / "leases")) as theirs:
        assert all(ours.take(f"file {number}") for number in range(200))
        assert all(theirs.take(f"document {number}") for number in range(200))


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    spawning = multiprocessing.get_context("spawn")
    ours, told = spawning.Pipe()
    holder = spawning.Process(target=_hold, args=(tmp_path / "leases", "gc", told))
    holder.start()
    assert ours.recv()
    with closing(FileLeases(tmp_path / "leases")) as leases:
        assert not leases.take("gc")
        holder.kill()
        holder.join()
        assert leases.take("gc")
