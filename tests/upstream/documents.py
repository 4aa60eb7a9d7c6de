"""The documents of the upstream: what a simple index and an npm registry say of the packages they have."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from typing import Any, Literal

from tests.upstream.packages import Distribution, Tarball, normalised

Shape = Literal["json", "html", "bare-json"]
"""Of the simple index: PEP 691 with everything, PEP 503 only, or JSON without size, upload time and versions."""


def simple_json(name: str, files: Sequence[Distribution], base: str, *, bare: bool) -> bytes:
    """PEP 691; with `bare`, API version 1.0 and nothing optional."""
    document: dict[str, Any] = {
        "meta": {"api-version": "1.0" if bare else "1.1"},
        "name": normalised(name),
        "files": [_file(file, base, bare=bare) for file in files],
    }
    if not bare:
        document["versions"] = list(dict.fromkeys(file.version for file in files))
    return json.dumps(document).encode()


def _file(file: Distribution, base: str, *, bare: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": file.url or f"{base}/files/{file.filename}",
        "hashes": file.hashes,
    }
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.yanked:
        entry["yanked"] = file.yanked
    if file.provenance is not None:
        entry["provenance"] = (
            f"{base}/integrity/{normalised(file.project)}/{file.version}/{file.filename}/provenance"
        )
    if bare:
        return entry
    entry["size"] = file.size
    if file.published:
        entry["upload-time"] = file.published
    if file.metadata is not None:
        entry["core-metadata"] = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
    return entry


def simple_html(name: str, files: Sequence[Distribution], base: str) -> bytes:
    """PEP 503 with PEP 592, 629 and 658 attributes."""
    lines = [
        "<!DOCTYPE html><html><head>",
        '<meta name="pypi:repository-version" content="1.0">',
        f"<title>Links for {html.escape(name)}</title></head><body>",
    ]
    for file in files:
        fragment = "".join(f"#{algorithm}={value}" for algorithm, value in list(file.hashes.items())[:1])
        attributes = [f'href="{html.escape(file.url or f"{base}/files/{file.filename}")}{fragment}"']
        if file.requires_python:
            attributes.append(f'data-requires-python="{html.escape(file.requires_python)}"')
        if file.yanked:
            attributes.append(
                f'data-yanked="{html.escape(file.yanked if isinstance(file.yanked, str) else "")}"'
            )
        if file.metadata is not None:
            attributes.append(f'data-core-metadata="sha256={hashlib.sha256(file.metadata).hexdigest()}"')
        lines.append(f"<a {' '.join(attributes)}>{html.escape(file.filename)}</a><br>")
    return "\n".join([*lines, "</body></html>"]).encode()


def legacy_json(name: str, files: Sequence[Distribution]) -> bytes:
    """The legacy JSON API: all of it by version, nothing left out."""
    releases: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        releases.setdefault(file.version, []).append(
            {
                "filename": file.filename,
                "digests": file.hashes,
                "size": file.size,
                "upload_time": (file.published or "")[:19] or None,
                "upload_time_iso_8601": file.published,
                "requires_python": file.requires_python,
                "yanked": bool(file.yanked),
                "yanked_reason": file.yanked if isinstance(file.yanked, str) else None,
            }
        )
    return json.dumps({"info": {"name": name}, "releases": releases, "urls": []}).encode()


def packument(tarballs: Sequence[Tarball], base: str, *, times: bool, abbreviated: bool) -> bytes:
    """npm's document of one package, full or as `application/vnd.npm.install-v1+json`."""
    name, latest = tarballs[0].name, tarballs[-1].version
    document: dict[str, Any] = {
        "name": name,
        "dist-tags": {"latest": latest},
        "versions": {tarball.version: npm_version(tarball, base) for tarball in tarballs},
    }
    published = {tarball.version: tarball.published for tarball in tarballs if tarball.published}
    if abbreviated:
        document["modified"] = max(published.values(), default="2020-01-01T00:00:00.000Z")
        return json.dumps(document).encode()
    document["_id"] = name
    if times and published:
        moments = sorted(published.values())
        document["time"] = {"created": moments[0], "modified": moments[-1], **published}
    return json.dumps(document).encode()


def npm_version(tarball: Tarball, base: str) -> dict[str, Any]:
    """One version's manifest."""
    dist = {
        "tarball": tarball.url or f"{base}/npm/{tarball.name}/-/{tarball.filename}",
        "shasum": hashlib.sha1(tarball.data).hexdigest(),
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball.data).digest()).decode(),
        **tarball.dist,
    }
    return {
        **tarball.manifest,
        "_id": f"{tarball.name}@{tarball.version}",
        "dist": {key: value for key, value in dist.items() if value is not None},
    }
