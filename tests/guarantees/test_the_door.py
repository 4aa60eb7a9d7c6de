"""Malformed, smuggled, traversing, oversized requests end at the door, with a clean answer and a quiet log.

Rows H1 to H5, H10, H15, L7 to L9; that no traceback is logged is checked by the house.
"""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from tests.guarantees.house import JSON, House, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

WHEEL = make_wheel("demo", "1.0", padding=100_000)
TARBALL = make_tarball("@team/tool", "1.0.0")
SMUGGLED = b"GET /pypi/simple/smuggled/ HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(autouse=True)
async def kept(house: House, upstream: LyingUpstream) -> None:
    upstream.add(WHEEL, TARBALL)


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) [ -~]*\r\n", answer)]


def request(line: str = "GET /pypi/simple/demo/ HTTP/1.1", *headers: str, host: str = "localhost") -> bytes:
    return "\r\n".join([line, f"Host: {host}", *headers, "", ""]).encode("latin-1")


def chunks(body: str, *more: str) -> bytes:
    """An upload in chunks, and what must not be read as another request behind it."""
    head = request("POST /pypi/legacy/ HTTP/1.1", "Transfer-Encoding: chunked", *more)
    return head + body.encode("latin-1") + SMUGGLED


CLOSE = "Connection: close"
BROKEN = {
    "two lengths": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: 0", "Content-Length: 58")
    + SMUGGLED,
    "two lengths in one": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: 0, 58") + SMUGGLED,
    "length and chunks": request(
        "POST /pypi/legacy/ HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n"
    + SMUGGLED,
    "space before the colon": request("POST /pypi/legacy/ HTTP/1.1", "Transfer-Encoding : chunked")
    + SMUGGLED,
    "negative length": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: -1") + SMUGGLED,
    "length in hex": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: 0x10") + SMUGGLED,
    "plus length": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: +0") + SMUGGLED,
    "length as a list": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: 0, 0") + SMUGGLED,
    "length in other digits": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: \xb2") + SMUGGLED,
    "length with an underscore": request("POST /pypi/legacy/ HTTP/1.1", "Content-Length: 1_0") + SMUGGLED,
    "chunked twice": chunks("0\r\n\r\n", "Transfer-Encoding: chunked"),
    "chunked before another": request("POST /pypi/legacy/ HTTP/1.1", "Transfer-Encoding: chunked, x")
    + SMUGGLED,
    "chunk of negative size": chunks("-1\r\n\r\n"),
    "chunk with a hexadecimal mark": chunks("0x0\r\n\r\n"),
    "chunk ended by a bare LF": chunks("0\n\n"),
    "chunk extension with a bare LF": chunks("0;a\nb\r\n\r\n"),
    "bare LF": b"GET /pypi/simple/demo/ HTTP/1.1\nHost: localhost\n\n",
    "bare CR": request("GET /pypi/simple/demo/ HTTP/1.1", "X-A: b\rX-B: c"),
    "space in a name": request("GET /pypi/simple/demo/ HTTP/1.1", "X A: b"),
    "name of nothing": request("GET /pypi/simple/demo/ HTTP/1.1", ": b"),
    "verb in brackets": request("G(E)T /pypi/simple/demo/ HTTP/1.1"),
    "HTTP/1.1 and more": request("GET /pypi/simple/demo/ HTTP/1.1.1"),
    "HTTP/9": request("GET /pypi/simple/demo/ HTTP/9.9"),
    "unknown coding": request("POST /pypi/legacy/ HTTP/1.1", "Transfer-Encoding: xchunked") + SMUGGLED,
    "folded header": request("GET /pypi/simple/demo/ HTTP/1.1", "X-A: b\r\n c"),
    "NUL in a value": request("GET /pypi/simple/demo/ HTTP/1.1", "X-A: b\0c"),
    "no colon": request("GET /pypi/simple/demo/ HTTP/1.1", "nonsense"),
    "no version": b"GET /\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "long line": request(f"GET /pypi/simple/{'a' * 1_000_000}/ HTTP/1.1"),
    "long header": request("GET /pypi/simple/demo/ HTTP/1.1", f"X-A: {'a' * 20_000}"),
    "no host": b"GET /pypi/simple/demo/ HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": request("GET /pypi/simple/demo/ HTTP/1.1", "Host: localhost", CLOSE),
    "absolute form": request("GET http://169.254.169.254/latest/ HTTP/1.1", CLOSE),
    "absolute form of ours": request("GET http://localhost/pypi/simple/demo/ HTTP/1.1", CLOSE),
    "two slashes": request("GET //evil.example/pypi/simple/demo/ HTTP/1.1", CLOSE),
    "authority form": request("CONNECT evil.example:443 HTTP/1.1", CLOSE),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_request_is_refused_once_and_the_connection_ends(
    house: House, upstream: LyingUpstream, name: str
) -> None:
    """H1, H3, L7: nothing behind it is read as another request."""
    answer = await house.raw(BROKEN[name])
    assert statuses(answer) in ([400], [404], [405], [413], [414], [431], [501], [])
    assert not upstream.requests
    assert not house.pypiserver.asked


async def test_many_headers_are_bounded(house: House) -> None:
    """L7: an answer, or the end; not a stalled process."""
    await house.raw(request("GET /-/live HTTP/1.1", CLOSE, *(f"X-{n}: {'a' * 100}" for n in range(5_000))))
    assert (await house.ask("/-/live")).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1]x"]
)
async def test_a_host_that_is_not_ours_is_misdirected(
    house: House, upstream: LyingUpstream, host: str
) -> None:
    """H2, against DNS rebinding."""
    answer = await house.raw(request("GET /npm/@team%2ftool HTTP/1.1", CLOSE, host=host))
    assert statuses(answer) in ([421], [400])
    assert not upstream.requests


