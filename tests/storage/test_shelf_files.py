"""The shelf on disk: survives a restart, believes nothing torn, forgets at once, stays within its bound."""

from __future__ import annotations

from pathlib import Path

from registry.storage.shelf import Shelf
from registry.storage.shelf_files import ShelfFiles

FOO = ("pypi", "foo", "json")
FOO_HTML = ("pypi", "foo", "html")
BAR = ("pypi", "bar", "json")


def opened(tmp_path: Path, recipe: str = "one") -> ShelfFiles:
    return ShelfFiles(tmp_path, recipe, 1000)


def shelf(files: ShelfFiles) -> Shelf:
    return Shelf(
        100,
        files,
        lambda entry: (entry, "") if isinstance(entry, bytes) else None,
        lambda data, _: (data, len(data)),
    )


def left(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_a_shelf_on_the_same_files_has_what_the_last_one_had(tmp_path: Path) -> None:
    files = opened(tmp_path)
    shelf(files).put(FOO, b"entry", 5)
    await files.close()
    again = shelf(opened(tmp_path))
    assert again.get(FOO) == b"entry"
    assert again.size == 5
    assert again.get(BAR) is None


async def test_another_recipe_finds_nothing_and_removes_what_was_there(tmp_path: Path) -> None:
    files = opened(tmp_path)
    files.put(FOO, b"entry")
    await files.close()
    other = opened(tmp_path, "two")
    assert other.get(FOO) is None
    await other.settle()
    assert not left(tmp_path)


async def test_what_cannot_be_encoded_is_of_memory_only(tmp_path: Path) -> None:
    files = opened(tmp_path)
    first = shelf(files)
    first.put(FOO, "no bytes", 5)
    first.put(BAR, b"bytes", 5)
    await files.settle()
    assert first.get(FOO) == "no bytes"
    again = shelf(opened(tmp_path))
    assert (again.get(FOO), again.get(BAR)) == (None, b"bytes")


async def test_a_project_is_forgotten_at_once_with_what_waits_to_be_written(tmp_path: Path) -> None:
    files = opened(tmp_path)
    files.put(FOO, b"old")
    files.put(BAR, b"other")
    await files.settle()
    files.put(FOO_HTML, b"old, late")
    files.drop(("pypi", "foo"))
    assert files.get(FOO) is None
    await files.settle()
    assert files.get(FOO_HTML) is None
    assert files.get(BAR) == (b"other", "")


async def test_a_damaged_entry_is_none(tmp_path: Path) -> None:
    files = opened(tmp_path)
    files.put(FOO, b"entry")
    await files.settle()
    [path] = left(tmp_path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole[:16], whole[:20] + b"x" + whole[21:]):
        path.write_bytes(damaged)
        assert files.get(FOO) is None
    path.write_bytes(whole)
    assert files.get(FOO) == (b"entry", "")


async def test_a_body_survives_where_it_came_from_and_is_believed_whole_only(tmp_path: Path) -> None:
    files, body = opened(tmp_path / "shelf"), tmp_path / "body"
    for _ in range(2):
        body.write_bytes(b"large")
        files.put(FOO, b"entry", str(body))
        await files.settle()
        body.unlink()
        found = files.get(FOO)
        assert found is not None
        entry, path = found
        assert (entry, Path(path).read_bytes()) == (b"entry", b"large")
        Path(path).write_bytes(b"l4rge")
        assert files.get(FOO) is None
        Path(path).unlink()
        assert files.get(FOO) is None


async def test_an_entry_whose_body_is_gone_already_is_not_kept(tmp_path: Path) -> None:
    files = opened(tmp_path)
    files.put(FOO, b"entry", str(tmp_path / "gone"))
    await files.settle()
    assert files.get(FOO) is None
    assert not left(tmp_path)


async def test_bodies_count_too(tmp_path: Path) -> None:
    files = opened(tmp_path / "shelf")
    for number in range(30):
        body = tmp_path / str(number)
        body.write_bytes(f"{number:084}".encode())
        files.put(("pypi", f"p{number}", "json"), b"entry", str(body))
    await files.settle()
    assert 0 < sum(path.stat().st_size for path in left(tmp_path / "shelf")) <= 1000


async def test_it_stays_within_its_bound(tmp_path: Path) -> None:
    files = opened(tmp_path)
    for number in range(30):
        files.put(("pypi", f"p{number}", "json"), bytes(84))
    await files.settle()
    assert 0 < sum(path.stat().st_size for path in left(tmp_path)) <= 1000


async def test_a_directory_that_cannot_be_used_is_only_slower(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files = opened(tmp_path / "file" / "below")
    first = shelf(files)
    first.put(FOO, b"entry", 5)
    first.drop(FOO[:2])
    assert first.get(FOO) is None
    await files.close()
