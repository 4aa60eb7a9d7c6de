"""Documents and renditions in files: the same bytes as in memory, checked, and gone when nobody needs them."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from pathlib import Path

import msgspec
import pytest

from registry.ecosystems.npm import NPM
from registry.model.indexes import Document, Index, Rendition
from registry.pipeline.large import DocumentLost, opened, pack_pieces, relieve
from registry.pipeline.packs import FILED, pack, unpack
from tests.specimens import NOW
from tests.upstream import make_tarball
from tests.upstream.documents import packument

TARBALLS = [make_tarball("huge", f"1.{minor}.0") for minor in range(20)]
BODY = packument(TARBALLS, "http://up.test", times=True, abbreviated=False)
PROJECT = NPM.parse_name("huge")


def document(path: Path, body: bytes = BODY, sha256: str = "") -> Document:
    path.write_bytes(gzip.compress(body))
    return Document(
        body=b"",
        path=str(path),
        content_type="application/json",
        url="http://up.test/huge",
        sha256=sha256 or hashlib.sha256(body).hexdigest(),
        checked=NOW,
    )


def index_of(document: Document) -> Index:
    return NPM.read_index(PROJECT, document)


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("form", NPM.representations, ids=lambda form: form.name)
def test_a_document_in_a_file_renders_to_the_same_bytes(tmp_path: Path, form: object, mapped: bool) -> None:
    inline = msgspec.structs.replace(document(tmp_path / "one"), path="", body=BODY)
    expected = NPM.render_index(index_of(inline), {}, "http://here.test/npm", form)  # type: ignore[arg-type]
    with opened(document(tmp_path / "one"), str(tmp_path), mapped=mapped) as found:
        index = index_of(found)
        relieve(found)
        assert NPM.stream_index is not None
        pieces = NPM.stream_index(index, {}, "http://here.test/npm", form)  # type: ignore[arg-type]
        rendition = pack_pieces(pieces, "application/json", "r1", (("X-A", "b"),), str(tmp_path))
    packed = Path(rendition.path).read_bytes()
    assert gzip.decompress(packed) == expected
    assert (rendition.packed, rendition.size, rendition.gzipped) == (len(packed), len(expected), b"")
    assert rendition.etag == pack(expected, "application/json", "r1").etag
    assert json.loads(expected)["versions"].keys() == {tarball.version for tarball in TARBALLS}


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(b"no gzip"),
        lambda path: path.write_bytes(gzip.compress(BODY + b" ")),
    ],
    ids=["gone", "cut", "no gzip", "other bytes"],
)
def test_a_file_that_is_not_what_was_kept_is_lost(tmp_path: Path, damage: object) -> None:
    kept = document(tmp_path / "one")
    damage(tmp_path / "one")  # type: ignore[operator]
    with pytest.raises(DocumentLost), opened(kept, str(tmp_path), mapped=True):
        pass


def test_nothing_stays_behind_in_the_scratch_directory(tmp_path: Path) -> None:
    def failing() -> object:
        yield b"{"
        raise RuntimeError

    with opened(document(tmp_path / "one"), str(tmp_path), mapped=True):
        pass
    with pytest.raises(RuntimeError):
        pack_pieces(failing(), "application/json", "r1", (), str(tmp_path))  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_document_in_memory_is_left_as_it_is(tmp_path: Path) -> None:
    inline = msgspec.structs.replace(document(tmp_path / "one"), path="", body=BODY)
    with opened(inline, str(tmp_path), mapped=True) as found:
        assert found is inline


def test_a_large_body_lies_in_a_file_and_a_small_one_in_memory(tmp_path: Path) -> None:
    large = random.Random(1).randbytes(FILED + 1)
    for body in (large, large[: FILED // 2]):
        inline, rendition = pack(body, "a/b", "1"), pack(body, "a/b", "1", scratch=str(tmp_path))
        assert (rendition.etag, rendition.size, bool(rendition.path)) == (
            inline.etag,
            len(body),
            body is large,
        )
        assert unpack(rendition) == body
        packed = Path(rendition.path).read_bytes() if rendition.path else rendition.gzipped
        assert packed == inline.gzipped
        assert rendition.packed == (len(packed) if rendition.path else 0)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_same_body_has_another_etag_in_another_form_and_under_another_policy() -> None:
    etags = {
        pack(BODY, content_type, revision).etag for content_type in ("a/b", "c/d") for revision in ("1", "2")
    }
    assert len(etags) == 4
    assert isinstance(pack(BODY, "a/b", "1"), Rendition)
