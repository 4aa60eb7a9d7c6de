"""The limit's folder: the bytes that the warm appliance sends, as files, gzipped beforehand where it gzips."""

from __future__ import annotations

import gzip
import http.client
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from tests.bench.systems import LIMIT_PORT, System

SIMPLE = {"Accept": "application/vnd.pypi.simple.v1+json", "Accept-Encoding": "gzip"}
"""How uv asks for an index."""
PACKUMENT = {
    "Accept": "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
    "Accept-Encoding": "gzip",
}
"""How npm asks for a packument."""


def build(appliance: System, captured: Path, static: Path) -> None:
    """Fill `static` for the projects in `captured`, in the same layout."""
    connection = http.client.HTTPConnection("127.0.0.1", appliance.port, timeout=60)
    for path in (captured / "simple").glob("*.json"):
        _keep(static / "simple" / path.name, _asked(connection, f"/pypi/simple/{path.stem}/", SIMPLE))
    for path in (captured / "packuments").rglob("*.json"):
        name = str(path.relative_to(captured / "packuments")).removesuffix(".json")
        body = _asked(connection, f"/npm/{name.replace('/', '%2f')}", PACKUMENT)
        _keep(static / "packuments" / f"{name}.json", body)
    for folder in ("files", "tarballs"):
        for path in _files(captured / folder):
            target = static / folder / path.relative_to(captured / folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    for name, project in _wheels(static):
        metadata = _asked(
            connection, f"/pypi/files/{project}/{urllib.parse.quote(name, safe='')}.metadata", {}
        )
        (static / "files" / f"{name}.metadata").write_bytes(metadata)
    connection.close()


def _wheels(static: Path) -> Iterator[tuple[str, str]]:
    for path in _files(static / "files"):
        if path.suffix == ".whl":
            yield path.name, path.name.partition("-")[0].lower().replace("_", "-").replace(".", "-")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _asked(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
    # By the limit's own host, so that what is absolute leads there.
    connection.request("GET", path, headers={"Host": f"127.0.0.1:{LIMIT_PORT}", **headers})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"the appliance answered {answer.status} to {path}: {body[:300]!r}")
    return body


def _keep(path: Path, gzipped: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.gz").write_bytes(gzipped)
    path.write_bytes(gzip.decompress(gzipped))
