"""I16: what others wrote is text: never markup, a header, another line of the log, or a path.

Rows H6, H13, H16 and U28.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from registry.web.journal import JsonLines
from tests.guarantees.house import House
from tests.upstream import LyingUpstream, faults, make_wheel

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"
ANSI = "\x1b[31mred\x1b[0m"
FORGED = '\n{"level":"info","message":"forged"}'


@pytest.fixture
def journal() -> Iterator[io.StringIO]:
    """The process log as it is written."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    logging.getLogger("registry").setLevel(logging.DEBUG)
    yield lines
    logging.getLogger("registry").setLevel(logging.NOTSET)
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    "path",
    [
        "/pypi/simple/a%0d%0aSet-Cookie:%20a=b/",
        "/pypi/simple/a%0aX:b/",
        "/pypi/simple/foo%00/",
        "/npm/a%0d%0aX-Evil:%20b",
        "/npm/@a%2fb%0d%0aX-Evil:b",
        "/npm/-/package/a/dist-tags/%0d%0aX-Evil:b",
        "/why/%0d%0aX-Evil:b",
        "/pypi/simple/Foo?x=%0d%0aX-Evil:%20b",
        "/npm/-/v1/search?text=%0d%0aX-Evil:%20b",
    ],
)
async def test_no_line_break_gets_into_an_answers_head(house: House, path: str) -> None:
    """H6, CVE-2019-6802: in a path, a name, a query, on its way to a header or reason phrase."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head = (await house.raw(request.encode())).partition(b"\r\n\r\n")[0]
    status, *fields = head.split(b"\r\n")
    assert int(status.split()[1]) in {301, 200, 400, 404, 502}
    names = {field.partition(b":")[0].lower() for field in fields}
    assert not names & {b"set-cookie", b"x-evil", b"x"}


async def test_a_reason_phrase_is_one_short_printable_line(house: House) -> None:
    reason = f"leaks {MARKUP} {'x' * 500} \\u001b[31m \\r\\n ü"
    await house.decree(
        f'[pypi]\nmode = "guarded"\ndeny = [{{ name = "demo", reason = "{reason}" }}]\n[npm]\nmode = "guarded"\n'
    )
    got = await house.ask("/pypi/files/demo/demo-1.0-py3-none-any.whl")
    assert got.status == 403
    assert len(got.reason) <= 200
    assert got.reason.isascii()
    assert got.reason.isprintable()
    assert got.headers["X-Registry-Why"] in got.reason


async def test_the_page_that_explains_shows_text_as_text(house: House) -> None:
    """W2, for what an operator quoted from somewhere."""
    quoted = MARKUP.replace('"', "'")
    await house.decree(
        f'[pypi]\nmode = "guarded"\ndeny = [{{ name = "demo", reason = "{quoted}" }}]\n[npm]\nmode = "guarded"\n'
    )
    got = await house.ask("/pypi/files/demo/demo-1.0-py3-none-any.whl")
    page = await house.ask(got.headers["X-Registry-Why"].removeprefix(house.root))
    assert page.status == 200
    assert b"<script" not in page.body
    assert b"<img" not in page.body
    assert b"&lt;script&gt;" in page.body
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_index_shows_markup_of_the_upstream_as_text(house: House, upstream: LyingUpstream) -> None:
    """U28: reasons of yanks, Python requirements and project status of somebody else's making."""
    wheel = make_wheel("demo", "1.0")
    wheel.yanked = f"{MARKUP}\" onclick='x' --> ]]>"
    wheel.requires_python = f'>=3"><script>{MARKUP}'
    evil = make_wheel("demo", "2.0")
    evil.filename = 'demo-2.0-py3-none-any.whl"><script>alert(1)</script>.whl'
    upstream.add(wheel, evil)
    page = await house.ask("/pypi/simple/demo/", headers={"Accept": "text/html"})
    assert page.status == 200
    assert b"<script" not in page.body
    assert b"<img" not in page.body
    assert b"onclick=" not in page.body.replace(b"onclick=&#", b"")


@pytest.mark.parametrize("text", [MARKUP, ANSI, FORGED, "\r\nX-Evil: 1", "\u202egpj", "\ud83d\ude00" * 500])
async def test_an_upstreams_words_reach_no_header(house: House, upstream: LyingUpstream, text: str) -> None:
    """The error of a document that can't be read quotes nothing raw."""
    document = json.dumps({"name": text, "files": text}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(document)}\r\n\r\n"
    upstream.lie(faults.raw(head.encode() + document))
    for path in ("/pypi/simple/demo/", "/npm/demo"):
        got = await house.ask(path)
        assert got.status == 502
        head = got.reason + "".join(f"{name}{value}" for name, value in got.headers.items())
        assert head.isascii()
        assert head.isprintable()
        assert "X-Evil" not in got.headers


async def test_a_hostile_clients_words_are_one_line_of_the_log(house: House, journal: io.StringIO) -> None:
    """H13: names, agents and reasons; one JSON object a line, no value without bounds."""
    for agent in (f"pip{ANSI}", "x" * 10_000, 'a","level":"info', "\x7f\x80\xff"):
        request = f"GET /pypi/simple/demo/ HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
        await house.raw(request.encode("latin-1"))
    logging.getLogger("registry.test").warning(
        "of %s %s", FORGED, "z" * 9_000, extra={"agent": f"{ANSI}{FORGED}", "n": "y" * 9_000}
    )
    for line in journal.getvalue().splitlines():
        record = json.loads(line)
        assert {"at", "level", "from", "message"} <= record.keys()
        assert record["message"] != "forged"
        assert len(line) < 4_000
        assert line.isprintable()
    for row in house.rows("refusal") + house.rows("delivery"):
        assert len(row["agent"]) <= 200
        assert row["agent"].isprintable()


async def test_a_defect_is_told_by_a_number_alone(
    house: House, monkeypatch: pytest.MonkeyPatch, journal: io.StringIO
) -> None:
    """H16: no traceback, no path, no version."""
    from registry.pipeline.gateway import Gateway

    async def broken(*_: object, **__: object) -> None:
        raise ValueError("/srv/secret/path and hunter2")

    monkeypatch.setattr(Gateway, "index", broken)
    monkeypatch.setattr(Gateway, "artifact", broken)
    for path in ("/pypi/simple/demo/", "/npm/demo", "/pypi/files/demo/demo-1.0-py3-none-any.whl"):
        got = await house.ask(path)
        assert got.status == 500
        text = got.reason.encode() + got.body
        assert b"secret" not in text
        assert b"hunter2" not in text
        assert b"Traceback" not in text
        incident = got.reason.rpartition(" ")[2].rstrip(".")
        assert len(incident) == 16
        assert incident in journal.getvalue()
    house.excused = True
