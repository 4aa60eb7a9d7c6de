"""Packuments, tarballs and publish documents, as small as they can be."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from registry.ecosystems.npm import NPM
from registry.model.decisions import Decision, Effect, Objection, Refusal, Subject
from registry.model.indexes import Document, Index
from registry.model.names import Project

CHECKED = datetime(2026, 11, 1, tzinfo=UTC)
BASE = "http://registry.test:8080/npm"
UPSTREAM = "https://upstream.test"


def integrity(data: bytes, algorithm: str = "sha512") -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def manifest(name: str, version: str, /, **fields: Any) -> dict[str, Any]:
    base = name.rpartition("/")[2]
    content = f"{name}@{version}".encode()
    dist = {
        "tarball": f"{UPSTREAM}/{name}/-/{base}-{version}.tgz",
        "integrity": integrity(content),
        "shasum": hashlib.sha1(content).hexdigest(),
        "signatures": [{"keyid": "SHA256:key", "sig": f"sig of {version}"}],
    } | fields.pop("dist", {})
    return {"name": name, "version": version, "dist": dist} | fields


def packument(name: str, numbers: Iterable[str], /, **fields: Any) -> dict[str, Any]:
    listed = list(numbers)
    return {
        "_id": name,
        "_rev": "3-abc",
        "name": name,
        "dist-tags": {"latest": listed[-1]} if listed else {},
        "versions": {v: manifest(name, v) for v in listed},
        "time": {"created": "2015-01-01T00:00:00.000Z", "modified": "2024-01-01T00:00:00.000Z"}
        | {v: f"2020-01-{1 + i % 28:02}T00:00:00.000Z" for i, v in enumerate(listed)},
        "readme": "# hello",
    } | fields


def document(content: Any) -> Document:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Document(
        body=body,
        content_type="application/json",
        url=f"{UPSTREAM}/x",
        checked=CHECKED,
    )


def read(content: Any, name: str = "left-pad") -> Index:
    return NPM.read_index(NPM.parse_name(name), document(content))


def rendered(
    index: Index, withheld: Mapping[str, Refusal] | None = None, form: str = "full"
) -> dict[str, Any]:
    representation = next(r for r in NPM.representations if r.name == form)
    parsed: dict[str, Any] = json.loads(NPM.render_index(index, withheld or {}, BASE, representation))
    return parsed


def refusal(project: Project, version: str | None = None, reason: str = "too young") -> Refusal:
    objection = Objection(rule="age", effect=Effect.HOLD, reason=reason, remedy="wait")
    subject = Subject(project=project, version=version)
    decision = Decision(subject=subject, revision="r1", mode="guarded", objections=(objection,))
    return Refusal(id="0" * 32, decision=decision, why=f"http://registry.test:8080/why/{'0' * 32}")


def withhold(index: Index, *versions: str, reason: str = "too young") -> dict[str, Refusal]:
    return {
        a.filename: refusal(a.project, a.version, reason) for a in index.artifacts if a.version in versions
    }


def entry(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def tarball(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 1)


def package(inside: Mapping[str, Any] | bytes) -> bytes:
    content = inside if isinstance(inside, bytes) else json.dumps(inside).encode()
    return tarball(entry("package/package.json", content), entry("package/index.js", b"module.exports = 1\n"))


def publication(
    name: str, version: str, inside: Mapping[str, Any] | None = None, **stated: Any
) -> dict[str, Any]:
    """What `npm publish` sends, with the tarball of `inside`."""
    data = package(inside if inside is not None else {"name": name, "version": version} | stated)
    described = {"name": name, "version": version, "_id": f"{name}@{version}"} | stated
    dist = {
        "integrity": integrity(data),
        "shasum": hashlib.sha1(data).hexdigest(),
        "tarball": f"{BASE}/{name}/-/{name}-{version}.tgz",
    }
    return {
        "_id": name,
        "name": name,
        "dist-tags": {"latest": version},
        "versions": {version: described | {"dist": dist}},
        "access": None,
        "_attachments": {
            f"{name}-{version}.tgz": {
                "content_type": "application/octet-stream",
                "data": base64.b64encode(data).decode(),
                "length": len(data),
            }
        },
    }
