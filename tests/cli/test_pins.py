"""What lock files on the command line pin, with all that belongs to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.cli.exits import Misused
from registry.cli.pins import read_pins

A, B = "a" * 64, "b" * 64


def pinned(*paths: Path) -> tuple[set[tuple[str, str | None]], list[str]]:
    pins, unresolved = read_pins(paths)
    return {(pin["name"], pin["version"]) for pin in pins}, [text.partition(": ")[2] for text in unresolved]


def test_what_requirements_include_belongs_to_them(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "requirements.txt").write_text("flask\nhttpx==1.0\nloose>=2\n-r in/base.txt\n-c limits.txt\n")
    (tmp_path / "in" / "base.txt").write_text("six==1.17.0\n-r ../requirements.txt\n")
    (tmp_path / "limits.txt").write_text("flask==3.0.0\nclick==8.1.7\n")
    found, unresolved = pinned(tmp_path / "requirements.txt")
    assert found == {
        ("flask", "3.0.0"),
        ("httpx", "1.0"),
        ("loose", None),
        ("six", "1.17.0"),
        ("click", "8.1.7"),
    }
    assert unresolved == ["'loose' has no pinned version."]


def test_an_included_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r gone.txt\n")
    with pytest.raises(Misused, match=r"gone\.txt can't be read"):
        read_pins([tmp_path / "requirements.txt"])


def test_files_that_pin_the_same_are_one_entry_with_the_digests_of_both(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text(f"six==1.17.0 --hash=sha256:{A}\n")
    other.write_text(f"six==1.17.0 --hash=sha256:{A} --hash=sha256:{B}\n")
    ((pin,), unresolved) = read_pins([one, other])
    assert (pin["digests"], unresolved) == ([f"sha256:{A}", f"sha256:{B}"], [])
