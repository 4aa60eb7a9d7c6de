"""What goes over the wire for a file that is here: whole, in part or not at all, from near and from afar."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from registry.errors import Unavailable
from registry.pipeline.answers import FileAnswer
from registry.web import files, reading
from registry.web.files import file_response
from registry.web.replies import takes_bytes
from tests.fakes import PlaceAtHand
from tests.web.wire import Wire, request


@pytest.fixture(params=["by sendfile", "in pieces", "in one go", "in one go from afar"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the bytes come from the disk to the client."""

    async def sendfile(transport: Any, file: Any, offset: int, count: int, _drain: Any) -> int:
        data = os.pread(file.fileno(), count, offset)
        await transport.wire.write(data)
        return len(data)

    found = str(request.param)
    monkeypatch.setattr(files, "SMALL", files.SMALL if found.startswith("in one go") else 0)
    monkeypatch.setattr(files, "send_file", sendfile)
    monkeypatch.setattr(reading, "PIECE", 7)
    return found


@pytest.fixture
def kept(tmp_path: Path, way: str) -> FileAnswer:
    path = tmp_path / "blob"
    path.write_bytes(bytes(range(200)))
    place = PlaceAtHand(local=way in {"by sendfile", "in one go"})
    return FileAnswer(path, "a" * 64, 200, "foo.whl", place)


async def sent(answer: FileAnswer, method: str = "GET", **headers: str) -> tuple[web.StreamResponse, Wire]:
    wire = Wire()
    asked = request(wire, method, **headers)
    response = await file_response(asked, answer, {})
    await response.prepare(asked)
    await response.write_eof()
    return response, wire


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 200, slice(None)),
        ({"Range": "bytes=10-19"}, 206, slice(10, 20)),
        ({"Range": "bytes=190-"}, 206, slice(190, None)),
        ({"Range": "bytes=-5"}, 206, slice(-5, None)),
        ({"Range": "bytes=200-"}, 416, slice(0, 0)),
        ({"If_None_Match": f'"{"a" * 64}"'}, 304, slice(0, 0)),
        ({"If_None_Match": f'W/"{"a" * 64}"'}, 304, slice(0, 0)),
        ({"If_None_Match": '"other"'}, 200, slice(None)),
        ({"Range": "bytes=0-1", "If_Range": '"other"'}, 200, slice(None)),
        ({"Range": "bytes=0-1", "If_Range": f'"{"a" * 64}"'}, 206, slice(0, 2)),
        ({"Range": "bytes=0-1", "If_None_Match": f'"{"a" * 64}"'}, 304, slice(0, 0)),
    ],
)
async def test_a_kept_file_is_given_whole_in_part_or_not_at_all(
    kept: FileAnswer, headers: dict[str, str], status: int, body: slice
) -> None:
    response, wire = await sent(kept, **headers)
    assert (response.status, bytes(wire.body)) == (status, bytes(range(200))[body])
    assert response.headers["ETag"] == f'"{"a" * 64}"'
    asked = request(Wire(), **headers)
    assert takes_bytes(asked, kept.sha256, kept.size) == bool(wire.body)


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=5-9"}])
async def test_head_has_the_headers_and_no_body(kept: FileAnswer, headers: dict[str, str]) -> None:
    got, _ = await sent(kept, **headers)
    head, wire = await sent(kept, "HEAD", **headers)
    assert not wire.body
    assert (head.status, head.content_length) == (got.status, got.content_length)
    assert head.headers.get("Content-Range") == got.headers.get("Content-Range")


async def test_a_file_that_is_not_there_is_an_error_before_any_header(kept: FileAnswer) -> None:
    kept.path.unlink()
    with pytest.raises(Unavailable):
        await sent(kept)


async def test_a_link_is_not_followed(kept: FileAnswer) -> None:
    kept.path.unlink()
    kept.path.symlink_to("/etc/passwd")
    with pytest.raises(Unavailable):
        await sent(kept)


async def test_a_file_that_was_cut_never_looks_complete(kept: FileAnswer) -> None:
    os.truncate(kept.path, 100)
    try:
        _, wire = await sent(kept)
    except Unavailable:
        return
    assert wire.broken


def failing(code: int, times: int) -> Callable[..., bytes]:
    """pread that fails so often from the second piece on."""
    real, left = os.pread, times

    def pread(descriptor: int, length: int, start: int) -> bytes:
        nonlocal left
        if start > 0 and left > 0:
            left -= 1
            raise OSError(code, os.strerror(code))
        return real(descriptor, length, start)

    return pread


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
async def test_a_volume_that_fails_halfway_breaks_the_connection(
    kept: FileAnswer, way: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """F10: what was sent so far never looks like the whole."""
    if way in {"in one go", "in one go from afar"}:
        pytest.skip("has no half")
    if way == "by sendfile":

        async def sendfile(transport: Any, file: Any, offset: int, count: int, _drain: Any) -> int:
            await transport.wire.write(os.pread(file.fileno(), count // 2, offset))
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(files, "send_file", sendfile)
    else:
        monkeypatch.setattr(os, "pread", failing(code, 100))
    wire = Wire()
    asked = request(wire)
    response = await file_response(asked, kept, {})
    with contextlib.suppress(OSError):
        await response.prepare(asked)
    assert wire.broken
    assert 0 < len(wire.body) < 200
    assert not wire.ended


async def test_a_handle_that_the_server_forgot_is_opened_once_more(
    kept: FileAnswer, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F10: ESTALE, as after a restart of the NAS."""
    if way != "in pieces":
        pytest.skip("is of network volumes")
    monkeypatch.setattr(os, "pread", failing(errno.ESTALE, 1))
    _, wire = await sent(kept)
    assert (bytes(wire.body), wire.broken) == (bytes(range(200)), False)
