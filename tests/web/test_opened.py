"""Open files: shared while they are asked for, few, and closed when nobody has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from registry.errors import Unavailable
from registry.web.opened import OpenFile, OpenFiles


def text(file: OpenFile) -> bytes:
    return os.pread(file.fileno(), 100, 0)


def test_a_file_is_opened_once_and_outlives_its_name(tmp_path: Path) -> None:
    files, path = OpenFiles(), tmp_path / "file"
    path.write_bytes(b"text")
    first = files.get(str(path))
    path.unlink()
    assert files.get(str(path)) is first
    assert text(first) == b"text"


def test_those_asked_for_last_stay_open_and_the_others_as_long_as_someone_sends_them(tmp_path: Path) -> None:
    files, paths = OpenFiles(2), [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode())
    first, second = (files.get(str(path)) for path in paths[:2])
    assert files.get(str(paths[0])) is first
    assert text(files.get(str(paths[2]))) == b"2"
    assert files.get(str(paths[0])) is first
    assert files.get(str(paths[1])) is not second
    assert text(second) == b"1"
    descriptor = second.fileno()
    del second
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("there", ["nothing", "a link"])
def test_what_is_no_file_of_ours_is_unavailable(tmp_path: Path, there: str) -> None:
    path = tmp_path / "file"
    if there == "a link":
        path.symlink_to("/etc/passwd")
    with pytest.raises(Unavailable):
        OpenFiles().get(str(path))
