"""Single ranges, and nothing else, as RFC 9110 has them."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from registry.web.ranges import Span, parse_range

ETAG = '"abc"'


def asked(header: str | None, size: int = 100, if_range: str | None = None) -> Span | None:
    headers = {} if header is None else {"Range": header}
    if if_range is not None:
        headers["If-Range"] = if_range
    return parse_range(make_mocked_request("GET", "/", headers=headers), size, ETAG)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        pytest.param(None, Span(0, 100, partial=False), id="no header"),
        pytest.param("bytes=0-9", Span(0, 10, partial=True), id="from the start"),
        pytest.param("bytes=90-", Span(90, 100, partial=True), id="open end"),
        pytest.param("bytes=-10", Span(90, 100, partial=True), id="suffix"),
        pytest.param("bytes=-500", Span(0, 100, partial=True), id="suffix longer than the file"),
        pytest.param("bytes=50-500", Span(50, 100, partial=True), id="end beyond the file"),
        pytest.param("bytes=0-0", Span(0, 1, partial=True), id="one byte"),
        pytest.param("bytes=100-", None, id="start at the end"),
        pytest.param("bytes=-0", None, id="empty suffix"),
        pytest.param("bytes=9-3", Span(0, 100, partial=False), id="reversed is malformed: the whole"),
        pytest.param("bytes=0-1,5-6", Span(0, 100, partial=False), id="several: the whole"),
        pytest.param("bytes=" + "0-,," * 1000, Span(0, 100, partial=False), id="a bomb: the whole"),
        pytest.param("items=0-1", Span(0, 100, partial=False), id="another unit: the whole"),
        pytest.param("bytes=-", Span(0, 100, partial=False), id="nothing named: the whole"),
    ],
)
def test_a_range_header_asks_for_these_bytes(header: str | None, span: Span | None) -> None:
    assert asked(header) == span


def test_if_range_with_another_etag_gets_the_whole_file() -> None:
    assert asked("bytes=0-9", if_range='"old"') == Span(0, 100, partial=False)
    assert asked("bytes=0-9", if_range=ETAG) == Span(0, 10, partial=True)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_no_range_reaches_outside_the_file(first: int, last: int, size: int) -> None:
    span = asked(f"bytes={first}-{last}", size)
    assert span is None or (0 <= span.start < span.stop <= size)
