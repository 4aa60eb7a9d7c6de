"""What an upstream can do wrong, one function a fault, named as FAULTS C1 tells them.

A fault takes the answer that an honest upstream would give and returns the one to send.
"""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer on its way to the wire."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    length: int | None = None
    """The Content-Length to claim; None for the true one."""
    chunked: bool = False
    stop_after: int | None = None
    """Bytes of the body after which nothing more is sent and the connection ends."""
    clean_end: bool = False
    """With `chunked` and `stop_after`: whether the last chunk is sent, as if that were all."""
    reset: bool = False
    """Whether the connection ends in a RST rather than a FIN."""
    wait: Callable[[], Awaitable[object]] | None = None
    """Awaited before anything is sent."""
    drip: tuple[int, float] | None = None
    """(bytes at a time, seconds between)."""
    raw: bytes | None = None
    """Sent as it is instead of everything else, then the connection ends."""


Fault = Callable[[Answer], Answer]


@dataclass
class Lie:
    """A fault in force."""

    fault: Fault
    path: str
    times: int | None
    told: int = field(default=0)


def wrong_bytes(answer: Answer) -> Answer:
    """U1: other bytes, right length."""
    return replace(answer, body=b"X" * len(answer.body))


def flipped_bit(answer: Answer) -> Answer:
    """U1: one bit in the middle."""
    body = bytearray(answer.body)
    body[len(body) // 2] ^= 1
    return replace(answer, body=bytes(body))


def body(data: bytes, content_type: str | None = None) -> Fault:
    """Any other body, under the headers that were there."""
    more = (("Content-Type", content_type),) if content_type else ()
    return lambda answer: replace(
        answer,
        body=data,
        headers=tuple(h for h in answer.headers if not more or h[0] != "Content-Type") + more,
    )


def document(data: bytes) -> Fault:
    """Any other body, not coded."""
    return lambda answer: replace(
        answer, body=data, headers=tuple(h for h in answer.headers if h[0] != "Content-Encoding")
    )


def truncated(answer: Answer) -> Answer:
    """U2: half the body, then the end of the connection."""
    return replace(answer, stop_after=len(answer.body) // 2)


def early_chunked_end(answer: Answer) -> Answer:
    """U3: half the body, and the chunk that says that this was all."""
    return replace(answer, chunked=True, stop_after=len(answer.body) // 2, clean_end=True)


def chunked(answer: Answer) -> Answer:
    """No length announced."""
    return replace(answer, chunked=True)


def length_off_by(difference: int) -> Fault:
    """U2, U4: a Content-Length that is too small or too large."""
    return lambda answer: replace(answer, length=len(answer.body) + difference)


def longer_by(extra: int) -> Fault:
    """U4: more bytes than the index announced, honestly declared."""
    return lambda answer: replace(answer, body=answer.body + b"+" * extra)


def two_lengths(answer: Answer) -> Answer:
    """U5: conflicting Content-Length."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer.body)}\r\nContent-Length: 3\r\n\r\n"
    return replace(answer, raw=head.encode() + answer.body)


def length_and_chunks(answer: Answer) -> Answer:
    """U5: Content-Length and Transfer-Encoding in one answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    return replace(answer, raw=head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(answer.body), answer.body))


def status(code: int, *, retry_after: str | None = None) -> Fault:
    """U12 to U14, U34: an error status."""
    headers = (("Content-Type", "text/plain"),) + ((("Retry-After", retry_after),) if retry_after else ())
    return lambda answer: Answer(status=code, headers=headers, body=b"no")


def silent(answer: Answer) -> Answer:
    """U15: accepts, and never answers."""
    return replace(answer, wait=asyncio.Event().wait)


def held(release: asyncio.Event) -> Fault:
    """An answer that waits for an event of the same loop."""
    return lambda answer: replace(answer, wait=release.wait)


def late(seconds: float) -> Fault:
    """An answer that takes a while."""
    return lambda answer: replace(answer, wait=lambda: asyncio.sleep(seconds))


def drip(size: int = 1, seconds: float = 1.0) -> Fault:
    """U16: the body in drops."""
    return lambda answer: replace(answer, drip=(size, seconds))


def reset_before_headers(answer: Answer) -> Answer:
    """U17."""
    return replace(answer, raw=b"", reset=True)


def reset_after_headers(answer: Answer) -> Answer:
    """U17."""
    return replace(answer, stop_after=0, reset=True)


def reset_halfway(answer: Answer) -> Answer:
    """U17."""
    return replace(answer, stop_after=len(answer.body) // 2, reset=True)


def redirect(to: str, code: int = 302) -> Fault:
    """U20: somewhere else."""
    return lambda answer: Answer(status=code, headers=(("Location", to),))


def raw(data: bytes) -> Fault:
    """Anything at all."""
    return lambda answer: replace(answer, raw=data)


def with_header(name: str, value: str) -> Fault:
    """U22, U23: a header more."""
    return lambda answer: replace(answer, headers=(*answer.headers, (name, value)))


def coded(coding: str = "gzip") -> Fault:
    """U24: a body coded without being asked, once for each name in `coding` (`gzip, gzip`)."""

    def fault(answer: Answer) -> Answer:
        data = answer.body
        for _ in range(coding.count("gzip")):
            data = gzip.compress(data, mtime=0)
        return replace(answer, body=data, headers=(*answer.headers, ("Content-Encoding", coding)))

    return fault


def gzip_bomb(size: int) -> Fault:
    """U25: a small gzip of `size` zeros."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as output:
        for _ in range(size // 65_536):
            output.write(bytes(65_536))

    def fault(answer: Answer) -> Answer:
        headers = tuple(header for header in answer.headers if header[0] != "Content-Encoding")
        return replace(answer, body=packed.getvalue(), headers=(*headers, ("Content-Encoding", "gzip")))

    return fault


def rewritten(old: str, new: str) -> Fault:
    """U6 to U9, U21, U27, U28: the same document with other words in it, not coded."""

    def fault(answer: Answer) -> Answer:
        coded = ("Content-Encoding", "gzip") in answer.headers
        text = gzip.decompress(answer.body) if coded else answer.body
        return document(text.replace(old.encode(), new.encode()))(answer)

    return fault
