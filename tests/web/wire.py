"""A connection that writes down what went over it, and files that lie near or far."""

from __future__ import annotations

from typing import Any, TypeVar
from unittest import mock

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.test_utils import make_mocked_request

T = TypeVar("T")


class Wire(AbstractStreamWriter):
    """What a client has received, and whether its connection was broken."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.ended = False
        self.broken = False
        self.pipe = mock.Mock()
        self.pipe.wire = self
        self.pipe.is_closing = lambda: self.broken
        self.pipe.get_extra_info = lambda key, default=None: default
        self.pipe.abort = self._abort
        self.watch: Any = lambda: None

    @property
    def transport(self) -> Any:
        return self.pipe

    def _abort(self) -> None:
        self.broken = True

    async def write(self, chunk: Any) -> None:
        if self.broken:
            raise ConnectionResetError
        self.body += chunk
        self.watch()

    async def write_eof(self, chunk: bytes = b"") -> None:
        if not self.broken:
            self.body += chunk
            self.ended = True

    async def drain(self) -> None: ...

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None: ...

    def enable_chunking(self) -> None: ...

    async def write_headers(self, status_line: str, headers: Any) -> None: ...


def request(wire: Wire, method: str = "GET", **headers: str) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request(method, "/", headers=named, writer=wire, transport=wire.pipe)
