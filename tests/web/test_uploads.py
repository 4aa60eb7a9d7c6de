"""Bodies on their way in: whatever arrives is an upload or a clear no, and nothing stays behind."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import hypothesis.strategies as st
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings

from registry.errors import RegistryError, TooLarge, Unavailable
from registry.model.publications import Upload
from registry.web import uploads
from registry.web.uploads import change_in, read_change, read_document, read_form, spool

FILE = b"PK\x03\x04 the bytes of a wheel" * 100
LIMIT = 10_000

pytestmark = pytest.mark.filterwarnings(
    "ignore::aiohttp.BadContentDispositionHeader", "ignore::aiohttp.BadContentDispositionParam"
)


class Desk:
    """A server that takes uploads, and what it understood of the last one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: Upload | bytes | None = None
        self.spooled = b""

    async def form(self, request: web.Request) -> web.Response:
        return await self._take(request, read_form)

    async def document(self, request: web.Request) -> web.Response:
        return await self._take(request, read_document)

    async def change(self, request: web.Request) -> web.Response:
        async def read(request: web.Request, _path: Path, _limit: int) -> bytes:
            return await read_change(request)

        return await self._take(request, read)

    async def _take(self, request: web.Request, read: Any) -> web.Response:
        self.taken = None
        try:
            async with spool(self.folder) as path:
                self.taken = await read(request, path, LIMIT)
                self.spooled = path.read_bytes()
        except RegistryError as error:
            return web.Response(status=error.status, text=str(error))
        return web.Response()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Desk, aiohttp.ClientSession]]:
    made = Desk(tmp_path)
    app = web.Application(client_max_size=2**20)
    app.add_routes(
        [web.post("/form", made.form), web.post("/document", made.document), web.post("/change", made.change)]
    )
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        yield made, session
    assert not list(tmp_path.iterdir())


def part(name: str, data: bytes, filename: str | None = None, *headers: str) -> bytes:
    more = f'; filename="{filename}"' if filename else ""
    head = "\r\n".join([f'Content-Disposition: form-data; name="{name}"{more}', *headers])
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


END = b"--B--\r\n"
FORM = {"Content-Type": "multipart/form-data; boundary=B"}
CONTENT = part("content", FILE, "foo-1.0-py3-none-any.whl")


async def test_a_form_is_read_hashed_and_spooled(desk: tuple[Desk, aiohttp.ClientSession]) -> None:
    made, session = desk
    body = (
        part("name", b"foo") + part("classifiers", b"a") + part("classifiers", "ü".encode()) + CONTENT + END
    )
    assert (await session.post("/form", data=body, headers=FORM)).status == 200
    assert isinstance(made.taken, Upload)
    assert made.taken.fields == {"name": ("foo",), "classifiers": ("a", "ü")}
    assert (made.taken.filename, made.taken.size) == ("foo-1.0-py3-none-any.whl", len(FILE))
    assert made.spooled == FILE
    assert made.taken.digests == {
        "md5": hashlib.md5(FILE).hexdigest(),
        "sha256": hashlib.sha256(FILE).hexdigest(),
        "sha512": hashlib.sha512(FILE).hexdigest(),
        "blake2b_256": hashlib.blake2b(FILE, digest_size=32).hexdigest(),
    }