UNKEYED = [
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil", "X-Forwarded-Port": "666"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Original-URL": "/npm/evil", "X-Rewrite-URL": "/npm/evil", "X-Outside-Url": "http://evil.example/"},
    {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "PUT"},
    {"Cookie": "evil=1"},
    {"Origin": "https://evil.example", "Referer": "https://evil.example/"},
    {"Accept-Language": "evil"},
]


@pytest.mark.parametrize("path", ["/npm/@team%2ftool", "/pypi/simple/demo/"])
async def test_headers_that_are_no_key_change_nothing(house: House, path: str) -> None:
    """H2, H10: neither their own answer nor anybody's after them."""
    for headers in UNKEYED:
        got = await house.ask(path, headers=headers)
        assert b"evil" not in got.body
        assert "evil" not in str(got.headers)
    plain = await house.ask(path)
    for headers in UNKEYED:
        got = await house.ask(path, headers=headers)
        assert (got.body, got.headers["ETag"]) == (plain.body, plain.headers["ETag"])
    queried = await house.ask(f"{path}?x=1&cb=%3Cevil%3E")
    assert (queried.body, queried.headers["ETag"]) == (plain.body, plain.headers["ETag"])


async def test_the_forms_of_an_index_have_their_own_keys(house: House) -> None:
    """H10: JSON is never given for HTML, nor gzip to who can't read it."""
    for path, accepts in (
        ("/pypi/simple/demo/", ("text/html", JSON["Accept"])),
        ("/npm/@team%2ftool", ("application/json", "application/vnd.npm.install-v1+json")),
    ):
        got = [await house.ask(path, headers={"Accept": accept}) for accept in (*accepts, *accepts)]
        assert got[0].body == got[2].body != got[1].body == got[3].body
        assert len({each.headers["ETag"] for each in got}) == 2
        for each, accept in zip(got, accepts, strict=False):
            assert each.headers["Content-Type"].startswith(accept)
            assert {"Accept", "Accept-Encoding"} <= set(each.headers["Vary"].split(", "))
        plain = await house.ask(path, headers={"Accept": accepts[0], "Accept-Encoding": "identity"})
        assert (plain.body, "Content-Encoding" in plain.headers) == (got[0].body, False)


