"""What is answered, as values: status, fields and body, before anything of it is sent.

The same reply becomes a response of the HTTP library, or the bytes of one where no object is worth its while.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import hdrs
from isal import igzip

from registry.model.indexes import Rendition
from registry.pipeline.answers import FileAnswer
from registry.pipeline.rendering import IndexAnswer
from registry.web.heads import Head
from registry.web.pieces import LARGE
from registry.web.ranges import Span, parse_range

FILE_TYPE = "application/octet-stream"
SERVER = "registry"
"""What the Server header says: no versions."""
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}


class Reply(NamedTuple):
    """A whole answer, or the head of one whose body is sent after it."""

    status: int
    fields: dict[str, str]
    """Without Date and Server, and Content-Length only where no `body` tells it."""
    body: bytes = b""

    def encoded(self, *, last: bool) -> tuple[bytes, bytes]:
        """Head and body as they go over the wire; `last` says that the connection ends then."""
        lines = [_LINES[self.status], *[f"{name}: {value}" for name, value in self.fields.items()]]
        if hdrs.CONTENT_LENGTH not in self.fields and self.status != 304:
            lines.append(f"Content-Length: {len(self.body)}")
        if last:
            lines.append("Connection: close")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
            raise ValueError("a header has a line break in it")
        end = f"\r\nServer: {SERVER}\r\nDate: {_date(int(time.time()))}\r\n\r\n"
        return (head + end).encode(), self.body


def matches(request: Head, etag: str) -> bool:
    """Whether If-None-Match names this ETag (RFC 9110 §13.1.2, weak comparison)."""
    header = request.headers.get(hdrs.IF_NONE_MATCH)
    if header is None:
        return False
    return header.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in header.split(","))


def takes_bytes(request: Head, sha256: str, size: int) -> bool:
    """Whether the answer will have bytes of the file: no HEAD, condition that holds or range beyond it."""
    etag = f'"{sha256}"'
    whole = request.method == hdrs.METH_GET and not matches(request, etag)
    return whole and parse_range(request, size, etag) is not None


def index_reply(
    request: Head, answer: IndexAnswer, cache_control: str, vary: str = "Accept, Accept-Encoding"
) -> Reply:
    """A rendered index, or the 304 that says the client has it. Without a body where that comes out of a
    file, or in pieces that are made on the way."""
    rendition = answer.rendition
    fields: dict[str, str] = {
        hdrs.ETAG: rendition.etag,
        hdrs.VARY: vary,
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.CONTENT_TYPE: rendition.content_type,
        hdrs.AGE: str(answer.age),
        "X-Cache": answer.state,
    }
    fields.update(rendition.headers)
    if answer.state in {"STALE", "OFFLINE"}:
        fields["Warning"] = '110 - "the source could not be asked; this is what it said last"'
    if matches(request, rendition.etag):
        return Reply(304, fields)
    packed = accepts_gzip(request)
    if packed:
        fields[hdrs.CONTENT_ENCODING] = "gzip"
    if in_pieces(request, rendition):
        fields[hdrs.CONTENT_LENGTH] = str(rendition.packed if packed else rendition.size)
        return Reply(200, fields)
    if packed:
        return Reply(200, fields, rendition.gzipped)
    return Reply(200, fields, igzip.decompress(rendition.gzipped))  # type: ignore[no-untyped-call]


def in_pieces(request: Head, rendition: Rendition) -> bool:
    """Whether the body of an index is never in memory whole: it lies in a file, or is large and this client,
    one of few, doesn't take it as it is kept."""
    return bool(rendition.path) or (rendition.size > LARGE and not accepts_gzip(request))


def bytes_reply(
    request: Head, etag: str, body: bytes, cache_control: str, content_type: str = FILE_TYPE
) -> Reply:
    """A small verified document."""
    fields: dict[str, str] = {
        hdrs.ETAG: etag,
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.CONTENT_TYPE: content_type,
    }
    return Reply(304, fields) if matches(request, etag) else Reply(200, fields, body)


def file_fields(cache_control: str, cache: str) -> dict[str, str]:
    """What is said with every file; `cache` is its X-Cache."""
    return {hdrs.CACHE_CONTROL: cache_control, "X-Content-Type-Options": "nosniff", "X-Cache": cache}


def file_reply(request: Head, answer: FileAnswer, fields: dict[str, str]) -> tuple[Reply, Span | None]:
    """Verified bytes, or what is asked for of them: the head, and the part of the file that follows it."""
    etag = f'"{answer.sha256}"'
    fields = {
        **fields,
        hdrs.ETAG: etag,
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CONTENT_TYPE: FILE_TYPE,
    }
    if matches(request, etag):
        return Reply(304, fields), None
    span = parse_range(request, answer.size, etag)
    if span is None:
        fields[hdrs.CONTENT_RANGE] = f"bytes */{answer.size}"
        return Reply(416, fields), None
    fields[hdrs.CONTENT_LENGTH] = str(span.length)
    if span.partial:
        fields[hdrs.CONTENT_RANGE] = f"bytes {span.start}-{span.stop - 1}/{answer.size}"
    return Reply(206 if span.partial else 200, fields), None if request.method == hdrs.METH_HEAD else span


def accepts_gzip(request: Head) -> bool:
    """Whether the client takes gzip."""
    accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "")
    if "gzip" not in accepted and "*" not in accepted:
        return False
    return "gzip;q=0" not in accepted.replace(" ", "")


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
