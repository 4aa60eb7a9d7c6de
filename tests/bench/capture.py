"""Records what a workload's installs ask for: a server between the clients and the registry they would use.

Every document and file is fetched once from the upstream that this machine's own pip and npm are set to, and
kept in a folder that nginx serves afterwards:

    simple/<project>.json            Simple API, JSON; file URLs relative
    files/<name>, files/<name>.metadata
    packuments/<name>.json                  full; tarball URLs on ORIGIN
    tarballs/<name>/-/<file>.tgz

Beside each document lies its gzipped form.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import aiohttp
from aiohttp import web

from registry.sources.inherit import Clients, inherit
from tests.bench.workload import Installed, install_npm, install_python

PORT = 18_555
ORIGIN = f"http://127.0.0.1:{PORT}"
"""Where the captured registry is served; packuments spell it, so it is fixed."""

_SIMPLE = "application/vnd.pypi.simple.v1+json"
_COMPLETE = "complete"


def capture(folder: Path) -> None:
    """Fill `folder`, unless that was done before."""
    if (folder / _COMPLETE).exists():
        return
    print(f"capturing the workloads into {folder}", flush=True)
    upstreams = asyncio.run(inherit(("pypi", "npm"), os.environ, (), Clients.of_this_machine()))
    recorder = Recorder(folder, {name: found.url for name, found in upstreams.items()})
    with recorder:
        for name, installed in (
            ("Python", install_python(f"{ORIGIN}/pypi/simple/")),
            ("npm", install_npm(f"{ORIGIN}/npm/")),
        ):
            _complain(name, installed)
    (folder / _COMPLETE).touch()


def _complain(name: str, installed: Installed) -> None:
    if installed.failure:
        raise SystemExit(f"capturing the {name} workload failed:\n{installed.failure}")


class Recorder:
    """The server in a thread of its own; `with` runs it."""

    def __init__(self, folder: Path, upstreams: dict[str, str]) -> None:
        self._folder = folder
        self._upstreams = upstreams
        self._urls: dict[str, str] = {}
        self._flights: dict[Path, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _start(self) -> None:
        connector = aiohttp.TCPConnector(limit=16, ssl=ssl.create_default_context())
        self._session = aiohttp.ClientSession(
            connector=connector, trust_env=True, raise_for_status=True, timeout=aiohttp.ClientTimeout(600)
        )
        app = web.Application()
        app.router.add_get("/pypi/simple/{project}/", self._simple)
        app.router.add_get("/pypi/files/{name}", self._file)
        app.router.add_get("/npm/{below:.*}", self._npm)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", PORT).start()

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _simple(self, request: web.Request) -> web.StreamResponse:
        project = request.match_info["project"]
        path = self._folder / "simple" / f"{project}.json"
        await self._once(path, lambda: self._fetch_simple(project, path))
        return web.FileResponse(path, headers={"Content-Type": _SIMPLE})

    async def _fetch_simple(self, project: str, path: Path) -> None:
        url = f"{self._upstreams['pypi']}{project}/"
        document = await self._document(url, _SIMPLE)
        for file in document["files"]:
            self._urls[file["filename"]] = urljoin(url, file["url"])
            file["url"] = f"../../files/{quote(file['filename'])}"
        _keep(path, document)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        path = self._folder / "files" / name
        url = self._urls[name.removesuffix(".metadata")] + (".metadata" if name.endswith(".metadata") else "")
        await self._once(path, lambda: self._download(url, path))
        return web.FileResponse(path)

    async def _npm(self, request: web.Request) -> web.StreamResponse:
        below = unquote(request.raw_path.removeprefix("/npm/"))
        name, is_file, file = below.partition("/-/")
        if is_file:
            path = self._folder / "tarballs" / name / "-" / file
            await self._once(path, lambda: self._download(self._urls[below], path))
            return web.FileResponse(path)
        path = self._folder / "packuments" / f"{name}.json"
        await self._once(path, lambda: self._fetch_packument(name, path))
        return web.FileResponse(path)

    async def _fetch_packument(self, name: str, path: Path) -> None:
        url = f"{self._upstreams['npm']}{name.replace('/', '%2f')}"
        document = await self._document(url, "application/json")
        for version in document["versions"].values():
            tarball = version["dist"]["tarball"]
            file = urlsplit(tarball).path.rpartition("/")[2]
            self._urls[f"{name}/-/{file}"] = tarball
            version["dist"]["tarball"] = f"{ORIGIN}/npm/{name}/-/{file}"
        _keep(path, document)

    async def _document(self, url: str, accept: str) -> dict[str, Any]:
        async with self._session.get(url, headers={"Accept": accept}) as response:
            document: dict[str, Any] = json.loads(await response.read())
            return document

    async def _download(self, url: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        async with self._session.get(url) as response:
            path.write_bytes(await response.read())

    async def _once(self, path: Path, fetch: Any) -> None:
        if path not in self._flights:
            self._flights[path] = asyncio.ensure_future(fetch())
        await asyncio.shield(self._flights[path])


def _keep(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    path.write_bytes(body)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(body, 6, mtime=0))
