"""P14: uploads as twine 7, twine 6, uv publish, flit, hatch and poetry send them; and what none of them sends."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from typing import Any

import aiohttp
import pytest

from registry.errors import Unavailable
from registry.pipeline.publishing import Publishing
from registry.storage.catalogue import Catalogue
from registry.web import uploads
from tests.guarantees.house import Got, House
from tests.upstream import Distribution, make_sdist, make_wheel

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


def digests(made: Distribution) -> dict[str, str]:
    return {
        "md5_digest": hashlib.md5(made.data).hexdigest(),
        "sha256_digest": hashlib.sha256(made.data).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(made.data, digest_size=32).hexdigest(),
    }


def form(made: Distribution, *algorithms: str, **fields: str) -> list[tuple[str, str]]:
    wheel = made.filename.endswith(".whl")
    base = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.4",
        "name": made.project,
        "version": made.version,
        "filetype": "bdist_wheel" if wheel else "sdist",
        "pyversion": "py3" if wheel else "source",
        **{f"{name}_digest": digests(made)[f"{name}_digest"] for name in algorithms},
        **fields,
    }
    return list(base.items())


MANY = (
    ("summary", "made by the tests"),
    ("description", "# A long one\r\n" + "words " * 2000),
    ("description_content_type", "text/markdown"),
    ("author", "Ünïcode Persön"),
    ("classifiers", "Programming Language :: Python :: 3"),
    ("classifiers", "Operating System :: OS Independent"),
    ("project_urls", "Home, https://example.invalid"),
    ("requires_dist", "other>=2"),
    ("keywords", ""),
    ("license", ""),
)
"""Metadata as clients send it, some of it several times and some of it empty."""


def twine_7(made: Distribution) -> list[tuple[str, str]]:
    return [*form(made, "sha256", "blake2_256"), *MANY]


def twine_6(made: Distribution) -> list[tuple[str, str]]:
    return [*form(made, "md5", "sha256", "blake2_256", comment="", gpg_signature=""), *MANY]


def uv_publish(made: Distribution) -> list[tuple[str, str]]:
    return [*form(made, "sha256", "blake2_256", requires_python=">=3.8"), *MANY]


def flit(made: Distribution) -> list[tuple[str, str]]:
    return [*form(made, "md5", "sha256"), *MANY]


def poetry(made: Distribution) -> list[tuple[str, str]]:
    return [*form(made, "md5", "sha256", "blake2_256"), *MANY]


def hatch(made: Distribution) -> list[tuple[str, str]]:
    return [*form(made, "md5", "sha256", "blake2_256"), *MANY]


async def send(
    house: House,
    made: Distribution,
    fields: list[tuple[str, str]],
    *,
    path: str = "/pypi/legacy/",
    filename: str | None = None,
    **headers: str,
) -> Got:
    body = aiohttp.FormData(quote_fields=False)
    for name, value in fields:
        body.add_field(name, value)
    body.add_field("content", made.data, filename=filename or made.filename)
    return await house.ask(path, method="POST", headers={**house.admin, **headers}, data=body)


async def listed(house: House, made: Distribution) -> list[str]:
    got = await house.ask(f"/pypi/simple/{made.project}/", headers=JSON)
    return [file["filename"] for file in got.json["files"]] if got.status == 200 else []


@pytest.mark.parametrize("client", [twine_7, twine_6, uv_publish, flit, poetry, hatch])
@pytest.mark.parametrize("make", [make_wheel, make_sdist])
async def test_p14_the_form_of_every_client_is_taken(house: House, client: Any, make: Any) -> None:
    made = make("acme-form", "1.0")
    got = await send(house, made, client(made))
    assert got.status == 200, got
    assert await listed(house, made) == [made.filename]
    assert (await house.fetch(made)).is_whole(made.data)


@pytest.mark.parametrize("path", ["/pypi/legacy/", "/pypi/legacy", "/pypi/"])
async def test_p14_uploads_are_taken_at_every_address_that_clients_use(house: House, path: str) -> None:
    made = make_wheel("acme-path", "1.0")
    assert (await send(house, made, twine_7(made), path=path)).status == 200


@pytest.mark.parametrize("version", ["1.0", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5"])
async def test_p14_core_metadata_of_every_version_is_taken(house: House, version: str) -> None:
    made = make_wheel("acme-meta", "1.0")
    assert (await send(house, made, [*form(made, "sha256", metadata_version=version)])).status == 200


async def test_p14_the_same_bytes_again_are_fine_and_change_nothing(house: House) -> None:
    made = make_wheel("acme-again", "1.0")
    for _ in range(3):
        assert (await send(house, made, twine_7(made))).status == 200
        house.clock.advance(hours=1)
    index = await house.index("acme-again")
    assert [file["upload-time"] for file in index["files"]] == ["2026-11-21T12:00:00Z"]
    assert len(house.rows("publish")) == 1


async def test_p14_other_bytes_are_a_conflict_in_words_that_skip_existing_understands(house: House) -> None:
    made, other = make_wheel("acme-conflict", "1.0"), make_wheel("acme-conflict", "1.0", padding=9)
    assert (await send(house, made, twine_7(made))).status == 200
    got = await send(house, other, twine_7(other))
    assert got.status == 409
    for said in (got.reason, got.body.decode()):
        assert "File already exists" in said
    assert (await house.fetch(made)).is_whole(made.data)
    assert house.pypiserver.files[made.filename] == made.data


CASES = {
    "a wrong sha256": {"sha256_digest": "0" * 64},
    "a wrong blake2": {"blake2_256_digest": "0" * 64},
    "a wrong md5": {"md5_digest": "0" * 32},
    "another name": {"name": "acme-other"},
    "no name": {"name": "-"},
    "another version": {"version": "2.0"},
    "no version": {"version": "one"},
    "a type of before": {"filetype": "bdist_egg"},
    "the other type": {"filetype": "sdist"},
    "another action": {":action": "submit"},
    "a protocol of tomorrow": {"protocol_version": "2"},
    "metadata of tomorrow": {"metadata_version": "9.9"},
}


@pytest.mark.parametrize("wrong", CASES.values(), ids=CASES)
async def test_p14_a_form_that_does_not_agree_is_refused_with_the_reason(
    house: House, wrong: dict[str, str]
) -> None:
    made = make_wheel("acme-wrong", "1.0")
    fields = dict(form(made, "sha256", "blake2_256")) | wrong
    got = await send(house, made, list(fields.items()))
    assert got.status == 400
    assert got.json["detail"].startswith(got.reason[:60])
    assert await listed(house, made) == []
    assert house.pypiserver.files == {}


@pytest.mark.parametrize(
    "filename",
    [
        "acme_wrong-1.0-py3-none-any.exe",
        "acme_wrong-1.0-py3-none-any.whl.metadata",
        "../acme_wrong-1.0-py3-none-any.whl",
        "acme_wrong-1.0-py3-none-any.whl/x",
        "acme_other-1.0-py3-none-any.whl",
        "acme_wrong-2.0-py3-none-any.whl",
        "acme_wrong-1.0.egg",
        "acme_wrong-0+blocked.lookalike-py3-none-any.whl",
    ],
)
async def test_p14_a_file_name_that_does_not_agree_is_refused(house: House, filename: str) -> None:
    made = make_wheel("acme-wrong", "1.0")
    got = await send(house, made, form(made, "sha256"), filename=filename)
    assert got.status == 400
    assert house.pypiserver.files == {}


async def test_p14_a_form_without_any_digest_is_refused(house: House) -> None:
    made = make_wheel("acme-wrong", "1.0")
    assert (await send(house, made, form(made))).status == 400


async def test_p14_a_wheel_that_says_another_name_inside_is_refused(house: House) -> None:
    made = make_wheel("acme-inner", "1.0")
    made.project, made.filename = "acme-outer", "acme_outer-1.0-py3-none-any.whl"
    got = await send(house, made, form(made, "sha256"))
    assert (got.status, "acme_inner" in got.json["detail"]) == (400, True)


async def test_p14_a_public_or_look_alike_name_is_refused_by_name(house: House) -> None:
    for name in ("requests", "reqeusts"):
        made = make_wheel(name, "99.0")
        got = await send(house, made, form(made, "sha256"))
        assert got.status == 403, got
        assert got.reason
        assert got.body
    assert not house.upstream.requests


async def test_p14_nobody_publishes_without_a_login(house: House) -> None:
    made = make_wheel("acme-anonymous", "1.0")
    for headers in ({"Authorization": ""}, {"Authorization": "Basic bm86bm8="}):
        got = await send(house, made, twine_7(made), **headers)
        assert got.status == 401
        assert "WWW-Authenticate" in got.headers


async def test_p14_an_upload_larger_than_the_limit_is_refused(house: House) -> None:
    await house.stop()
    house.environ["REGISTRY_UPLOAD_LIMIT"] = "1000"
    await house.start()
    made = make_wheel("acme-large", "1.0", padding=5_000)
    got = await send(house, made, twine_7(made))
    assert (got.status, "1000" in got.json["detail"]) == (413, True)
    assert list((house.data / "spool").iterdir()) == []


# nothing half listed


async def test_p14_an_upload_that_breaks_off_leaves_nothing(house: House) -> None:
    made = make_wheel("acme-broken", "1.0", padding=50_000)
    boundary = b"0123456789abcdef"
    parts = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (boundary, name.encode(), value.encode())
        for name, value in form(made, "sha256")
    )
    head = (
        f"POST /pypi/legacy/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {house.admin['Authorization']}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary.decode()}\r\nContent-Length: 99999\r\n\r\n"
    ).encode()
    content = b'--%b\r\nContent-Disposition: form-data; name="content"; filename="%b"\r\n\r\n' % (
        boundary,
        made.filename.encode(),
    )
    _, writer = await asyncio.open_connection(*house.address)
    writer.write(head + parts + content + made.data[:20_000])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(10):
        while list((house.data / "spool").iterdir()):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)
    assert await listed(house, made) == []
    assert house.pypiserver.files == {}


async def test_p14_a_back_end_that_fails_leaves_nothing_listed_and_the_same_upload_mends_it(
    house: House,
) -> None:
    made = make_wheel("acme-mended", "1.0")
    house.pypiserver.broken = True
    assert (await send(house, made, twine_7(made))).status in {502, 503}
    assert await listed(house, made) == []
    house.pypiserver.broken = False
    house.clock.advance(minutes=1)
    assert (await send(house, made, twine_7(made))).status == 200
    assert await listed(house, made) == [made.filename]


async def test_p14_a_database_that_can_not_be_written_leaves_nothing_listed_and_the_same_upload_mends_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are in the back end, the row isn't there: as after a crash or on a full disk."""
    made = make_wheel("acme-crash", "1.0")

    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "publish", fail)
        assert (await send(house, made, twine_7(made))).status == 503
    assert made.filename in house.pypiserver.files
    assert await listed(house, made) == []
    assert (await house.ask(f"/pypi/files/{made.project}/{made.filename}")).status == 404
    await house.restart()
    assert await listed(house, made) == []
    assert (await send(house, made, twine_7(made))).status == 200
    assert await listed(house, made) == [made.filename]


async def test_p14_a_crash_between_the_row_and_the_index_is_mended_by_the_next_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, made = make_wheel("acme-late", "1.0"), make_wheel("acme-late", "2.0")
    assert (await send(house, first, twine_7(first))).status == 200
    assert await listed(house, first) == [first.filename]

    async def crash(*_: object) -> None:
        """The process ends here."""

    with monkeypatch.context() as patched:
        patched.setattr(Publishing, "changed", crash)
        assert (await send(house, made, twine_7(made))).status == 200
    await house.restart()
    assert sorted(await listed(house, made)) == sorted([first.filename, made.filename])


async def test_p14_a_full_disk_is_told_and_leaves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_wheel("acme-full", "1.0")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(uploads._Hashes, "update", full)
        got = await send(house, made, twine_7(made))
    assert (got.status, "No space left" in got.reason) == (503, True)
    assert list((house.data / "spool").iterdir()) == []
    assert await listed(house, made) == []
    assert house.pypiserver.files == {}
