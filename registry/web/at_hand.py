"""What is at hand is given at once: indexes from the shelf and files that are here, by the head alone.

The same line as everywhere (host, path, client, decision, record), walked without a wait, and without the
objects that the HTTP library makes for each request; those cost more than the line. Whatever isn't plain (an
error, an objection, credentials that must be checked, a file that must be fetched) is left to `traffic`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import msgspec
from aiohttp import hdrs

from registry.model.asks import ArtifactAsk, IndexAsk
from registry.model.events import Client
from registry.pipeline.answers import FileAnswer, Told
from registry.pipeline.gateway import Gateway
from registry.pipeline.rendering import IndexAnswer
from registry.web.callers import Callers
from registry.web.files import read_small
from registry.web.heads import BareHead
from registry.web.health import Metrics
from registry.web.meaning import Meaning, cache_control, is_publishing
from registry.web.opened import OpenFile, OpenFiles
from registry.web.ranges import Span
from registry.web.replies import (
    Reply,
    accepts_gzip,
    bytes_reply,
    file_fields,
    file_reply,
    in_pieces,
    index_reply,
)
from registry.web.site import Site


class Delivery(msgspec.Struct, frozen=True):
    """A file to be sent: begin the record, wait for it, then send the head and that part of the file."""

    reply: Reply
    file: FileAnswer
    span: Span
    record: Callable[[Told], None]


class Filed(msgspec.Struct, frozen=True):
    """A large index: the head, and the local file that follows it."""

    reply: Reply
    file: OpenFile
    span: Span


Found = Reply | Filed | Delivery


class Given(msgspec.Struct, frozen=True):
    """What is at hand for a request, and what it counts as."""

    what: Found
    ecosystem: str
    began: float

    @property
    def reply(self) -> Reply:
        """The head of the answer."""
        return self.what if isinstance(self.what, Reply) else self.what.reply


class AtHand:
    """Reading what is here, for every ecosystem."""

    def __init__(
        self,
        *,
        meaning: Meaning,
        gateway: Gateway,
        callers: Callers,
        site: Site,
        metrics: Metrics,
        is_behind: Callable[[], bool],
    ) -> None:
        """`is_behind` says whether another process decided something that doesn't count here yet."""
        self._is_behind = is_behind
        self._files = OpenFiles()
        self._meaning = meaning
        self._gateway = gateway
        self._callers = callers
        self._site = site
        self._metrics = metrics

    def look(self, request: BareHead) -> Given | None:
        """The answer to a GET without a body; None where there is more to it. Raises what refuses it, which
        the application will find too, and tell."""
        began = perf_counter()
        headers = request.headers
        if (
            self._is_behind()
            or not request.path.startswith("/")
            or hdrs.EXPECT in headers
            or hdrs.UPGRADE in headers
        ):
            return None
        name, _, below = self._site.below(request.path)[1:].partition("/")
        ecosystem = self._meaning.ecosystems.get(name)
        if ecosystem is None:
            return None
        root = self._site.root(request)
        _, ask = self._meaning.ask(ecosystem, request.method, below)
        if not isinstance(ask, IndexAsk | ArtifactAsk):
            return None
        client = self._callers.at_once(request)
        if client is None:
            return None
        self._meaning.require_reader(ask, client)
        if isinstance(ask, ArtifactAsk):
            found: Found | None = self._file(request, ask, client)
        elif is_publishing(request):
            return None
        else:
            representation = self._meaning.representation(ecosystem, ask, request)
            index = self._gateway.index_at_once(ask, representation, root)
            if index is None:
                return None
            found = self._index(request, index, self._meaning.vary(ecosystem))
        return None if found is None else Given(found, name, began)

    def count(self, given: Given) -> None:
        """It was sent."""
        reply = given.reply
        self._metrics.count(
            given.ecosystem, hdrs.METH_GET, reply.status, reply.fields.get("X-Cache", ""), given.began
        )

    def _index(self, request: BareHead, index: IndexAnswer, vary: str) -> Found | None:
        rendition = index.rendition
        reply = index_reply(request, index, cache_control(request), vary)
        if reply.status != 200 or not in_pieces(request, rendition):
            return reply
        if not rendition.path or not accepts_gzip(request):  # it is unpacked on the way
            return None
        return Filed(reply, self._files.get(rendition.path), Span(0, rendition.packed, partial=False))

    def _file(self, request: BareHead, ask: ArtifactAsk, client: Client) -> Found | None:
        if ask.part == "metadata":
            found = self._gateway.metadata_at_once(ask)
            if found is None:
                return None
            body = read_small(found.path) if found.data is None else found.data
            return bytes_reply(request, f'"{found.sha256}"', body, cache_control(request))
        handing = self._gateway.file_at_once(ask, client)
        if handing is None:
            return None
        reply, span = file_reply(request, handing.file, file_fields(cache_control(request), "HIT"))
        return reply if span is None else Delivery(reply, handing.file, span, handing.record)
