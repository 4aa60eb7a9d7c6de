"""The whole gateway in process: the real application on loopback, between a lying upstream and two back ends.

Whatever it answers, no test may find an upstream's or a back end's address in it, nor an error in its own log.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import apsw
from multidict import CIMultiDictProxy
from yarl import URL

from registry.app import Surroundings, assemble
from registry.pipeline.inforce import JoinedPolicy
from registry.settings import load_settings
from registry.storage.editions import SharedEditions
from registry.web.server import listen
from tests.fakes import FixedClock
from tests.guarantees.back_ends import Pypiserver, Verdaccio
from tests.policy.worlds import GUARDED, KNOWN
from tests.upstream import Distribution, LyingUpstream, Tarball

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
OWN_LOGGERS = frozenset({"registry.web", "registry.verify", "aiohttp.server", "aiohttp.web", "asyncio"})
"""Where an error means a defect: a traceback, a task that nobody waited for."""


@dataclass(frozen=True)
class Got:
    """What a client received."""

    status: int
    reason: str
    headers: CIMultiDictProxy[str]
    body: bytes
    whole: bool
    """False when the connection broke before the announced end."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_whole(self, data: bytes) -> bool:
        """A complete 200 with exactly these bytes."""
        return self.status == 200 and self.whole and self.body == data


