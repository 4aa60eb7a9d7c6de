"""The upstream itself: written on bare streams, because a proper HTTP server refuses to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from tests.upstream.documents import Shape, legacy_json, npm_version, packument, simple_html, simple_json
from tests.upstream.faults import Answer, Fault, Lie
from tests.upstream.packages import Distribution, Tarball, normalised

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
INSTALL_JSON = "application/vnd.npm.install-v1+json"
_NOT_FOUND = Answer(
    status=404, headers=(("Content-Type", "application/json"),), body=b'{"error": "not found"}'
)


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    """With its query, as it was encoded."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


class LyingUpstream:
    """A Python index below `/simple/` and an npm registry below `/npm/`, honest until told to lie."""

    def __init__(
        self,
        *,
        shape: Shape = "json",
        tls: ssl.SSLContext | None = None,
        validators: bool = True,
        times: bool = True,
        host: str = "127.0.0.1",
    ) -> None:
        self.shape: Shape = shape
        self.validators = validators
        """Whether documents have an ETag and answer to If-None-Match."""
        self.ranges = True
        """Whether files are given in parts (RFC 9110 §14)."""
        self.times = times
        """Whether packuments have `time`."""
        self.legacy = False
        """Whether there is a legacy JSON API beside the simple index."""
        self.requests: list[Seen] = []
        self.python: dict[str, list[Distribution]] = {}
        self.npm: dict[str, list[Tarball]] = {}
        self.port = 0
        self._host = host
        self._tls = tls
        self._lies: list[Lie] = []
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    @property
    def url_pypi(self) -> str:
        """Base of the simple index."""
        return f"{self.origin}/simple/"

    @property
    def url_npm(self) -> str:
        """Base of the npm registry."""
        return f"{self.origin}/npm/"

    def add(self, *packages: Distribution | Tarball) -> None:
        """Publish. A file name that is there already is replaced, as no honest upstream would."""
        for package in packages:
            if isinstance(package, Distribution):
                files = self.python.setdefault(normalised(package.project), [])
                files[:] = [file for file in files if file.filename != package.filename] + [package]
            else:
                versions = self.npm.setdefault(package.name, [])
                versions[:] = [one for one in versions if one.version != package.version] + [package]

    def lie(self, fault: Fault, path: str = "*", *, times: int | None = None) -> None:
        """Apply a fault to answers for paths that match the glob, for so many times or until healed."""
        self._lies.append(Lie(fault, path, times))

    def speak(self, tls: ssl.SSLContext) -> None:
        """Use this the next time that it is entered."""
        self._tls = tls

    def heal(self) -> None:
        """Be honest again."""
        self._lies.clear()

    def asked(self, path: str = "*") -> list[Seen]:
        """The requests so far for paths that match the glob."""
        return [seen for seen in self.requests if fnmatchcase(seen.path, path)]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close the port and every connection; entering again opens the same port."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @contextlib.contextmanager
    def in_a_thread(self) -> Iterator[Self]:
        """Serve from a thread of its own, for clients that are processes."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="upstream", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.__aenter__(), loop).result(10)
            yield self
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            async for seen in _requests(reader):
                self.requests.append(seen)
                answer = self._lied(seen.path, self._answer(seen))
                if not await _send(writer, answer, head_only=seen.method == "HEAD"):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    def _lied(self, path: str, answer: Answer) -> Answer:
        for lie in self._lies:
            if fnmatchcase(path, lie.path) and (lie.times is None or lie.told < lie.times):
                lie.told += 1
                answer = lie.fault(answer)
        return answer

    def _answer(self, seen: Seen) -> Answer:
        """What an honest upstream says."""
        path = seen.path.partition("?")[0]
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match parts:
            case ["simple"]:
                return self._projects(seen)
            case ["simple", name]:
                return self._simple(seen, name, path)
            case ["pypi", name, "json"] if self.legacy and name in self.python:
                return self._validated(seen, _document(legacy_json(name, self.python[name])))
            case ["integrity", name, _, filename, "provenance"]:
                return self._provenance(name, filename)
            case ["files", filename]:
                return self._python_file(seen, filename)
            case ["npm", *rest] if rest:
                return self._npm(seen, rest)
        return _NOT_FOUND

    def _projects(self, seen: Seen) -> Answer:
        if self._speaks_json(seen):
            names = [{"name": name} for name in sorted(self.python)]
            return _document(
                json.dumps({"meta": {"api-version": "1.0"}, "projects": names}).encode(), SIMPLE_JSON
            )
        links = "".join(f'<a href="{name}/">{name}</a>' for name in sorted(self.python))
        return _document(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")

    def _simple(self, seen: Seen, name: str, path: str) -> Answer:
        if name != normalised(name) or not path.endswith("/"):
            return Answer(status=301, headers=(("Location", f"/simple/{normalised(name)}/"),))
        files = self.python.get(name)
        if files is None:
            return _NOT_FOUND
        if self._speaks_json(seen):
            body = simple_json(name, files, self.origin, bare=self.shape == "bare-json")
            return self._validated(seen, _document(body, SIMPLE_JSON))
        return self._validated(
            seen, _document(simple_html(name, files, self.origin), "text/html; charset=utf-8")
        )

    def _speaks_json(self, seen: Seen) -> bool:
        return self.shape != "html" and SIMPLE_JSON in seen.headers.get("accept", "")

    def _python_file(self, seen: Seen, filename: str) -> Answer:
        for file in (file for files in self.python.values() for file in files):
            if file.filename == filename:
                return self._file(seen, file.data)
            if f"{file.filename}.metadata" == filename and file.metadata is not None:
                return _document(file.metadata, "application/octet-stream")
        return _NOT_FOUND

    def _provenance(self, name: str, filename: str) -> Answer:
        found = next((file for file in self.python.get(name, ()) if file.filename == filename), None)
        if found is None or found.provenance is None:
            return _NOT_FOUND
        return _document(found.provenance, "application/vnd.pypi.integrity.v1+json")

    def _npm(self, seen: Seen, parts: list[str]) -> Answer:
        if parts == ["-", "ping"] or (seen.method == "POST" and parts[0] == "-"):
            return _document(b"{}", "application/json")
        if parts[0].startswith("@") and "/" not in parts[0] and len(parts) > 1:
            parts = [f"{parts[0]}/{parts[1]}", *parts[2:]]
        versions = self.npm.get(parts[0])
        match parts[1:]:
            case [] if versions:
                short = INSTALL_JSON in seen.headers.get("accept", "")
                body = packument(versions, self.origin, times=self.times, abbreviated=short)
                return self._validated(seen, _document(body, INSTALL_JSON if short else "application/json"))
            case ["-", filename] if versions:
                found = next((one for one in versions if one.filename == filename), None)
                return self._file(seen, found.data) if found else _NOT_FOUND
            case [selector] if versions:
                wanted = versions[-1].version if selector == "latest" else selector
                one = next((one for one in versions if one.version == wanted), None)
                return _document(json.dumps(npm_version(one, self.origin)).encode()) if one else _NOT_FOUND
        return _NOT_FOUND

    def _file(self, seen: Seen, data: bytes) -> Answer:
        """Its bytes, or the end of them that is asked for."""
        headers = [("Content-Type", "application/octet-stream")]
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if self.validators:
            headers.append(("ETag", etag))
        wanted = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        if not self.ranges or wanted is None or seen.headers.get("if-range", etag) != etag:
            return Answer(headers=tuple(headers), body=data)
        start = int(wanted[1])
        headers.append(("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"))
        return Answer(status=206, headers=tuple(headers), body=data[start:])

    def _validated(self, seen: Seen, answer: Answer) -> Answer:
        """With an ETag, coded in gzip where that is asked for; 304 where the client has it already."""
        if "gzip" in seen.headers.get("accept-encoding", ""):
            packed = gzip.compress(answer.body, 1, mtime=0)
            answer = Answer(headers=(*answer.headers, ("Content-Encoding", "gzip")), body=packed)
        if not self.validators:
            return answer
        etag = f'"{hashlib.sha256(answer.body).hexdigest()[:16]}"'
        if seen.headers.get("if-none-match") == etag:
            return Answer(status=304, headers=(("ETag", etag),))
        return Answer(headers=(*answer.headers, ("ETag", etag)), body=answer.body)


def _document(body: bytes, content_type: str = "application/json") -> Answer:
    return Answer(headers=(("Content-Type", content_type),), body=body)


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[Seen]:
    while line := await reader.readline():
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while field := (await reader.readline()).decode("latin-1").strip():
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        yield Seen(method, path, headers, await _request_body(reader, headers))


async def _request_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def _send(writer: asyncio.StreamWriter, answer: Answer, *, head_only: bool) -> bool:
    """Send an answer; gives whether the connection can be used again."""
    if answer.wait is not None:
        await answer.wait()
    if answer.raw is not None:
        writer.write(answer.raw)
        await writer.drain()
        return _end(writer, answer)
    length = len(answer.body) if answer.length is None else answer.length
    framing = "Transfer-Encoding: chunked" if answer.chunked else f"Content-Length: {length}"
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    writer.write(f"HTTP/1.1 {answer.status} Said\r\n{fields}{framing}\r\n\r\n".encode("latin-1"))
    if head_only or answer.status == 304:
        await writer.drain()
        return True
    size, pause = answer.drip or (1 << 16, 0.0)
    body = answer.body[: answer.stop_after]
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
        await writer.drain()
        if pause:
            await asyncio.sleep(pause)
    if answer.chunked and (answer.stop_after is None or answer.clean_end):
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    if answer.stop_after is not None or answer.length is not None:
        return _end(writer, answer)
    return True


def _end(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """End the connection, with a RST where the answer says so."""
    connection: Any = writer.get_extra_info("socket")
    if answer.reset and connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return False
