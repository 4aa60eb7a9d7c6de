"""I13: a client is never sent, nor shown, anywhere else.

Rows P5, U20 and U21. That no answer of any test here names an upstream or a back end is checked in `House.ask`.
"""

from __future__ import annotations

import re

import pytest

from tests.guarantees.house import JSON, House, path_of
from tests.upstream import LyingUpstream, faults, make_sdist, make_tarball, make_wheel

HTML = {"Accept": "text/html"}
INSTALL = {"Accept": "application/vnd.npm.install-v1+json"}
WHEEL, SDIST = make_wheel("demo", "1.0"), make_sdist("demo", "1.0")
TARBALL = make_tarball("@team/tool", "1.0.0")

DOCUMENTS = [
    ("/pypi/simple/demo/", JSON),
    ("/pypi/simple/demo/", HTML),
    ("/pypi/simple/", JSON),
    ("/pypi/simple/", HTML),
    ("/pypi/pypi/demo/json", {}),
    ("/pypi/pypi/demo/1.0/json", {}),
    ("/npm/@team%2ftool", {}),
    ("/npm/@team%2ftool", INSTALL),
    ("/npm/@team%2ftool/latest", {}),
    ("/npm/-/package/@team%2ftool/dist-tags", {}),
    ("/npm/-/v1/search?text=tool", {}),
    ("/", {}),
]


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
async def test_every_address_in_every_document_is_ours(
    house: House, upstream: LyingUpstream, private: bool
) -> None:
    if private:
        for package in (WHEEL, SDIST):
            await house.upload(package)
        await house.publish(TARBALL)
    else:
        upstream.add(WHEEL, SDIST, TARBALL)
    for path, headers in DOCUMENTS:
        got = await house.ask(path, headers=headers)
        assert got.status == 200, (path, got.reason)
        hosts = set(re.findall(rb"https?://([^/\"'<\s]+)", got.body))
        assert hosts <= {b"%s:%d" % (house.address[0].encode(), house.address[1])}, path


REDIRECTS = [
    "http://169.254.169.254/latest/",
    "http://[::ffff:169.254.169.254]/",
    "//evil.example/",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("to", REDIRECTS)
async def test_a_redirect_of_the_upstream_ends_here(house: House, upstream: LyingUpstream, to: str) -> None:
    """U20: refused before anything is connected to, and not handed on."""
    upstream.add(WHEEL, TARBALL)
    path = await house.learn(WHEEL)
    upstream.lie(faults.redirect(to))
    for each in (path, "/pypi/simple/other/", "/npm/other"):
        got = await house.ask(each)
        assert (got.status, "Location" in got.headers) == (502, False)
        assert b"169.254" not in got.body
        assert b"evil" not in got.body


URLS = [
    "https://evil.example/demo-1.0-py3-none-any.whl",
    "http://169.254.169.254/demo-1.0-py3-none-any.whl",
    "//evil.example/demo-1.0-py3-none-any.whl",
    "http://user:secret@evil.example/demo-1.0-py3-none-any.whl",
    "javascript:alert(1)//demo-1.0-py3-none-any.whl",
    "file:///etc/demo-1.0-py3-none-any.whl",
]


@pytest.mark.parametrize("url", URLS)
async def test_a_file_somewhere_else_is_not_fetched_and_not_pointed_to(
    tmp_path: object, house: House, upstream: LyingUpstream, url: str
) -> None:
    """U21: an index that names another place for a file. Nobody here may resolve or connect to it."""
    elsewhere = make_wheel("demo", "1.0")
    elsewhere.url = url
    upstream.add(elsewhere, make_wheel("demo", "2.0"))
    page = await house.ask("/pypi/simple/demo/", headers=HTML)
    assert b"evil" not in page.body
    assert b"javascript" not in page.body
    got = await house.ask(path_of(elsewhere))
    assert got.status in {404, 502}
    assert b"evil" not in got.body
    assert "secret" not in str(house.rows("alarm"))


async def test_redirects_of_ours_stay_here(house: House) -> None:
    for path in (
        "/pypi/simple/Foo_Bar",
        "/pypi/simple/foo.bar/?x=%0d%0aSet-Cookie:%20a=b",
        "/pypi",
        "/npm",
        "/pypi/",
    ):
        got = await house.ask(path)
        assert 300 <= got.status < 400
        location = got.headers["Location"]
        assert location.startswith((house.root, "/pypi/", "/npm/"))
        assert "Set-Cookie" not in got.headers
