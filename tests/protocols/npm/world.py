"""The whole gateway for the protocol tests: a lying upstream before it, the real Verdaccio behind it.

Packages are told apart by their names, so one appliance serves a module's tests; a test that needs another
setting starts its own, which costs a tenth of a second.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from registry.app import Surroundings, SystemClock, assemble
from registry.appliance import back_ends
from registry.model.ports import MachineClock
from registry.settings import load_settings
from registry.web.server import listen
from tests.policy.worlds import KNOWN
from tests.sources.private import free_port, make_folders, running
from tests.upstream import LyingUpstream, Tarball

POLICY = """
[pypi]
mode = "guarded"
ours = ["acme-*"]
[npm]
mode = "guarded"
ours = ["@acme/*", "acme-*"]
deny = ["denied"]
[rules]
denylist = "deny"
ownership = "deny"
age = "off"
"""

INSTALL = "application/vnd.npm.install-v1+json"


@dataclass(frozen=True)
class Answer:
    """A whole answer; `body` as it was before gzip, `raw` as it travelled."""

    status: int
    reason: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        coded = self.headers.get("Content-Encoding") == "gzip"
        return gzip.decompress(self.raw) if coded else self.raw

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Appliance:
    """A running gateway as a client sees it, and what is around it."""

    url: str
    data: Path
    upstream: LyingUpstream
    session: aiohttp.ClientSession
    token: str = field(repr=False)
    storage: Path
    """Where Verdaccio keeps its packages."""

    async def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        login: bool = False,
    ) -> Answer:
        """One request below the gateway's root, redirects and codings left as they are."""
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        if login:
            asked["Authorization"] = f"Bearer {self.token}"
        if isinstance(data, dict | list | str):
            data, asked["Content-Type"] = json.dumps(data).encode(), "application/json"
        async with self.session.request(
            method, URL(f"{self.url}/{path}", encoded=True), headers=asked, data=data, allow_redirects=False
        ) as response:
            return Answer(
                response.status, response.reason or "", response.headers.copy(), await response.read()
            )

    async def npm(self, path: str, **more: Any) -> Answer:
        """The same, below /npm/."""
        return await self.ask(f"npm/{path}", **more)

    async def publish(self, tarball: Tarball, **more: Any) -> Answer:
        """PUT a publish document, logged in."""
        document = publish_document(tarball, **more)
        return await self.npm(tarball.name.replace("/", "%2f"), method="PUT", data=document, login=True)

    async def log(self, kind: str, name: str) -> list[dict[str, Any]]:
        """The log's events of one kind about one npm package, newest first."""
        found = await self.ask(
            f"api/v1/audit/log?kinds={kind}&ecosystem=npm&name={name.replace('/', '%2f')}", login=True
        )
        assert found.status == 200, found.body
        return [row["event"] for row in found.json["items"]]


def publish_document(tarball: Tarball, tag: str = "latest", **manifest: Any) -> dict[str, Any]:
    """What `npm publish` sends: libnpmpublish's document, the tarball in base64."""
    told = {**tarball.manifest, **manifest, "_id": f"{tarball.name}@{tarball.version}"}
    told["dist"] = {
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball.data).digest()).decode(),
        "shasum": hashlib.sha1(tarball.data).hexdigest(),
        "tarball": f"http://elsewhere.example/{tarball.name}/-/{tarball.filename}",
    }
    return {
        "_id": tarball.name,
        "name": tarball.name,
        "dist-tags": {tag: tarball.version},
        "versions": {tarball.version: told},
        "access": None,
        "_attachments": {
            f"{tarball.name}-{tarball.version}.tgz": {
                "content_type": "application/octet-stream",
                "data": base64.b64encode(tarball.data).decode(),
                "length": len(tarball.data),
            }
        },
    }


@dataclass(frozen=True)
class BackEnds:
    """Where the private back ends listen, and the file with each one's credentials."""

    environ: Mapping[str, str]
    storage: Path


@contextlib.contextmanager
def verdaccio(folder: Path) -> Iterator[BackEnds]:
    """The real Verdaccio; pypiserver's address leads nowhere."""
    private = make_folders(folder)
    port = free_port()
    credentials = back_ends.make_credentials(private, "verdaccio")
    with running(back_ends.verdaccio(private, port), f"http://127.0.0.1:{port}/-/ping"):
        yield BackEnds(
            {
                "REGISTRY_VERDACCIO_URL": f"http://127.0.0.1:{port}/",
                "REGISTRY_VERDACCIO_CREDENTIALS": str(credentials),
                "REGISTRY_PYPISERVER_URL": f"http://127.0.0.1:{free_port()}/",
            },
            private / "npm",
        )


@asynccontextmanager
async def appliance(
    folder: Path,
    back_end: BackEnds,
    *,
    config: str = "",
    policy: str = POLICY,
    clock: MachineClock | None = None,
    **environ: str,
) -> AsyncIterator[Appliance]:
    """A gateway with a lying upstream; `config` is the text of registry.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "registry.toml").write_text(config)
    (folder / "policy.toml").write_text(policy)
    async with LyingUpstream() as upstream, aiohttp.ClientSession(auto_decompress=False) as session:
        settings = load_settings(
            {
                "REGISTRY_CONFIG": "registry.toml",
                "REGISTRY_POLICY": "policy.toml",
                "REGISTRY_PYPI_UPSTREAM": upstream.url_pypi,
                "REGISTRY_NPM_UPSTREAM": upstream.url_npm,
                "REGISTRY_DATA": "data",
                **back_end.environ,
                **environ,
            },
            folder,
        )
        around = Surroundings(
            clock=clock or SystemClock(), environ={}, known=KNOWN.__getitem__, password_cost=4
        )
        async with assemble(settings, around) as (app, _):
            sock = socket.create_server(("127.0.0.1", 0))
            runner = await listen(app, sock)
            try:
                yield Appliance(
                    url=f"http://127.0.0.1:{sock.getsockname()[1]}",
                    data=settings.data,
                    upstream=upstream,
                    session=session,
                    token=(settings.data / "keys" / "admin-token").read_text().strip(),
                    storage=back_end.storage,
                )
            finally:
                await runner.cleanup()


__all__ = ["INSTALL", "POLICY", "Answer", "Appliance", "BackEnds", "appliance", "verdaccio"]
