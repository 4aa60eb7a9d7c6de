"""The start page shows the lines of every client, as text."""

from __future__ import annotations

import html

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from registry.web.client_lines import CLIENTS, client_lines, commands
from registry.web.pages import Pages
from registry.web.site import Site
from tests.fakes import LogInMemory, RefusalsInMemory


@pytest.mark.parametrize("public", [None, "https://packages.lan/registry"])
async def test_every_client_finds_its_lines_for_the_url_that_it_came_by(public: str | None) -> None:
    app = web.Application()
    app.add_routes(Pages(Site(public, [], []), RefusalsInMemory(LogInMemory())).routes())
    async with TestClient(TestServer(app)) as client:
        text = html.unescape(await (await client.get("/")).text())
        root = public or str(client.make_url("/")).rstrip("/")
    for name in CLIENTS:
        assert client_lines(name, root).text in text
    for command in commands(root):
        assert command in text
