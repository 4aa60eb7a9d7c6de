"""Answers as HTTP responses: renditions, small documents, and the headers of a file."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web
from isal import igzip

from registry.model.indexes import Rendition
from registry.pipeline.gateway import BytesAnswer, FactsAnswer
from registry.pipeline.rendering import IndexAnswer
from registry.web.packed import PackedResponse
from registry.web.ranges import parse_range

FILE_TYPE = "application/octet-stream"


def matches(request: web.BaseRequest, etag: str) -> bool:
    """Whether If-None-Match names this ETag (RFC 9110 §13.1.2, weak comparison)."""
    header = request.headers.get(hdrs.IF_NONE_MATCH)
    if header is None:
        return False
    return header.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in header.split(","))


def takes_bytes(request: web.BaseRequest, sha256: str, size: int) -> bool:
    """Whether the answer will have bytes of the file: no HEAD, condition that holds or range beyond it."""
    etag = f'"{sha256}"'
    whole = request.method == hdrs.METH_GET and not matches(request, etag)
    return whole and parse_range(request, size, etag) is not None


def rendition_response(
    request: web.BaseRequest, answer: IndexAnswer, cache_control: str
) -> web.StreamResponse:
    """A rendered index, or the 304 that says the client has it."""
    rendition = answer.rendition
    headers = {
        hdrs.ETAG: rendition.etag,
        hdrs.VARY: "Accept, Accept-Encoding",
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.CONTENT_TYPE: rendition.content_type,
        hdrs.AGE: str(answer.age),
        "X-Cache": answer.state,
    }
    headers.update(rendition.headers)
    if answer.state in {"STALE", "OFFLINE"}:
        headers["Warning"] = '110 - "the source could not be asked; this is what it said last"'
    if matches(request, rendition.etag):
        return web.Response(status=304, headers=headers)
    if rendition.path:
        return PackedResponse(rendition, headers, unpack=not _accepts_gzip(request))
    if _accepts_gzip(request):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=rendition.gzipped, headers=headers)
    return web.Response(body=unpacked(rendition), headers=headers)


def unpacked(rendition: Rendition) -> bytes:
    """The body as it was before gzip, for the few clients that don't take it."""
    body: bytes = igzip.decompress(rendition.gzipped)  # type: ignore[no-untyped-call]
    return body


def bytes_response(
    request: web.BaseRequest, answer: BytesAnswer, cache_control: str, content_type: str = FILE_TYPE
) -> web.Response:
    """A small verified document."""
    headers = {hdrs.ETAG: answer.etag, hdrs.CACHE_CONTROL: cache_control, hdrs.CONTENT_TYPE: content_type}
    if matches(request, answer.etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=answer.body, headers=headers)


def facts_response(answer: FactsAnswer, headers: Mapping[str, str]) -> web.Response:
    """The headers of a file that isn't here yet, as a later GET will have them."""
    response = web.Response(headers=headers)
    response.headers[hdrs.ACCEPT_RANGES] = "bytes"
    response.headers[hdrs.CONTENT_TYPE] = FILE_TYPE
    response.headers[hdrs.CONTENT_LENGTH] = str(answer.size)
    if answer.sha256 is not None:
        response.headers[hdrs.ETAG] = f'"{answer.sha256}"'
    return response


def _accepts_gzip(request: web.BaseRequest) -> bool:
    accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "")
    if "gzip" not in accepted and "*" not in accepted:
        return False
    return "gzip;q=0" not in accepted.replace(" ", "")
