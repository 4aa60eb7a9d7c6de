"""Wheels, sdists, entries and documents to test with, honest by default."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from registry.ecosystems.pypi.names import parse_name
from registry.model.artifacts import Artifact, Digest
from registry.model.decisions import Decision, Effect, Objection, Refusal, Subject
from registry.model.indexes import Document, Index
from registry.model.names import Project

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
UPSTREAM = "https://upstream.example/simple/foo-bar/"
FOO = parse_name("foo-bar")
SHA = "ab" * 32
OTHER_SHA = "cd" * 32


def metadata(name: str = "Foo.Bar", version: str = "1.0", **more: str) -> bytes:
    lines = {"Metadata-Version": "2.5", "Name": name, "Version": version, **more}
    return "".join(f"{key}: {value}\n" for key, value in lines.items()).encode()


def wheel_entries(info: str = "foo_bar-1.0.dist-info", inside: bytes | None = None) -> dict[str, bytes]:
    return {
        "foo_bar/__init__.py": b"x = 1\n",
        f"{info}/METADATA": metadata() if inside is None else inside,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\n",
        f"{info}/RECORD": b"",
    }


def zipped(entries: Mapping[str, bytes] | Sequence[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    pairs = entries.items() if isinstance(entries, Mapping) else entries
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in pairs:
            archive.writestr(packed(name) if isinstance(name, str) else name, data)
    return stream.getvalue()


def packed(name: str) -> zipfile.ZipInfo:
    """A deflated entry that is the same whenever it is written."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def wheel(**more: Any) -> bytes:
    return zipped(wheel_entries(**more))


def tarred(entries: Sequence[tuple[tarfile.TarInfo | str, bytes]], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    """An uncompressed tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=fmt) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def sdist_entries(inside: bytes | None = None) -> list[tuple[tarfile.TarInfo | str, bytes]]:
    return [
        ("foo_bar-1.0/setup.py", b"import setuptools\n"),
        ("foo_bar-1.0/PKG-INFO", metadata() if inside is None else inside),
    ]


def sdist(entries: Sequence[tuple[tarfile.TarInfo | str, bytes]] | None = None) -> bytes:
    return gzip.compress(tarred(sdist_entries() if entries is None else entries), mtime=0)


def entry(filename: str = "foo_bar-1.0-py3-none-any.whl", **more: Any) -> dict[str, Any]:
    return {
        "filename": filename,
        "url": f"https://files.example/{filename}",
        "hashes": {"sha256": SHA},
        "size": 100,
        **more,
    }


def json_document(*entries: object, **more: Any) -> Document:
    body = {"meta": {"api-version": "1.4"}, "name": "foo-bar", "files": list(entries), **more}
    return document(json.dumps(body).encode())


def html_document(body: str) -> Document:
    return document(body.encode(), "text/html")


def document(body: bytes, content_type: str = "application/vnd.pypi.simple.v1+json") -> Document:
    return Document(body=body, content_type=content_type, url=UPSTREAM, checked=NOW)


def artifact(filename: str = "foo_bar-1.0-py3-none-any.whl", **more: Any) -> Artifact:
    facts: dict[str, Any] = {
        "project": FOO,
        "filename": filename,
        "version": filename.split("-")[1],
        "url": f"https://files.example/{filename}",
        "digests": (Digest("sha256", SHA),),
        "size": 100,
        "published": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    }
    return Artifact(**facts | more)


def index(*artifacts: Artifact, **more: Any) -> Index:
    return Index(project=FOO, artifacts=artifacts, **more)


def decision(
    project: Project = FOO,
    rule: str = "lookalike",
    resembles: str | None = None,
    effect: Effect = Effect.DENY,
) -> Decision:
    objection = Objection(rule=rule, effect=effect, reason="looks like `requests`", resembles=resembles)
    return Decision(subject=Subject(project=project), revision="1", mode="guarded", objections=(objection,))


def refusal(**more: Any) -> Refusal:
    return Refusal(id="0" * 32, decision=decision(**more), why="http://registry.example/why/0")
