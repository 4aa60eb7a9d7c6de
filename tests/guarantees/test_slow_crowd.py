"""I12, L5, measured on the process itself: what hundreds of clients that hardly read cost it, whatever they ask
for, and that another one is served meanwhile."""

from __future__ import annotations

import asyncio
import base64
import random
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests.guarantees.crew import Crew, open_crew
from tests.guarantees.house import path_of
from tests.upstream import LyingUpstream, faults, make_tarball, make_wheel

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="memory is read in /proc"
)

FIRST, EACH = 20, 80
"""Clients of each kind."""
PLAIN, OVER_TLS = 128 * 1024, 256 * 1024
"""Bytes of memory that one of them may cost; TLS has keys, records and buffers of its own."""

WHEEL = make_wheel("demo", "1.0", padding=8_000_000)
COLD = make_wheel("cold", "1.0", padding=8_000_000)
WAYS = {
    "kept file": (path_of(WHEEL), "gzip"),
    "index": ("/npm/medium", "gzip"),
    "unpacked index": ("/npm/medium", "identity"),
    "large index": ("/npm/large", "gzip"),
    "unpacked large index": ("/npm/large", "identity"),
    "file on its way": (path_of(COLD), "gzip"),
}


async def stock(crew: Crew, upstream: LyingUpstream) -> None:
    """Everything that is asked for, one of them cold."""
    upstream.add(WHEEL, COLD)
    for name, size in (("medium", 3_500_000), ("large", 5_000_000)):
        upstream.add(make_tarball(name, "1.0.0"))
        words = base64.b64encode(random.Random(name).randbytes(size * 3 // 4)).decode()
        upstream.lie(faults.rewritten('"dist":', f'"description": "{words}", "dist":'), f"/npm/{name}")
        assert (await crew.ask(f"/npm/{name}")).status == 200
    assert (await crew.fetch(WHEEL)).is_whole(WHEEL.data)
    await crew.learn(COLD)
    upstream.lie(faults.drip(200_000, 0.1), "/files/cold*")


@asynccontextmanager
async def reading_little(crew: Crew, way: str, number: int) -> AsyncIterator[None]:
    """Clients that ask, and take three kilobytes of what comes."""
    path, coding = WAYS[way]
    host = f"{crew.address[0]}:{crew.address[1]}"
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: {coding}\r\n\r\n".encode()
    async with AsyncExitStack() as stack:

        async def read() -> None:
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, crew.address)
            name = "localhost" if crew.tls else None
            reader, writer = await asyncio.open_connection(
                sock=connection, ssl=crew.tls, server_hostname=name, limit=1024
            )
            stack.callback(writer.close)
            stack.callback(writer.transport.abort)
            writer.write(request)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            for _ in range(3):
                await reader.readexactly(1024)

        await asyncio.gather(*(read() for _ in range(number)))
        yield


def memory(crew: Crew) -> int:
    """Bytes of the process: what is its own, and its part of what it shares."""
    lines = Path(f"/proc/{crew.pids[0]}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


async def cost(crew: Crew, upstream: LyingUpstream, ways: Sequence[str]) -> float:
    """Bytes that one of so many costs, while they are served and others are. All of them stay until the end:
    what one has left behind would hide what the next one takes."""
    await stock(crew, upstream)
    for way in ways:
        if way != "file on its way":
            async with reading_little(crew, way, FIRST):  # what is made once is made for these
                await whole(crew, way)
    before = memory(crew)
    async with AsyncExitStack() as crowds:
        for way in ways:
            await crowds.enter_async_context(reading_little(crew, way, EACH))
            await whole(crew, way)
        return (memory(crew) - before) / (EACH * len(ways))


async def whole(crew: Crew, way: str) -> None:
    """Another client's answer, all of it."""
    path, coding = WAYS[way]
    async with asyncio.timeout(60):
        got = await crew.ask(path, headers={"Accept-Encoding": coding})
    assert (got.status, got.whole) == (200, True)


async def test_a_client_that_hardly_reads_costs_little_whatever_it_asked_for(
    tmp_path: Path, upstream: LyingUpstream
) -> None:
    async with open_crew(tmp_path, upstream, workers=1) as crew:
        assert await cost(crew, upstream, list(WAYS)) < PLAIN


async def test_a_client_that_hardly_reads_costs_little_over_tls(
    tmp_path: Path, upstream: LyingUpstream
) -> None:
    authority, file = trustme.CA(), tmp_path / "certificate.pem"
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    settings = {"REGISTRY_TLS_CERTIFICATE": str(file)}
    async with open_crew(tmp_path, upstream, settings, workers=1, tls=trusting) as crew:
        assert await cost(crew, upstream, ["kept file", "index"]) < OVER_TLS
