"""An HTTP proxy that containers reach: the one that a company's firewall leaves open."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedIOBase
from socketserver import StreamRequestHandler, ThreadingTCPServer

import trustme

LOGIN = "Basic " + base64.b64encode(b"appliance:secret").decode()


@dataclass
class Proxy:
    """Leads every name to one address, like a DNS that nobody else has; without LOGIN it takes nobody.

    With an authority it looks into TLS: it shows a certificate of its own for whatever name is asked for.
    """

    host: str
    """An address of this machine."""
    upstream: tuple[str, int]
    """Speaks plain HTTP."""
    authority: trustme.CA | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and target of each request, as the proxy saw them first."""
    port: int = 0

    @property
    def url(self) -> str:
        """With the login."""
        return f"http://appliance:secret@{self.host}:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """In a thread."""
        proxy = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    proxy._serve(self.connection, self.rfile)

        class Server(ThreadingTCPServer):
            daemon_threads = True

        with Server((self.host, 0), Handler) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def _serve(self, client: socket.socket, reader: BufferedIOBase) -> None:
        head = _head(reader)
        method, target, _ = head.partition(b"\r\n")[0].decode().split(" ")
        if f"\r\nproxy-authorization: {LOGIN}\r\n".lower() not in head.decode().lower():
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        self.asked.append((method, target))
        with socket.create_connection(self.upstream) as onward:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with self._looking_in(client, target.rpartition(":")[0]) as seen:
                    _relay(seen, onward)
            else:
                onward.sendall(re.sub(rb"^(\w+) http://[^/]+", rb"\1 ", head))
                _answer(onward.makefile("rb"), client, bodiless=method == "HEAD")

    def _looking_in(self, client: socket.socket, host: str) -> socket.socket:
        if self.authority is None:
            return client
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(host).configure_cert(context)
        return context.wrap_socket(client, server_side=True)


def _head(reader: BufferedIOBase) -> bytes:
    lines = [reader.readline()]
    while lines[-1].strip():
        lines.append(reader.readline())
    return b"".join(lines)


def _answer(server: BufferedIOBase, client: socket.socket, *, bodiless: bool) -> None:
    """One answer, after which the connection ends."""
    head = _head(server)
    (length,) = re.findall(rb"\r\ncontent-length: (\d+)", head.lower()) or (b"0",)
    body = b"" if bodiless or b" 304 " in head.partition(b"\r\n")[0] else server.read(int(length))
    client.sendall(head[:-2] + b"Connection: close\r\n\r\n" + body)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Both ways, until both have nothing more to say."""
    back = threading.Thread(target=_pour, args=(other, one))
    back.start()
    _pour(one, other)
    back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
