"""What a system doesn't do is said in words, and ends no run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.bench.measure import ROWS, Findings, loads
from tests.bench.systems import System

pytestmark = pytest.mark.loopback


@contextmanager
def answering(status: int, body: bytes = b"") -> Iterator[System]:
    """A Python index that says the same to everything."""

    class Peer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield System("peer", server.server_port, (), python="/simple/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def lacking(system: System) -> dict[str, set[str]]:
    """What is said of each kind of request for which a Python index is asked."""
    findings = Findings(system)
    loads(findings, 1)
    assert not findings.loads
    kinds = {row.title: row.what for row in ROWS}
    said: dict[str, set[str]] = {}
    for title, words in findings.lacking.items():
        said.setdefault(kinds[title], set()).add(words)
    return said


@pytest.mark.parametrize(
    ("status", "body", "index", "file"),
    [
        pytest.param(302, b"", "redirects away", "lists no such file", id="redirects"),
        pytest.param(404, b"nothing here", "answers 404", "lists no such file", id="has nothing"),
        pytest.param(500, b'{"files": []}', "answers 500", "lists no such file", id="fails"),
    ],
)
def test_a_peer_that_does_something_else_has_a_word_for_each_request(
    status: int, body: bytes, index: str, file: str
) -> None:
    with answering(status, body) as peer:
        assert lacking(peer) == {"index": {index}, "304": {index}, "file": {file}}


def test_a_peer_that_is_gone_has_a_word_too() -> None:
    with answering(200) as peer:
        pass
    refused = {"no answer (ConnectionRefusedError)"}
    assert lacking(peer) == {"index": refused, "304": refused, "file": refused}