class Errors(logging.Handler):
    """Records that no test may cause."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in OWN_LOGGERS:
            self.records.append(self.format(record))


@dataclass
class House:
    """An appliance that can be asked, stopped and started again on the same data."""

    folder: Path
    upstream: LyingUpstream
    environ: dict[str, str] = field(default_factory=dict)
    """More settings."""
    clock: FixedClock = field(default_factory=FixedClock)
    tls: ssl.SSLContext | None = None
    """What its clients trust, where it speaks TLS."""

    def __post_init__(self) -> None:
        self.pypiserver, self.verdaccio = Pypiserver(), Verdaccio()
        self.policy_file = self.folder / "policy.toml"
        self.policy_file.write_text(GUARDED)
        self.address = ("", 0)
        self.excused = False
        """Set by a test that makes the appliance fail on purpose: errors in its log are what it should have."""
        self.policy: JoinedPolicy
        self._session: aiohttp.ClientSession
        self._running = AsyncExitStack()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def volume(self) -> Path:
        return Path(self.environ.get("REGISTRY_VOLUME", self.data / "volume"))

    @property
    def root(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.address[0]}:{self.address[1]}"

    @property
    def admin(self) -> dict[str, str]:
        token = (self.data / "keys" / "admin-token").read_text().strip()
        return {"Authorization": f"Bearer {token}"}

    async def start(self) -> None:
        """Open the appliance on its data."""
        environ = {
            "REGISTRY_DATA": str(self.data),
            "REGISTRY_POLICY": str(self.policy_file),
            "REGISTRY_PYPI_UPSTREAM": self.upstream.url_pypi,
            "REGISTRY_NPM_UPSTREAM": self.upstream.url_npm,
            "REGISTRY_PYPISERVER_URL": self.pypiserver.url,
            "REGISTRY_VERDACCIO_URL": self.verdaccio.url,
            **self.environ,
        }
        around = Surroundings(clock=self.clock, environ={}, known=KNOWN.__getitem__, password_cost=4)
        app, self.policy = await self._running.enter_async_context(
            assemble(load_settings(environ, self.folder), around)
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        runner = await listen(app, listener)
        runner._shutdown_timeout = 0.2
        self._running.push_async_callback(runner.cleanup)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = await self._running.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def stop(self) -> None:
        await self._running.aclose()

    async def restart(self) -> None:
        """Stop, and open again on the same data: all that was only in memory is gone."""
        await self.stop()
        await self.start()

    async def decree(self, text: str) -> None:
        """Put another policy.toml in force."""
        self.policy_file.write_text(text)
        await self.policy.reload()
        assert not self.policy.problems

    # as a client

    async def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> Got:
        """One request; `path` goes out exactly as it is written."""
        url = URL(f"{self.root}{path}", encoded=True)
        async with self._session.request(
            method, url, headers=headers, data=data, allow_redirects=False
        ) as response:
            body, whole = b"", True
            try:
                async for chunk in response.content.iter_any():
                    body += chunk
            except aiohttp.ClientError:
                whole = False
            got = Got(response.status, response.reason or "", response.headers, body, whole)
        if not path.startswith("/api/"):
            self._require_discreet(got)
        return got

    async def begin(self, path: str) -> aiohttp.ClientResponse:
        """A request of which only the headers have been read; the caller closes it."""
        return await self._session.get(URL(f"{self.root}{path}", encoded=True))

    async def index(self, project: str, **more: Any) -> Any:
        """The simple page of a project, as JSON."""
        got = await self.ask(f"/pypi/simple/{project}/", headers=JSON, **more)
        assert got.status == 200, (got.status, got.reason)
        return got.json

    async def learn(self, package: Distribution | Tarball) -> str:
        """Look at the package's index, as a client does first; gives the path of its file."""
        path = path_of(package)
        if isinstance(package, Distribution):
            files = (await self.index(package.project.lower()))["files"]
            assert package.filename in [file["filename"] for file in files]
        else:
            got = await self.ask(f"/npm/{package.name.replace('/', '%2f')}")
            assert got.json["versions"][package.version]["dist"]["tarball"] == f"{self.root}{path}"
        return path

    async def fetch(self, package: Distribution | Tarball, **more: Any) -> Got:
        """The package's file, after its index."""
        return await self.ask(await self.learn(package), **more)

    async def raw(self, request: bytes) -> bytes:
        """Bytes on a socket, and all that comes back until the appliance closes it."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(request)
            await writer.drain()
            async with asyncio.timeout(10):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def upload(self, package: Distribution, **fields: str) -> Got:
        """What twine sends."""
        form = aiohttp.FormData()
        said = {
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": package.project,
            "version": package.version,
            "filetype": "bdist_wheel" if package.filename.endswith(".whl") else "sdist",
            "sha256_digest": hashlib.sha256(package.data).hexdigest(),
            **fields,
        }
        for name, value in said.items():
            form.add_field(name, value)
        form.add_field("content", package.data, filename=package.filename)
        return await self.ask("/pypi/legacy/", method="POST", headers=self.admin, data=form)

    async def publish(self, package: Tarball) -> Got:
        """What npm publish sends."""
        path = f"/npm/{package.name.replace('/', '%2f')}"
        manifest = {**package.manifest, "_id": f"{package.name}@{package.version}", "dist": _dist(package)}
        document = {
            "_id": package.name,
            "name": package.name,
            "dist-tags": {"latest": package.version},
            "versions": {package.version: manifest},
            "_attachments": {
                f"{package.name}-{package.version}.tgz": {
                    "content_type": "application/octet-stream",
                    "data": base64.b64encode(package.data).decode(),
                    "length": len(package.data),
                }
            },
        }
        return await self.ask(path, method="PUT", headers=self.admin, data=json.dumps(document))

    def editions(self) -> SharedEditions:
        """As another process of this appliance has them."""
        return SharedEditions(self.data / "processes" / "editions")

    # what is found afterwards

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """The log's events of one kind, oldest first, read past the appliance."""
        return [
            json.loads(row[0])
            for row in self.query("SELECT event FROM log WHERE kind = ? ORDER BY seq", kind)
        ]

    def alarms(self) -> list[str]:
        """What was alarmed, oldest first."""
        return [row["detail"].get("alarm") or row["detail"].get("policy") for row in self.rows("alarm")]

    def query(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Rows of the database, read past the appliance.

        With the same SQLite: a second one in the process (Python's own) would drop the first one's locks.
        """
        connection = apsw.Connection(str(self.data / "registry.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def blobs(self) -> dict[str, Path]:
        """Everything that lies under a final name on the volume, by the name."""
        return {path.name: path for path in (self.volume / "blobs").rglob("*") if path.is_file()}

    def temp_files(self) -> list[Path]:
        return list((self.volume / "tmp").iterdir())

    def require_sound(self) -> None:
        """What lies under a final name is what it is called, and each row that says so has its bytes."""
        for name, path in self.blobs().items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == name
        held = self.query("SELECT blob FROM artifact WHERE blob IS NOT NULL AND origin = 'public'")
        assert {blob for (blob,) in held} <= self.blobs().keys()

    def _require_discreet(self, got: Got) -> None:
        said = "\n".join([got.reason, *(f"{k}: {v}" for k, v in got.headers.items())]).encode() + got.body
        for host in (self.upstream.origin, self.pypiserver.url, self.verdaccio.url):
            assert host.split("/")[2].encode() not in said, f"{host} is told in {said[:2000]!r}"


def path_of(package: Distribution | Tarball) -> str:
    """Where the appliance offers a package's file."""
    if isinstance(package, Distribution):
        return f"/pypi/files/{package.project.lower()}/{package.filename}"
    return f"/npm/{package.name}/-/{package.filename}"


def _dist(package: Tarball) -> dict[str, str]:
    integrity = base64.b64encode(hashlib.sha512(package.data).digest()).decode()
    return {"integrity": f"sha512-{integrity}", "shasum": hashlib.sha1(package.data).hexdigest()}


@asynccontextmanager
async def open_house(
    folder: Path, upstream: LyingUpstream, environ: Mapping[str, str] | None = None
) -> AsyncIterator[House]:
    """A house with everything around it, and the proof that nothing in it went wrong unnoticed."""
    house, errors = House(folder, upstream, dict(environ or {})), Errors()
    logging.getLogger().addHandler(errors)
    try:
        async with house.pypiserver.serving(), house.verdaccio.serving():
            await house.start()
            try:
                yield house
            finally:
                await house.stop()
    finally:
        logging.getLogger().removeHandler(errors)
    assert house.excused or not errors.records, errors.records
