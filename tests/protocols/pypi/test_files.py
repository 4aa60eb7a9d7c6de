"""P11 and P12: files, whole and in parts, from the first byte on."""

from __future__ import annotations

import pytest

from tests.guarantees.house import House, path_of
from tests.upstream import Distribution, LyingUpstream, make_wheel
from tests.upstream.faults import status

SIZE = 200_000


@pytest.fixture
def wheel(upstream: LyingUpstream) -> Distribution:
    made = make_wheel("demo", "1.0", padding=SIZE)
    upstream.add(made)
    return made


WARM = pytest.mark.parametrize("warm", [True, False], ids=["kept", "cold"])


async def made_warm(house: House, wheel: Distribution, *, warm: bool) -> str:
    path = path_of(wheel)
    if warm:
        assert (await house.fetch(wheel)).is_whole(wheel.data)
    return path


@WARM
async def test_p11_a_file_says_its_length_its_etag_and_that_it_comes_in_parts(
    house: House, wheel: Distribution, *, warm: bool
) -> None:
    path = await made_warm(house, wheel, warm=warm)
    got = await house.ask(path, headers={"Accept-Encoding": "gzip, br"})
    assert got.is_whole(wheel.data)
    assert got.headers["Content-Length"] == str(len(wheel.data))
    assert got.headers["ETag"] == f'"{wheel.hashes["sha256"]}"'
    assert got.headers["Accept-Ranges"] == "bytes"
    assert "Content-Encoding" not in got.headers
    assert "immutable" not in got.headers["Cache-Control"]
    assert "no-cache" in got.headers["Cache-Control"]


@WARM
async def test_p11_head_says_what_get_says(house: House, wheel: Distribution, *, warm: bool) -> None:
    path = await made_warm(house, wheel, warm=warm)
    head = await house.ask(path, method="HEAD")
    got = await house.ask(path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "ETag", "Accept-Ranges", "Content-Type", "Cache-Control"):
        assert head.headers[name] == got.headers[name], name


@WARM
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=0-0", 0, 1),
        ("bytes=150000-99999999", 150_000, None),
        ("bytes=-99999999", 0, None),
    ],
)
async def test_p11_a_part_is_what_was_asked_for(
    house: House, wheel: Distribution, asked: str, start: int, stop: int | None, *, warm: bool
) -> None:
    path = await made_warm(house, wheel, warm=warm)
    got = await house.ask(path, headers={"Range": asked})
    wanted = wheel.data[start:stop]
    first = len(wheel.data) - len(wheel.data[start:])
    assert (got.status, got.body == wanted) == (206, True)
    assert got.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(wheel.data)}"


@WARM
@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
async def test_p11_what_lies_behind_the_end_is_416(
    house: House, wheel: Distribution, asked: str, *, warm: bool
) -> None:
    path = await made_warm(house, wheel, warm=warm)
    got = await house.ask(path, headers={"Range": asked})
    assert (got.status, got.headers["Content-Range"]) == (416, f"bytes */{len(wheel.data)}")


@WARM
async def test_p11_a_broken_download_is_taken_up_where_it_ended(
    house: House, wheel: Distribution, *, warm: bool
) -> None:
    path = await made_warm(house, wheel, warm=warm)
    half = len(wheel.data) // 2
    etag = f'"{wheel.hashes["sha256"]}"'
    rest = await house.ask(path, headers={"Range": f"bytes={half}-", "If-Range": etag})
    assert (rest.status, wheel.data[:half] + rest.body == wheel.data) == (206, True)
    whole = await house.ask(path, headers={"Range": f"bytes={half}-", "If-Range": '"another"'})
    assert whole.is_whole(wheel.data)


async def test_p11_an_unchanged_file_is_304(house: House, wheel: Distribution) -> None:
    path = await made_warm(house, wheel, warm=True)
    for etag in (f'"{wheel.hashes["sha256"]}"', "*"):
        got = await house.ask(path, headers={"If-None-Match": etag})
        assert (got.status, got.body) == (304, b"")


async def test_p11_head_of_a_file_that_cannot_be_fetched_is_no_500(house: House, wheel: Distribution) -> None:
    house.upstream.lie(status(500), "/files/*")
    assert (await house.ask(path_of(wheel), method="HEAD")).status in {200, 502}


async def test_p12_wrong_bytes_are_never_kept_and_the_right_ones_come_next(
    house: House, wheel: Distribution
) -> None:
    house.upstream.lie(
        lambda answer: type(answer)(headers=answer.headers, body=answer.body[::-1]), "/files/*"
    )
    assert not (await house.ask(path_of(wheel))).is_whole(wheel.data[::-1])
    assert wheel.hashes["sha256"] not in house.blobs()
    house.upstream.heal()
    house.clock.advance(seconds=5)
    assert (await house.ask(path_of(wheel))).is_whole(wheel.data)
