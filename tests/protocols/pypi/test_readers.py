"""Independent readers of our index: pypi-simple, and unearth, which is pdm's finder. Before three kinds of upstream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from pypi_simple import ACCEPT_HTML_ONLY, ACCEPT_JSON_ONLY, PyPISimple
from unearth import PackageFinder

from tests.guarantees.house import House
from tests.upstream import Distribution, make_sdist, make_wheel

T = TypeVar("T")
SHAPES = pytest.mark.parametrize("shape", ["json", "html", "bare-json"])
YANKED = "broken on Tuesdays"


async def in_thread(work: Callable[[], T]) -> T:
    """Run a reader that blocks beside the appliance."""
    return await asyncio.to_thread(work)


@pytest.fixture
def made(house: House) -> list[Distribution]:
    yanked = make_wheel("demo", "2.0")
    yanked.yanked = YANKED
    files = [make_wheel("demo", "1.0", requires_python=">=3.8"), make_sdist("demo", "1.0"), yanked]
    house.upstream.add(*files)
    return files


@SHAPES
@pytest.mark.parametrize("accept", [ACCEPT_JSON_ONLY, ACCEPT_HTML_ONLY], ids=["JSON", "HTML"])
@pytest.mark.parametrize("legacy", [True, False], ids=["legacy API", "none"])
async def test_pypi_simple_reads_what_upstream_has(
    house: House, made: list[Distribution], shape: Any, accept: str, *, legacy: bool
) -> None:
    house.upstream.shape, house.upstream.legacy = shape, legacy
    await house.fetch(made[0])

    def read() -> Any:
        with PyPISimple(f"{house.root}/pypi/simple/", accept=accept) as client:
            return client.get_project_page("demo"), client.get_index_page()

    page, index = await in_thread(read)
    assert index.projects == ["demo"]
    assert page.project == "demo"
    packages = {package.filename: package for package in page.packages}
    assert set(packages) == {each.filename for each in made}
    told = legacy or shape == "json"
    for each in made:
        package = packages[each.filename]
        assert package.version == each.version
        assert package.digests["sha256"] == each.hashes["sha256"]
        assert package.requires_python == each.requires_python
        assert package.is_yanked == bool(each.yanked)
        assert package.yanked_reason == (YANKED if each.yanked else None)
        assert package.upload_time == (
            datetime(2020, 1, 1, tzinfo=UTC) if told and "JSON" in accept.upper() else None
        )
        assert package.url.startswith(f"{house.root}/pypi/files/demo/")
        if "json" in accept:
            assert package.size == (len(each.data) if told or each is made[0] else None)
    if "json" in accept:
        assert page.repository_version == ("1.4" if told else "1.0")
        assert page.versions == ["1.0", "2.0"]


@SHAPES
async def test_pypi_simple_downloads_and_verifies_a_file_and_its_metadata(
    house: House, made: list[Distribution], shape: Any, tmp_path: Any
) -> None:
    house.upstream.shape = shape
    await house.fetch(made[0])

    def read() -> tuple[bytes, str]:
        with PyPISimple(f"{house.root}/pypi/simple/") as client:
            page = client.get_project_page("demo")
            package = next(each for each in page.packages if each.filename == made[0].filename)
            client.download_package(package, tmp_path / "file")
            assert package.has_metadata
            return (tmp_path / "file").read_bytes(), client.get_package_metadata(package)

    data, metadata = await in_thread(read)
    assert data == made[0].data
    assert metadata.encode() == made[0].metadata


@SHAPES
async def test_unearth_finds_the_best_file_and_passes_over_yanked_ones(
    house: House, made: list[Distribution], shape: Any
) -> None:
    house.upstream.shape = shape

    def find(wanted: str, **options: Any) -> Any:
        finder = PackageFinder(index_urls=[f"{house.root}/pypi/simple/"], **options)
        return finder.find_best_match(wanted).best

    best = await in_thread(lambda: find("demo"))
    assert (best.name, best.version) == ("demo", "1.0")
    assert best.link.filename == made[0].filename
    assert best.link.hashes == {"sha256": made[0].hashes["sha256"]} or best.link.hash_option
    assert best.link.requires_python == ">=3.8"
    pinned = await in_thread(lambda: find("demo==2.0"))
    assert (pinned.version, pinned.link.yank_reason) == ("2.0", YANKED)
    sdist = await in_thread(lambda: find("demo", no_binary=["demo"]))
    assert sdist.link.filename == made[1].filename
    assert await in_thread(lambda: find("demo>2")) is None


async def test_p15_unearth_leaves_out_what_was_uploaded_later(house: House, made: list[Distribution]) -> None:
    house.upstream.shape, house.upstream.legacy = "bare-json", True
    later = make_wheel("demo", "3.0")
    later.published = "2026-06-01T00:00:00Z"
    house.upstream.add(later)
    await house.upload(make_wheel("acme-new", "1.0"))

    def find(wanted: str) -> Any:
        finder = PackageFinder(
            index_urls=[f"{house.root}/pypi/simple/"], exclude_newer_than=datetime(2025, 1, 1, tzinfo=UTC)
        )
        return finder.find_best_match(wanted).best

    best = await in_thread(lambda: find("demo"))
    assert best.version == "1.0"
    assert await in_thread(lambda: find("acme-new")) is None


async def test_both_readers_read_a_private_project(house: House) -> None:
    wheel = make_wheel("acme-read", "1.0", requires_python=">=3.9")
    assert (await house.upload(wheel)).status == 200

    def read() -> Any:
        with PyPISimple(f"{house.root}/pypi/simple/") as client:
            (package,) = client.get_project_page("acme-read").packages
        finder = PackageFinder(index_urls=[f"{house.root}/pypi/simple/"])
        return package, finder.find_best_match("acme-read").best

    package, best = await in_thread(read)
    assert package.upload_time == house.clock.now()
    assert (package.size, package.has_metadata) == (len(wheel.data), True)
    assert best.link.filename == wheel.filename
