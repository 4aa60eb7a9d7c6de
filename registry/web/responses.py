"""Answers as HTTP responses: renditions, small documents, and the headers of a file."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

from registry.pipeline.answers import FactsAnswer
from registry.pipeline.rendering import IndexAnswer
from registry.web.packed import PackedResponse
from registry.web.pieces import LARGE, PACKED_PIECE, InPieces, cut, unpacked
from registry.web.replies import FILE_TYPE, Reply, accepts_gzip, in_pieces, index_reply


def rendition_response(
    request: web.BaseRequest, answer: IndexAnswer, cache_control: str, vary: str = "Accept, Accept-Encoding"
) -> web.StreamResponse:
    """A rendered index, or the 304 that says the client has it."""
    reply, rendition = index_reply(request, answer, cache_control, vary), answer.rendition
    if reply.status != 200 or not in_pieces(request, rendition):
        return response_of(reply)
    if rendition.path:
        return PackedResponse(rendition, reply.fields, unpack=not accepts_gzip(request))
    return InPieces(200, reply.fields, rendition.size, unpacked(cut(rendition.gzipped, PACKED_PIECE)))


def response_of(reply: Reply) -> web.StreamResponse:
    """A reply as a response of the HTTP library."""
    if len(reply.body) > LARGE:
        return InPieces(reply.status, reply.fields, len(reply.body), cut(reply.body))
    return web.Response(status=reply.status, headers=reply.fields, body=reply.body or None)


def facts_response(answer: FactsAnswer, headers: Mapping[str, str]) -> web.Response:
    """The headers of a file that isn't here yet, as a later GET will have them."""
    response = web.Response(headers=headers)
    response.headers[hdrs.ACCEPT_RANGES] = "bytes"
    response.headers[hdrs.CONTENT_TYPE] = FILE_TYPE
    response.headers[hdrs.CONTENT_LENGTH] = str(answer.size)
    if answer.sha256 is not None:
        response.headers[hdrs.ETAG] = f'"{answer.sha256}"'
    return response
