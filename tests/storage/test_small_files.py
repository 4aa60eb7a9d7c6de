"""Small files in memory."""

from __future__ import annotations

import pytest

from registry.storage import small_files
from registry.storage.small_files import SmallFiles


def test_what_was_asked_for_least_recently_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "ROOM", 30)
    files = SmallFiles()
    for name in "abc":
        files.keep(name, name.encode() * 10)
    assert files.get("a") == b"a" * 10
    files.keep("d", b"d" * 10)
    assert [name for name in "abcd" if files.get(name) is not None] == ["a", "c", "d"]


def test_what_is_forgotten_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "ROOM", 20)
    files = SmallFiles()
    files.keep("a", b"a" * 10)
    files.keep("a", b"A" * 10)
    files.keep("b", b"b" * 10)
    files.drop("b")
    files.drop("never kept")
    files.keep("c", b"c" * 10)
    assert files.get("a") == b"A" * 10
    assert files.get("c") == b"c" * 10
