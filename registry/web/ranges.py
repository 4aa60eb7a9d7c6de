"""One byte range, as RFC 9110 §14 defines it; of several only the whole is served."""

from __future__ import annotations

import re

import msgspec
from aiohttp import hdrs

from registry.web.heads import Head

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Span(msgspec.Struct, frozen=True):
    """The bytes to send: from `start` up to, not including, `stop`."""

    start: int
    stop: int
    partial: bool

    @property
    def length(self) -> int:
        """How many bytes that is."""
        return self.stop - self.start


def parse_range(request: Head, size: int, etag: str) -> Span | None:
    """What a request wants of a body of `size` bytes; None when that lies beyond its end (416).

    Several ranges, other units, a malformed header and an If-Range that doesn't fit all get the whole body,
    as the RFC allows: so a bomb of ranges costs nothing.
    """
    whole = Span(0, size, partial=False)
    header = request.headers.get(hdrs.RANGE)
    if header is None or request.headers.get(hdrs.IF_RANGE, etag) != etag:
        return whole
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None:
        return whole
    first, last = match.groups()
    if not first:
        if not last:
            return whole
        length = min(int(last), size)
        return Span(size - length, size, partial=True) if length else None
    start = int(first)
    if last and int(last) < start:
        return whole
    if start >= size:
        return None
    return Span(start, min(int(last) + 1, size) if last else size, partial=True)
