"""The gateway speaks TLS itself, and programs beside it know it by its certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from registry.appliance.reach import own_trust, own_url, readiness
from registry.errors import ConfigurationError
from registry.web.certificate import Certificate
from registry.web.door import Door
from registry.web.server import DOOR, listen


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for a name of the LAN, and its key."""
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    issue(chain, key)
    return chain, key


def issue(chain: Path, key: Path) -> None:
    leaf = trustme.CA().issue_cert("packages.lan")
    leaf.cert_chain_pems[0].write_to_path(chain)
    leaf.private_key_pem.write_to_path(key)


@pytest.fixture
async def served(files: tuple[Path, Path]) -> AsyncIterator[tuple[Certificate, int]]:
    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"ready": True})

    app = web.Application()
    app[DOOR] = Door()
    app.router.add_get("/-/ready", ready)
    certificate = Certificate(*files)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        runner = await listen(app, sock, certificate.context)
        yield certificate, sock.getsockname()[1]
        await runner.cleanup()


async def asked(port: int, trusted: Path) -> str | None:
    return await asyncio.to_thread(readiness, own_url("0.0.0.0", port, trusted), own_trust(trusted))


async def test_it_is_known_by_its_certificate_though_no_authority_and_no_name_fit(
    files: tuple[Path, Path], served: tuple[Certificate, int], tmp_path: Path
) -> None:
    _, port = served
    assert await asked(port, files[0]) is None
    issue(tmp_path / "another.crt", tmp_path / "another.key")
    assert await asked(port, tmp_path / "another.crt") is not None


async def test_a_renewed_certificate_is_shown_to_new_connections(
    files: tuple[Path, Path], served: tuple[Certificate, int], tmp_path: Path
) -> None:
    certificate, port = served
    old = tmp_path / "old.crt"
    old.write_bytes(files[0].read_bytes())
    issue(*files)
    assert await asked(port, old) is None
    await certificate.reload()
    assert await asked(port, files[0]) is None
    assert await asked(port, old) is not None


async def test_a_key_that_does_not_fit_leaves_the_old_certificate_in_use(
    files: tuple[Path, Path], served: tuple[Certificate, int], tmp_path: Path
) -> None:
    certificate, port = served
    issue(tmp_path / "other.crt", files[1])
    await certificate.reload()
    assert await asked(port, files[0]) is None


def test_files_that_do_not_belong_together_are_a_mistake_in_the_settings(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    issue(tmp_path / "other.crt", tmp_path / "other.key")
    for chain, key in [(files[0], tmp_path / "other.key"), (tmp_path / "none", None), (files[1], None)]:
        with pytest.raises(ConfigurationError, match="tls_certificate"):
            Certificate(chain, key)


def test_one_file_may_hold_both(files: tuple[Path, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(files[1].read_bytes() + files[0].read_bytes())
    assert Certificate(both, None).context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.5", "10.0.0.5"), ("fd00::1", "[fd00::1]")],
)
def test_a_listener_on_every_address_is_reached_on_loopback(host: str, url: str) -> None:
    assert own_url(host, 8080, None) == f"http://{url}:8080"
    assert own_url(host, 8080, Path("tls.crt")) == f"https://{url}:8080"