BROKEN: dict[str, tuple[bytes, dict[str, str]]] = {
    "no form": (b"{}", {"Content-Type": "application/json"}),
    "no type": (CONTENT + END, {"Content-Type": ""}),
    "no boundary": (CONTENT + END, {"Content-Type": "multipart/form-data"}),
    "long boundary": (CONTENT + END, {"Content-Type": f"multipart/form-data; boundary={'B' * 80}"}),
    "other boundary": (CONTENT + END, {"Content-Type": "multipart/form-data; boundary=C"}),
    "empty": (b"", FORM),
    "ends at once": (END, FORM),
    "no end": (CONTENT, FORM),
    "ends in a header": (CONTENT[:40], FORM),
    "no file": (part("name", b"foo") + END, FORM),
    "a file by another name": (part("wheel", FILE, "foo-1.0-py3-none-any.whl") + END, FORM),
    "two files": (CONTENT + CONTENT + END, FORM),
    "a part without a name": (b"--B\r\n\r\nx\r\n" + CONTENT + END, FORM),
    "a form in the form": (
        b"--B\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--C\r\n\r\nx\r\n--C--\r\n" + END,
        FORM,
    ),
    "unknown coding": (part("name", b"foo", None, "Content-Encoding: zstd") + CONTENT + END, FORM),
    "unknown transfer coding": (
        part("name", b"foo", None, "Content-Transfer-Encoding: rot13") + CONTENT + END,
        FORM,
    ),
    "long charset": (part("_charset_", b"x" * 100) + CONTENT + END, FORM),
    "bad length": (part("name", b"foo", None, "Content-Length: minus") + CONTENT + END, FORM),
    "many headers": (part("name", b"foo", None, *(f"X-{n}: 1" for n in range(1_000))) + CONTENT + END, FORM),
    "long header": (part("name", b"foo", None, f"X: {'x' * 50_000}") + CONTENT + END, FORM),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_form_is_told_to_be_one(desk: tuple[Desk, aiohttp.ClientSession], name: str) -> None:
    made, session = desk
    body, headers = BROKEN[name]
    response = await session.post("/form", data=body, headers=headers)
    if response.status == 200:  # lenient where nothing is lost
        assert isinstance(made.taken, Upload)
        assert made.spooled == FILE
    else:
        assert response.status == 400, await response.text()


@pytest.mark.parametrize(
    "body",
    [
        part("content", b"x" * (LIMIT + 1), "foo.whl") + END,
        part("description", b"x" * (uploads.FIELD_BYTES + 1)) + CONTENT + END,
        b"".join(part("description", b"x" * 2**20) for _ in range(5)) + CONTENT + END,
        b"".join(part(f"f{number}", b"") for number in range(uploads.FIELDS + 1)) + CONTENT + END,
    ],
    ids=["file", "one field", "some fields", "many fields"],
)
async def test_too_much_is_too_large(desk: tuple[Desk, aiohttp.ClientSession], body: bytes) -> None:
    _, session = desk
    assert (await session.post("/form", data=io.BytesIO(body), headers=FORM)).status == 413


async def test_a_long_description_is_no_problem(desk: tuple[Desk, aiohttp.ClientSession]) -> None:
    made, session = desk
    long = b"x" * (uploads.FIELD_BYTES - 1_000)
    body = io.BytesIO(part("description", long) + CONTENT + END)
    assert (await session.post("/form", data=body, headers=FORM)).status == 200
    assert isinstance(made.taken, Upload)
    assert len(made.taken.fields["description"][0]) == len(long)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4)
)
async def test_a_damaged_form_is_never_a_defect(
    desk: tuple[Desk, aiohttp.ClientSession], cut: int, flips: list[tuple[int, int]]
) -> None:
    """Any byte changed, any end: an upload, or 400, or 413; nothing stays, nothing crashes."""
    _, session = desk
    body = bytearray(part("name", b"foo") + part("content", b"x" * 50, "foo.whl") + END)
    for place, value in flips:
        body[place % len(body)] = value
    response = await session.post("/form", data=bytes(body[: len(body) - cut % len(body)]), headers=FORM)
    assert response.status in {200, 400, 413}


async def endless() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b"x" * 1_000


async def test_a_document_is_spooled_within_what_its_file_may_have(
    desk: tuple[Desk, aiohttp.ClientSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In base64, and some JSON around it."""
    monkeypatch.setattr(uploads, "DOCUMENT_BYTES", 1_000)
    made, session = desk
    whole = b"x" * (LIMIT * 4 // 3 + 1_000)
    assert (await session.post("/document", data=whole)).status == 200
    assert made.spooled == whole
    for more in (whole + b"12345", endless()):
        response = await session.post("/document", data=more)
        assert response.status == 413
        assert f"{LIMIT} bytes" in (said := await response.text())
        assert "upload_limit" in said


async def test_a_change_is_a_small_document(
    desk: tuple[Desk, aiohttp.ClientSession], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uploads, "DOCUMENT_BYTES", 1_000)
    made, session = desk
    assert (await session.post("/change", data=b"x" * 1_000)).status == 200
    assert made.taken == b"x" * 1_000
    assert (await session.post("/change", data=b"x" * 1_001)).status == 413
    assert (await session.post("/change", data=endless())).status == 413
    async with spool(tmp_path) as path:
        path.write_bytes(b"x" * 1_000)
        assert change_in(path) == b"x" * 1_000
        path.write_bytes(b"x" * 1_001)
        with pytest.raises(TooLarge):
            change_in(path)


@pytest.mark.parametrize("path", ["/form", "/document"])
async def test_a_client_that_leaves_leaves_nothing_behind(
    desk: tuple[Desk, aiohttp.ClientSession], path: str
) -> None:
    """F32: killed in the middle of its upload."""
    made, session = desk
    url = session._build_url(path)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: 9000\r\n\r\n"
    writer.write(head.encode() + CONTENT[:500])
    await writer.drain()
    while not list(made.folder.iterdir()):  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0.001)
    writer.transport.abort()
    while list(made.folder.iterdir()):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert made.taken is None
    assert reader is not None


async def test_without_room_to_spool_there_is_no_upload(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        async with spool(tmp_path / "missing"):
            pass
