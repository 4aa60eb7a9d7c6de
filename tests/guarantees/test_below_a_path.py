"""Behind a reverse proxy on a sub-path everything works, whether the proxy strips the path or leaves it on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from registry.errors import ConfigurationError
from registry.settings import load_settings
from tests.guarantees.house import JSON, House, open_house
from tests.policy.worlds import GUARDED
from tests.upstream import LyingUpstream, make_tarball, make_wheel

PUBLIC = "https://intern.example/tools/registry"
HOST = {"Host": "intern.example"}

pytestmark = pytest.mark.parametrize("sent", ["", "/tools/registry"], ids=["stripped", "left on"])
"""What of the public path the proxy leaves on the requests that it passes on."""


@pytest.fixture
async def house(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[House]:
    async with open_house(tmp_path, upstream, {"REGISTRY_PUBLIC_URL": f"{PUBLIC}/"}) as opened:
        yield opened


def passed_on(url: str, sent: str) -> str:
    """The path that the proxy asks for when a client asks for `url`."""
    assert url.startswith(f"{PUBLIC}/"), url
    return sent + url.removeprefix(PUBLIC)


async def test_python_packages_are_installed_and_published(
    house: House, upstream: LyingUpstream, sent: str
) -> None:
    wheel = make_wheel("demo", "1.0")
    upstream.add(wheel)
    page = f"{PUBLIC}/pypi/simple/demo/"
    index = await house.ask(passed_on(page, sent), headers={**HOST, **JSON})
    file = urljoin(page, index.json["files"][0]["url"])
    assert (await house.ask(passed_on(file, sent), headers=HOST)).is_whole(wheel.data)
    redirect = await house.ask(passed_on(f"{PUBLIC}/pypi/simple/Demo", sent), headers=HOST)
    assert redirect.headers["Location"].startswith(f"{PUBLIC}/pypi/simple/")
    got = await house.ask(passed_on(f"{PUBLIC}/pypi/pypi/demo/json", sent), headers=HOST)
    assert {urljoin(PUBLIC, file["url"]) for file in got.json["urls"]} == {file}


async def test_npm_tarballs_are_named_by_the_public_url(
    house: House, upstream: LyingUpstream, sent: str
) -> None:
    package = make_tarball("@acme/tool", "1.0.0")
    upstream.add(package)
    got = await house.ask(passed_on(f"{PUBLIC}/npm/@acme%2ftool", sent), headers=HOST)
    tarball = got.json["versions"]["1.0.0"]["dist"]["tarball"]
    assert (await house.ask(passed_on(tarball, sent), headers=HOST)).is_whole(package.data)


async def test_people_get_their_pages_with_style_and_the_lines_to_copy(house: House, sent: str) -> None:
    start = await house.ask(passed_on(f"{PUBLIC}/", sent), headers=HOST)
    assert f"{PUBLIC}/pypi/simple/" in start.body.decode()
    assert f"{PUBLIC}/npm/" in start.body.decode()
    style = re.search(r'<link rel="stylesheet" href="([^"]+)">', start.body.decode())
    assert style is not None
    sheet = await house.ask(passed_on(urljoin(f"{PUBLIC}/", style[1]), sent), headers=HOST)
    assert sheet.headers["Content-Type"].startswith("text/css")


async def test_a_refusal_links_to_its_page(house: House, sent: str) -> None:
    await house.decree(GUARDED.replace("guarded", "allowlist"))
    got = await house.ask(passed_on(f"{PUBLIC}/npm/left-pad", sent), headers=HOST)
    assert got.status == 403
    why = await house.ask(passed_on(got.headers["X-Registry-Why"], sent), headers=HOST)
    assert "left-pad" in why.body.decode()
    style = re.search(r'<link rel="stylesheet" href="([^"]+)">', why.body.decode())
    assert style is not None
    sheet = await house.ask(passed_on(urljoin(got.headers["X-Registry-Why"], style[1]), sent), headers=HOST)
    assert sheet.status == 200


async def test_machines_find_health_and_api(house: House, sent: str) -> None:
    for path in ("/-/live", "/-/ready", "/api/v1/openapi.json"):
        assert (await house.ask(f"{sent}{path}", headers=HOST)).status == 200
    assert (await house.ask(f"{sent}/api/v1/whoami", headers={**HOST, **house.admin})).status == 200


async def test_folders_without_their_slash_lead_to_the_public_url(house: House, sent: str) -> None:
    for path in ("/pypi", "/npm", ""):
        got = await house.ask(f"{sent}{path}" or "/npm", headers=HOST)
        assert got.status == 308
        assert got.headers["Location"].startswith(f"{PUBLIC}/")


def test_a_path_that_means_something_here_is_no_public_path(tmp_path: Path, sent: str) -> None:
    for path in ("/npm", "/pypi/", "/-/x", "/a b", "/%61", "//x", "/x/../y", "/api"):
        with pytest.raises(ConfigurationError, match="REGISTRY_PUBLIC_URL"):
            load_settings({"REGISTRY_PUBLIC_URL": f"https://host{path}"}, tmp_path)
    for path in ("", "/", "/registry", "/a/b.c/", "/npmx"):
        load_settings({"REGISTRY_PUBLIC_URL": f"https://host{path}"}, tmp_path)