async def test_head_is_get_without_its_body_and_fills_nothing(house: House, upstream: LyingUpstream) -> None:
    """H10, P11 of the protocols."""
    path = await house.learn(WHEEL)
    cold = await house.ask(path, method="HEAD")
    assert not upstream.asked("/files/*")
    assert not house.blobs()
    await house.ask(path)
    for _ in range(1_000):  # the index changes once, when the wheel's metadata has been taken out of it
        if (await house.ask(f"{path}.metadata")).status == 200:
            break
    for each in (path, "/pypi/simple/demo/", "/npm/@team%2ftool"):
        head, got = await house.ask(each, method="HEAD"), await house.ask(each)
        assert (head.status, head.body) == (200, b"")
        for name in ("ETag", "Content-Type", "Cache-Control", "Content-Length"):
            assert head.headers.get(name) == got.headers.get(name), (each, name)
    assert cold.headers["ETag"] == (await house.ask(path)).headers["ETag"]


TRAVERSALS = [
    "/pypi/simple/../../etc/passwd",
    "/pypi/simple/%2e%2e/%2e%2e/etc/passwd",
    "/pypi/simple/..%2f..%2fetc%2fpasswd/",
    "/pypi/%2F%2F..%2F..%2Fetc/passwd",
    "/%2F%2F..%2F..%2Fetc/passwd",
    "/pypi/files/demo/%252e%252e%252fetc",
    "/pypi/files/demo/..%5c..%5cetc",
    "/pypi/files/demo/..\\..\\etc",
    "/pypi/files/demo/demo-1.0-py3-none-any.whl%00.png",
    "/pypi/files/demo/demo-1.0-py3-none-any.whl/../x",
    "/pypi/files/demo/%c0%ae%c0%ae/etc/passwd",
    "/pypi/files/demo/demo-1.0-py3-none-any.whl.",
    "/pypi/files/demo/demo-1.0-py3-none-any.whl%20",
    "/pypi/files/demo/demo-1.0-py3-none-any.whl;x",
    "/pypi/files/demo/demo-1.0-py3-none-any.exe",
    "/pypi/files/demo/other-1.0-py3-none-any.whl",
    "/pypi/files/../../../volume-id",
    "/npm/../../etc/passwd",
    "/npm/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/npm/@team/../../etc/passwd",
    "/npm/@team%2f..%2f..%2fetc",
    "/npm/@team%252ftool",
    "/npm/@team/tool/-/..%2f..%2fetc",
    "/npm/@team/tool/-/tool-1.0.0.tgz%00",
    "/npm/.hidden",
    "/npm/__proto__",
    "/npm/%E2%80%AEtool",
    "/static/../server.py",
    "/static/%2e%2e/%2e%2e/app.py",
    "/%70ypi/simple/demo/",
    "/pypi%2fsimple%2fdemo/",
    "/PYPI/simple/demo/",
    "/pypi/simple/re%CF%85ests/",
    f"/pypi/simple/{'a' * 300}/",
]


@pytest.mark.parametrize("path", TRAVERSALS)
async def test_a_path_that_is_not_ours_ends_before_any_file_or_source(
    house: House, upstream: LyingUpstream, path: str
) -> None:
    """H4, H5, H7, H9: one parse of a path into typed names; the house checks that no file is touched."""
    answer = await house.raw(request(f"GET {path} HTTP/1.1", CLOSE))
    assert statuses(answer) in ([400], [404])
    assert b"root:" not in answer
    assert not upstream.requests
    assert not house.verdaccio.asked


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "TRACE", "OPTIONS", "PROPFIND"])
async def test_a_verb_that_is_not_offered_is_refused(
    house: House, upstream: LyingUpstream, method: str
) -> None:
    """H15."""
    for path in ("/pypi/simple/demo/", path_of(WHEEL), path_of(TARBALL), "/npm/-/ping", "/", "/-/live"):
        got = await house.ask(path, method=method)
        assert got.status in {405, 401}, (path, got.status)
        assert got.status == 401 or "Allow" in got.headers
    assert not upstream.requests


