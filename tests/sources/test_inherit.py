from __future__ import annotations

import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pypi_simple
import pytest
from packageurl.contrib import purl2url

from registry.sources.inherit import Clients, Inherited, inherit, is_ours, own_origins

NOBODY = Clients(pip=None, npm=None)
OURS = own_origins("0.0.0.0", 8080, "https://packages.lan/registry", {"other.lan"})


def client(tmp_path: Path, name: str, body: str) -> tuple[str, ...]:
    """A program that stands for pip or npm."""
    path = tmp_path / name
    path.write_text(f"#!{sys.executable}\nimport sys, os, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path),)


def pip(tmp_path: Path, *lines: str) -> Clients:
    return Clients(
        pip=client(
            tmp_path, "pip", f"assert sys.argv[1:] == ['config', 'list']\nprint({chr(10).join(lines)!r})"
        ),
        npm=None,
    )


def npm(tmp_path: Path, answer: str) -> Clients:
    body = f"assert sys.argv[1:] == ['config', 'get', 'registry']\nprint({answer!r})"
    return Clients(pip=None, npm=client(tmp_path, "npm", body))


async def found(ecosystem: str, clients: Clients, environ: Mapping[str, str] | None = None) -> Inherited:
    return (await inherit([ecosystem], environ or {}, OURS, clients))[ecosystem]


async def test_pips_variable_comes_first(tmp_path: Path) -> None:
    clients = pip(tmp_path, "global.index-url='https://file.lan/simple'")
    answer = await found("pypi", clients, {"PIP_INDEX_URL": "https://env.lan/simple"})
    assert answer == Inherited("https://env.lan/simple/", "PIP_INDEX_URL")


async def test_then_pips_configuration(tmp_path: Path) -> None:
    clients = pip(tmp_path, "global.timeout='60'", "global.index-url='https://file.lan/simple/'")
    assert await found("pypi", clients) == Inherited(
        "https://file.lan/simple/", "pip config global.index-url"
    )


async def test_what_pip_install_reads_beats_what_every_pip_command_reads(tmp_path: Path) -> None:
    clients = pip(tmp_path, "global.index-url='https://all.lan/'", "install.index-url='https://install.lan/'")
    assert (await found("pypi", clients)).url == "https://install.lan/"


@pytest.mark.parametrize(
    "line",
    [
        "global.extra-index-url='https://extra.lan/simple'",
        "global.find-links='https://links.lan/'",
        "global.index-url='file:///srv/simple'",
        "global.index-url='http://127.0.0.1:8080/pypi/simple/'",
        "global.index-url='https://packages.lan/registry/pypi/simple/'",
        "global.index-url='http://other.lan/pypi/simple/'",
        "global.index-url=broken",
        "global.index-url='http://[broken/'",
    ],
)
async def test_what_is_no_upstream_is_passed_over(line: str, tmp_path: Path) -> None:
    answer = await found("pypi", pip(tmp_path, line))
    assert answer == Inherited(pypi_simple.PYPI_SIMPLE_ENDPOINT, "pypi_simple.PYPI_SIMPLE_ENDPOINT")


async def test_npms_variable_comes_first_in_any_case(tmp_path: Path) -> None:
    answer = await found(
        "npm", npm(tmp_path, "https://file.lan/"), {"NPM_CONFIG_REGISTRY": "https://env.lan/npm"}
    )
    assert answer == Inherited("https://env.lan/npm/", "NPM_CONFIG_REGISTRY")


async def test_then_npms_configuration(tmp_path: Path) -> None:
    answer = await found("npm", npm(tmp_path, "https://file.lan/npm/"))
    assert answer == Inherited("https://file.lan/npm/", "npm config get registry")


async def test_without_npm_the_constant_is_what_package_urls_are_built_with() -> None:
    answer = await found("npm", NOBODY)
    assert answer.way == "packageurl.contrib.purl2url"
    built = purl2url.get_download_url("pkg:npm/left-pad@1.3.0")  # type: ignore[no-untyped-call]
    assert urlsplit(answer.url).netloc == urlsplit(built).netloc
    assert answer.url.endswith("/")


async def test_an_npm_that_points_at_ourselves_says_nothing(tmp_path: Path) -> None:
    answer = await found("npm", npm(tmp_path, "http://localhost:8080/npm/"))
    assert answer.way == "packageurl.contrib.purl2url"


@pytest.mark.parametrize("body", ["sys.exit(1)", "time.sleep(60)", "sys.stdout.buffer.write(b'\\xff\\xfe')"])
async def test_a_client_that_fails_or_hangs_is_passed_over(body: str, tmp_path: Path) -> None:
    clients = Clients(pip=client(tmp_path, "pip", body), npm=client(tmp_path, "npm", body))
    answers = await inherit(["pypi", "npm"], {}, OURS, clients, patience=0.3)
    assert [answer.way for answer in answers.values()] == [
        "pypi_simple.PYPI_SIMPLE_ENDPOINT",
        "packageurl.contrib.purl2url",
    ]


async def test_a_client_that_is_not_there_is_passed_over() -> None:
    missing = Clients(pip=("/nonexistent/pip",), npm=("/nonexistent/npm",))
    assert (await found("pypi", missing)).way == "pypi_simple.PYPI_SIMPLE_ENDPOINT"


async def test_the_real_pip_and_npm_are_understood(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://pip.lan/simple\n")
    (tmp_path / "npmrc").write_text("registry=https://npm.lan/base/\n")
    environ = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "npm_config_userconfig": str(tmp_path / "npmrc"),
    }
    answers = await inherit(["pypi", "npm"], environ, OURS, Clients.of_this_machine(), patience=60)
    assert answers["pypi"].url == "https://pip.lan/simple/"
    assert answers["npm"].url == "https://npm.lan/base/"


def test_an_address_of_this_machine_with_our_port_is_ours() -> None:
    assert is_ours("http://127.0.0.7:8080/npm/", OURS)
    assert not is_ours("http://127.0.0.7:8081/npm/", OURS)
    assert not is_ours("http://192.0.2.1:8080/npm/", OURS)
