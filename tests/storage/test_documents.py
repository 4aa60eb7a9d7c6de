"""Documents on a real disk: rot, crashes between file and row, replacements under a reader."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from registry.errors import Unavailable
from registry.model.indexes import Document
from registry.storage import document_files
from tests.specimens import FOO, NOW, Storage, sha


def document(body: bytes) -> Document:
    return Document(
        body=body, content_type="text/html", url="https://example.invalid/", sha256=sha(body).hex, checked=NOW
    )


OLD, NEW = document(b"old" * 100), document(b"new" * 100)


def files(storage: Storage) -> list[Path]:
    return [path for path in (storage.root / "volume" / "index").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: os.truncate(path, 12),
        lambda path: os.truncate(path, 0),
        lambda path: path.write_bytes(b"not gzip"),
        lambda path: path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9),
    ],
    ids=["removed", "truncated", "emptied", "replaced", "end overwritten"],
)
async def test_a_damaged_document_is_forgotten(storage: Storage, damage: Callable[[Path], object]) -> None:
    await storage.documents.put(FOO, OLD)
    (path,) = files(storage)
    damage(path)
    assert await storage.documents.get(FOO) is None
    assert await storage.documents.standing(FOO) is None
    await storage.documents.put(FOO, OLD)
    assert await storage.documents.get(FOO) == OLD


async def test_an_unmounted_volume_forgets_nothing(storage: Storage) -> None:
    await storage.documents.put(FOO, OLD)
    root = storage.root / "volume"
    root.rename(storage.root / "unmounted")
    with pytest.raises(Unavailable):
        await storage.documents.get(FOO)
    with pytest.raises(Unavailable):
        await storage.documents.put(FOO, NEW)
    (storage.root / "unmounted").rename(root)
    assert await storage.documents.get(FOO) == OLD


async def test_a_replaced_document_leaves_one_file(storage: Storage) -> None:
    await storage.documents.put(FOO, OLD)
    await storage.documents.put(FOO, NEW)
    assert len(files(storage)) == 1
    await storage.documents.drop(FOO)
    assert files(storage) == []


async def test_a_crash_before_the_row_keeps_the_old_document(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.documents.put(FOO, OLD)

    async def crash(job: Callable[[apsw.Connection], object]) -> None:
        raise Unavailable("The power went.")

    with monkeypatch.context() as patch:
        patch.setattr(storage.database, "write", crash)
        with pytest.raises(Unavailable):
            await storage.documents.put(FOO, NEW)
    assert await storage.documents.get(FOO) == OLD


async def test_a_reader_gets_the_new_document_when_the_old_file_goes_meanwhile(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.documents.put(FOO, OLD)
    run, replaced = storage.volume.run, False

    async def replacing(function: Callable[[], object], work: int = 0) -> object:
        nonlocal replaced
        if not replaced:
            replaced = True
            await storage.documents.put(FOO, NEW)
        return await run(function, work)

    monkeypatch.setattr(storage.volume, "run", replacing)
    assert await storage.documents.get(FOO) == NEW


async def test_names_on_the_volume_are_hex(storage: Storage) -> None:
    """F16."""
    await storage.documents.put(FOO, OLD)
    (path,) = files(storage)
    assert all(set(part) <= set("0123456789abcdef") for part in path.parts[-2:])


async def test_a_document_that_can_not_be_written_leaves_no_temp_file(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.volume.start()

    def full(descriptor: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(document_files, "write_all", full)
    with pytest.raises(Unavailable, match="full"):
        await storage.documents.put(FOO, OLD)
    assert list(storage.volume.temp.iterdir()) == []
    assert await storage.documents.get(FOO) is None
