"""The whole gateway in the test's own process: real parts, a lying upstream, a real pypiserver where one is needed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer

from registry.app import assemble
from registry.settings import load_settings
from tests.upstream import Distribution, LyingUpstream

JSON = "application/vnd.pypi.simple.v1+json"
POLICY = """
[pypi]
mode = "guarded"
ours = ["ours-*"]
deny = ["denied"]
[npm]
mode = "guarded"
[rules]
denylist = "deny"
lookalike = "off"
ownership = "deny"
"""
NOWHERE = "http://127.0.0.1:9/"
"""A back end that nobody asks."""


@dataclass(frozen=True)
class Got:
    """An answer, read whole."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        import json

        return json.loads(self.body)


@dataclass
class Premises:
    """One gateway on one data directory."""

    folder: Path
    client: TestClient[web.Request, web.Application]
    upstream: LyingUpstream
    credentials: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it answers, no slash at the end."""
        return str(self.client.make_url("/")).rstrip("/")

    async def ask(self, path: str, method: str = "GET", **more: Any) -> Got:
        """One request, not redirected, nothing added by the client but Host."""
        skip = {"Accept", "Accept-Encoding", "User-Agent"}
        more.setdefault("headers", {})
        async with self.client.request(
            method, path, allow_redirects=False, skip_auto_headers=skip, **more
        ) as answer:
            return await _read(answer)

    async def get(self, path: str, **headers: str) -> Got:
        """A GET with these headers; `_` stands for a dash."""
        return await self.ask(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def index(self, name: str, *, root: str = "") -> Any:
        """The JSON index of a project."""
        got = await self.get(f"/pypi/simple/{name}/", Accept=JSON)
        assert got.status == 200, got
        return got.json

    async def fetched(self, made: Distribution) -> None:
        """Have a file brought in, and what is in it read."""
        got = await self.get(f"/pypi/files/{made.project}/{made.filename}")
        assert got.status == 200, got

    async def upload(
        self,
        made: Distribution,
        *,
        fields: Mapping[str, str | None] | None = None,
        filename: str | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "/pypi/legacy/",
    ) -> Got:
        """The form that twine 7 sends; a field of None is left out."""
        wheel = made.filename.endswith(".whl")
        sent: dict[str, str | None] = {
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": made.project,
            "version": made.version,
            "filetype": "bdist_wheel" if wheel else "sdist",
            "pyversion": "py3" if wheel else "source",
            "sha256_digest": hashlib.sha256(made.data).hexdigest(),
            "blake2_256_digest": hashlib.blake2b(made.data, digest_size=32).hexdigest(),
            **(fields or {}),
        }
        form = FormData(quote_fields=False)
        for name, value in sent.items():
            if value is not None:
                form.add_field(name, value)
        form.add_field("content", made.data, filename=filename or made.filename)
        return await self.ask(path, "POST", data=form, headers={**self.credentials, **(headers or {})})

    async def api(self, method: str, path: str, body: Any = None) -> Got:
        """A request of an admin to the API."""
        return await self.ask(f"/api/v1{path}", method, json=body, headers=self.credentials)


@asynccontextmanager
async def opened(
    folder: Path,
    upstream: LyingUpstream,
    *,
    pypiserver: tuple[int, Path] | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Premises]:
    """The gateway, from assembled to closed. `pypiserver` is a port and the file with its credentials."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    environ = {
        "REGISTRY_DATA": str(folder / "data"),
        "REGISTRY_POLICY": str(folder / "policy.toml"),
        "REGISTRY_PYPI_UPSTREAM": upstream.url_pypi,
        "REGISTRY_NPM_UPSTREAM": upstream.url_npm,
        "REGISTRY_PYPISERVER_URL": NOWHERE,
        "REGISTRY_VERDACCIO_URL": NOWHERE,
        **(settings or {}),
    }
    if pypiserver is not None:
        port, credentials = pypiserver
        environ["REGISTRY_PYPISERVER_URL"] = f"http://127.0.0.1:{port}/"
        environ["REGISTRY_PYPISERVER_CREDENTIALS"] = str(credentials)
    async with (
        assemble(load_settings(environ, folder)) as (app, _),
        TestClient(TestServer(app)) as client,
    ):
        token = await asyncio.to_thread((folder / "data" / "keys" / "admin-token").read_text, "utf-8")
        login = base64.b64encode(f"__token__:{token.strip()}".encode()).decode()
        yield Premises(folder, client, upstream, {"Authorization": f"Basic {login}"})


async def _read(answer: ClientResponse) -> Got:
    return Got(answer.status, answer.reason or "", dict(answer.headers), await answer.read())
