"""Small stand-ins for pypiserver and Verdaccio on loopback; e2e runs the real ones."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web


class BackEnd:
    """What both have: a server that can be stopped, and a memory of who asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.files: dict[str, bytes] = {}
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.broken = False
        """While set, every answer is 500."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application(client_max_size=2**26, middlewares=[self._note])
        app.add_routes(self.routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, self.socket).start()
        try:
            yield
        finally:
            await runner.cleanup()

    def routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path))
        if self.broken:
            return web.Response(status=500, text="broken")
        response: web.StreamResponse = await handler(request)
        return response

    def _file(self, name: str) -> web.Response:
        data = self.files.get(name)
        return web.Response(status=404) if data is None else web.Response(body=data)


class Pypiserver(BackEnd):
    """Takes upload forms, gives files back."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self._health),
            web.post("/", self._upload),
            web.get("/packages/", self._list),
            web.get("/packages/{filename}", self._package),
        ]

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _list(self, _: web.Request) -> web.Response:
        links = (
            f'<a href="/packages/{quote(name)}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
            for name, data in self.files.items()
        )
        return web.Response(text="\n".join(links), content_type="text/html")

    async def _upload(self, request: web.Request) -> web.Response:
        if not request.content_type.startswith("multipart/"):
            return await self._remove(request)
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            if part.name == "content":
                assert part.filename
                self.files[part.filename] = bytes(await part.read())
        return web.Response(text="OK")

    async def _remove(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        assert form[":action"] == "remove_pkg"
        start = f"{form['name']}-{form['version']}"
        found = [name for name in self.files if name.startswith((f"{start}-", f"{start}."))]
        for name in found:
            del self.files[name]
        return web.Response(text="OK", status=200 if found else 404)

    async def _package(self, request: web.Request) -> web.Response:
        answer = self._file(request.match_info["filename"])
        answer.headers["Last-Modified"] = "Mon, 06 May 2024 07:08:09 GMT"
        return answer


class Verdaccio(BackEnd):
    """Takes publish documents, gives packuments and tarballs back; its links are its own, as the real one's."""

    def __init__(self) -> None:
        super().__init__()
        self.packuments: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/-/ping", self._ping),
            web.put("/-/package/{name}/dist-tags/{tag}", self._tag),
            web.put("/-/publishing/{name}/tarball/{filename}", self._take_tarball),
            web.put("/-/publishing/{name}/version/{version}", self._take_version),
            web.get("/{name:[^-].*}/-/{filename}", self._tarball),
            web.get("/{name:[^-].*}", self._packument),
            web.put("/{name:[^-].*}", self._publish),
        ]

    async def _ping(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _packument(self, request: web.Request) -> web.Response:
        found = self.packuments.get(request.match_info["name"])
        return web.json_response(found or {"error": "no such package"}, status=200 if found else 404)

    async def _tarball(self, request: web.Request) -> web.Response:
        return self._file(f"{request.match_info['name']}/{request.match_info['filename']}")

    async def _publish(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in self.packuments:
            return web.json_response({"error": "conflict"}, status=409)
        sent = await request.json()
        self.packuments[name] = {"name": sent["name"], "versions": {}, "dist-tags": {}, "time": {}}
        return web.json_response({"ok": True}, status=201)

    async def _take_tarball(self, request: web.Request) -> web.Response:
        self.files[f"{request.match_info['name']}/{request.match_info['filename']}"] = await request.read()
        return web.json_response({"ok": True}, status=201)

    async def _take_version(self, request: web.Request) -> web.Response:
        name, version = request.match_info["name"], request.match_info["version"]
        kept, sent = self.packuments[name], await request.json()
        filename = f"{name.rpartition('/')[2]}-{version}.tgz"
        sent["manifest"]["dist"]["tarball"] = f"{self.url}{name}/-/{filename}"
        kept["versions"][version] = sent["manifest"]
        kept["dist-tags"] |= sent["tags"]
        kept["time"].setdefault(version, "2026-11-21T12:00:00.000Z")
        kept["_rev"] = f"1-{secrets.token_hex(4)}"
        return web.json_response({"ok": True}, status=201)

    async def _tag(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.packuments[name]["dist-tags"][request.match_info["tag"]] = json.loads(await request.text())
        return web.json_response({"ok": True})
