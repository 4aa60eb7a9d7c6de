"""What an index leaves out is asked of the legacy JSON API; what nobody says stays unknown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.guarantees.house import House
from tests.upstream import make_sdist, make_wheel
from tests.upstream.faults import rewritten, status

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture(params=["html", "bare-json"])
def poor(request: pytest.FixtureRequest, house: House) -> House:
    """An upstream whose index has neither sizes nor upload times, and a legacy JSON API that has."""
    house.upstream.shape = request.param
    house.upstream.legacy = True
    house.upstream.add(make_wheel("demo", "1.0"), make_sdist("demo", "1.0"))
    return house


def by_name(index: Any) -> dict[str, Any]:
    return {file["filename"]: file for file in index["files"]}


async def test_p15_sizes_and_upload_times_come_from_the_legacy_api(poor: House) -> None:
    index = await poor.index("demo")
    assert index["meta"] == {"api-version": "1.4"}
    for made in (make_wheel("demo", "1.0"), make_sdist("demo", "1.0")):
        file = by_name(index)[made.filename]
        assert (file["size"], file["upload-time"]) == (len(made.data), "2020-01-01T00:00:00Z")
        assert (await poor.fetch(made)).is_whole(made.data)


async def test_p8_the_reason_of_a_yank_comes_from_the_legacy_api(poor: House) -> None:
    wheel = make_wheel("demo", "2.0")
    wheel.yanked = True
    poor.upstream.add(wheel)
    assert by_name(await poor.index("demo"))[wheel.filename]["yanked"] is True
    wheel.yanked = "broken on Tuesdays"
    poor.upstream.lie(rewritten('data-yanked="broken on Tuesdays"', 'data-yanked=""'), "/simple/*")
    poor.clock.advance(hours=1)
    assert by_name(await poor.index("demo"))[wheel.filename]["yanked"] == "broken on Tuesdays"


async def test_an_entry_about_other_bytes_fills_nothing(poor: House) -> None:
    wheel = make_wheel("demo", "1.0")
    other = wheel.hashes["sha256"][::-1]
    poor.upstream.lie(rewritten(wheel.hashes["sha256"], other), "/pypi/demo/json")
    index = await poor.index("demo")
    assert "size" not in by_name(index)[wheel.filename]
    assert "upload-time" not in by_name(index)[wheel.filename]
    assert index["meta"] == {"api-version": "1.0"}


@pytest.mark.parametrize(
    "fault", [status(500), status(404), status(429), rewritten("{", "["), rewritten("releases", "x")]
)
async def test_a_legacy_api_that_fails_is_no_failure_of_the_index(poor: House, fault: Any) -> None:
    poor.upstream.lie(fault, "/pypi/demo/json")
    index = await poor.index("demo")
    assert len(index["files"]) == 2
    assert index["meta"] == {"api-version": "1.0"}


async def test_a_legacy_api_that_fails_often_does_not_stop_the_index(poor: House) -> None:
    poor.upstream.lie(status(500), "/pypi/*")
    for number in range(12):
        name = f"demo{number}"
        poor.upstream.add(make_wheel(name, "1.0"))
        assert len((await poor.index(name))["files"]) == 1


async def test_what_was_filled_once_is_not_lost_while_the_legacy_api_is_away(poor: House) -> None:
    await poor.index("demo")
    poor.upstream.lie(status(503), "/pypi/demo/json")
    poor.upstream.add(make_wheel("demo", "2.0"))
    poor.clock.advance(hours=1)
    files = by_name(await poor.index("demo"))
    assert files["demo-1.0-py3-none-any.whl"]["upload-time"] == "2020-01-01T00:00:00Z"
    assert "upload-time" not in files["demo-2.0-py3-none-any.whl"]
    poor.upstream.heal()
    poor.clock.advance(hours=1)
    assert all("upload-time" in file for file in (await poor.index("demo"))["files"])


async def test_an_index_that_says_everything_asks_nothing_more(house: House) -> None:
    house.upstream.legacy = True
    house.upstream.add(make_wheel("demo", "1.0"))
    await house.index("demo")
    assert not house.upstream.asked("/pypi/*")


async def test_an_upstream_without_a_legacy_api_is_not_asked_for_ever(house: House) -> None:
    house.upstream.shape = "html"
    for number in range(9):
        house.upstream.add(make_wheel(f"demo{number}", "1.0"))
        await house.index(f"demo{number}")
    assert len(house.upstream.asked("/pypi/*")) == 5
    house.clock.advance(hours=2)
    await house.index("demo0")
    assert len(house.upstream.asked("/pypi/*")) == 6


async def test_an_unchanged_index_stays_the_same_document(poor: House) -> None:
    first = await poor.ask("/pypi/simple/demo/", headers=JSON)
    poor.clock.advance(hours=1)
    again = await poor.ask("/pypi/simple/demo/", headers={**JSON, "If-None-Match": first.headers["ETag"]})
    assert again.status == 304


async def test_a_denied_name_is_not_asked_for_at_the_legacy_api(poor: House) -> None:
    await poor.decree('[pypi]\nmode = "guarded"\nours = ["demo"]\n[npm]\nmode = "guarded"\n')
    await poor.ask("/pypi/simple/demo/", headers=JSON)
    assert not poor.upstream.requests