RANGES = {
    "bytes=0-": (206, slice(0, None)),
    "bytes=0-0": (206, slice(0, 1)),
    "bytes=10-19": (206, slice(10, 20)),
    "bytes=-7": (206, slice(-7, None)),
    "bytes=5-99999999": (206, slice(5, None)),
    "bytes=" + "0-," * 1_000: (200, slice(None)),
    "bytes=0-,0-,0-": (200, slice(None)),
    "bytes=9-3": (200, slice(None)),
    "lines=1-2": (200, slice(None)),
    "bytes=0-1;x": (200, slice(None)),
    "bytes=99999999-": (416, slice(0, 0)),
    "bytes=-0": (416, slice(0, 0)),
    "bytes=" + "9" * 30 + "-": (200, slice(None)),
}


@pytest.mark.parametrize("header", RANGES, ids=lambda header: header[:20])
@pytest.mark.parametrize("cold", [True, False], ids=["cold", "kept"])
async def test_a_range_is_one_part_the_whole_or_beyond(house: House, header: str, *, cold: bool) -> None:
    """L8: bombs cost nothing; a part of a file that isn't here yet is the same part."""
    path = await house.learn(WHEEL)
    if not cold:
        await house.ask(path)
    status, part = RANGES[header]
    got = await house.ask(path, headers={"Range": header})
    assert (got.status, got.whole) == (status, True)
    assert got.body == (WHEEL.data[part] if status != 416 else b"")
    if status == 206:
        start = part.indices(len(WHEEL.data))[0]
        assert got.headers["Content-Range"] == f"bytes {start}-{start + len(got.body) - 1}/{len(WHEEL.data)}"
    if status == 416:
        assert got.headers["Content-Range"] == f"bytes */{len(WHEEL.data)}"


async def test_requests_in_one_piece_are_answered_in_order(house: House) -> None:
    """L9: pipelining."""
    await house.ask("/pypi/simple/demo/", headers=JSON)
    piece = request("GET /pypi/simple/demo/ HTTP/1.1", f"Accept: {JSON['Accept']}") * 50
    answer = await house.raw(piece + request("GET /-/live HTTP/1.1", CLOSE))
    assert statuses(answer) == [200] * 51
    assert answer.endswith(b'{"live": true}')


async def test_an_upgrade_or_expectation_is_no_way_in(house: House) -> None:
    """L9."""
    upgrade = request(
        "GET /-/live HTTP/1.1", "Connection: Upgrade, close", "Upgrade: h2c", "HTTP2-Settings: AAMA"
    )
    assert statuses(await house.raw(upgrade))[-1:] in ([200], [400])
    expecting = request("GET /-/live HTTP/1.1", "Expect: 100-continue", CLOSE)
    assert statuses(await house.raw(expecting))[-1:] in ([200], [417])


async def test_a_body_that_nobody_asked_for_is_not_waited_for(house: House) -> None:
    """L7: ten gigabytes announced on a GET."""
    reader, writer = await asyncio.open_connection(*house.address)
    writer.write(request("GET /-/live HTTP/1.1", "Content-Length: 10000000000"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_no_answer_names_the_software_it_is_made_of(house: House) -> None:
    """H16."""
    for path in ("/", "/-/live", "/pypi/simple/demo/", "/npm/missing", "/nothing"):
        assert (await house.ask(path)).headers["Server"] == "registry"


async def test_a_login_may_come_in_several_segments(house: House) -> None:
    """And is bounded."""
    password = (house.data / "keys" / "admin-password").read_text().strip()
    document = json.dumps({"name": "admin", "password": password}).encode()
    reader, writer = await asyncio.open_connection(*house.address)
    line = "PUT /npm/-/user/org.couchdb.user:admin HTTP/1.1"
    writer.write(request(line, f"Content-Length: {len(document)}", CLOSE) + document[:10])
    await writer.drain()
    await asyncio.sleep(0.05)  # so that the rest is another segment
    writer.write(document[10:])
    assert statuses(await reader.read()) == [201]
    writer.close()
    got = await house.ask("/npm/-/user/org.couchdb.user:admin", method="PUT", data=b"{" + b" " * 2**17)
    assert got.status == 413
