"""Asking an upstream for an index: conditionally, bounded, and with every fault it can have."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest

from registry.ecosystems.pypi import PYPI
from registry.errors import RegistryError, SourceFailed, SourceTimedOut, Unavailable
from registry.model.indexes import Document
from registry.model.names import Project
from registry.sources.bodies import SUSPICIOUS
from registry.sources.limits import MIB, Limits
from registry.sources.proxies import Proxies
from registry.sources.registry_source import RegistrySource
from tests.fakes import FixedClock
from tests.sources.world import PATIENT, QUICK, body_of, make_client, make_source
from tests.upstream import Distribution, Fault, LyingUpstream, faults, make_wheel
from tests.upstream.documents import simple_json


@asynccontextmanager
async def asking(
    upstream: LyingUpstream, limits: Limits, clock: FixedClock | None = None
) -> AsyncIterator[RegistrySource]:
    client = make_client(upstream.url_pypi, limits=limits, clock=clock)
    yield make_source(PYPI, client)
    await client.close()


async def known(source: RegistrySource, project: Project) -> Document:
    document = await source.index(project, None)
    assert document is not None
    return document


async def test_a_document_is_what_the_upstream_sent_and_where_it_came_from(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project, clock: FixedClock
) -> None:
    document = await known(source, demo)
    assert document.body == simple_json("demo", [wheel], upstream.origin, bare=False)
    assert document.content_type == "application/vnd.pypi.simple.v1+json"
    assert document.url == f"{upstream.url_pypi}demo/"
    assert document.checked == clock.now()
    assert document.sha256 == hashlib.sha256(document.body).hexdigest()
    assert [artifact.filename for artifact in PYPI.read_index(demo, document).artifacts] == [wheel.filename]


async def test_html_is_taken_from_an_upstream_that_has_no_json(demo: Project) -> None:
    async with LyingUpstream(shape="html", validators=False) as upstream, asking(upstream, PATIENT) as source:
        wheel = make_wheel("demo", "1.0")
        upstream.add(wheel)
        document = await known(source, demo)
        assert document.content_type == "text/html"
        assert document.etag == ""
        assert [artifact.filename for artifact in PYPI.read_index(demo, document).artifacts] == [
            wheel.filename
        ]


@pytest.mark.parametrize("code", [404, 410])
async def test_a_project_that_the_upstream_does_not_have_is_none(
    source: RegistrySource, upstream: LyingUpstream, demo: Project, code: int
) -> None:
    upstream.lie(faults.status(code))
    assert await source.index(demo, None) is None


async def test_only_headers_of_our_own_leave(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    await source.index(demo, None)
    (seen,) = upstream.requests
    assert set(seen.headers) == {"host", "accept", "accept-encoding", "user-agent"}
    assert seen.headers["user-agent"] == "registry/test"
    assert seen.headers["accept-encoding"] == "gzip"


async def test_an_unchanged_document_is_confirmed_by_its_etag(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project, clock: FixedClock
) -> None:
    first = await known(source, demo)
    clock.advance(seconds=60)
    again = await source.index(demo, first)
    assert upstream.requests[-1].headers["if-none-match"] == first.etag
    assert again is not None
    assert again.checked == clock.now()
    assert again.body is first.body


async def test_an_unchanged_document_is_recognised_without_an_etag(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project, clock: FixedClock
) -> None:
    upstream.validators = False
    first = await known(source, demo)
    clock.advance(seconds=60)
    again = await source.index(demo, first)
    assert again is not None
    assert again.checked == clock.now()
    assert again.body is first.body


async def test_a_changed_document_is_a_new_one(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    first = await known(source, demo)
    upstream.add(make_wheel("demo", "2.0"))
    assert (await known(source, demo)).sha256 != first.sha256


async def test_an_etag_of_another_server_is_not_believed(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    first = msgspec.structs.replace(await known(source, demo), url="https://elsewhere.example/simple/demo/")
    await source.index(demo, first)
    assert "if-none-match" not in upstream.requests[-1].headers


async def test_a_304_that_nobody_asked_for_is_a_failure(
    source: RegistrySource, upstream: LyingUpstream, demo: Project
) -> None:
    upstream.lie(faults.status(304))
    with pytest.raises(SourceFailed):
        await source.index(demo, None)


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(500),
        faults.status(502),
        faults.status(503),
        faults.reset_before_headers,
        faults.truncated,
    ],
    ids=["500", "502", "503", "reset", "cut off"],
)
async def test_a_passing_failure_is_tried_once_more(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project, fault: Fault
) -> None:
    upstream.lie(fault, times=1)
    assert body_of(await source.index(demo, None))
    assert len(upstream.requests) == 2


BROKEN: dict[str, tuple[Fault, type[RegistryError], str]] = {
    "U2 truncated": (faults.truncated, SourceFailed, "before the end"),
    "U3 gzip that ends early": (faults.early_chunked_end, SourceFailed, "ends too early"),
    "U4 length too large": (faults.length_off_by(10), SourceFailed, "before the end"),
    "U5 two lengths": (faults.two_lengths, SourceFailed, "HTTP|two lengths"),
    "U5 length and chunks": (faults.length_and_chunks, SourceFailed, "HTTP|two lengths"),
    "U13 always 500": (faults.status(500), SourceFailed, "answered 500"),
    "U13 always 504": (faults.status(504), SourceFailed, "answered 504"),
    "U17 reset after headers": (faults.reset_after_headers, SourceFailed, "before the end"),
    "U17 reset halfway": (faults.reset_halfway, SourceFailed, "before the end"),
    "U17 reset at once": (faults.reset_before_headers, SourceFailed, "before it answered"),
    "U22 401": (faults.status(401), SourceFailed, "credentials"),
    "403": (faults.status(403), SourceFailed, "refuses us"),
    "206": (faults.status(206), SourceFailed, "answered 206"),
    "U24 brotli": (faults.coded("br"), SourceFailed, "coding"),
    "U24 twice gzip": (faults.coded("gzip, gzip"), SourceFailed, "coding"),
    "not gzip": (faults.body(b"no gzip at all"), SourceFailed, "valid gzip"),
    "gzip and more": (lambda a: replace(a, body=a.body + b"more"), SourceFailed, "after its end"),
    "no HTTP": (faults.raw(b"SSH-2.0-OpenSSH_9.9\r\n"), SourceFailed, "HTTP"),
    "302 without an address": (faults.status(302), SourceFailed, "isn't a URL"),
}


@pytest.mark.parametrize(("fault", "error", "says"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_is_a_failure_that_says_what_it_is(
    source: RegistrySource,
    upstream: LyingUpstream,
    wheel: Distribution,
    demo: Project,
    fault: Fault,
    error: type[RegistryError],
    says: str,
) -> None:
    upstream.lie(fault)
    with pytest.raises(error, match=says) as caught:
        await source.index(demo, None)
    assert type(caught.value).status == 502
    upstream.heal()
    assert body_of(await source.index(demo, None))


async def test_an_upstream_that_never_answers_times_out(
    upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    upstream.lie(faults.silent)
    limits = Limits(connect=0.05, first_byte=0.05)
    async with asking(upstream, limits) as source:
        with pytest.raises(SourceTimedOut):
            await source.index(demo, None)


async def test_an_upstream_that_drips_is_given_up(
    upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    upstream.lie(faults.drip(1, 0.01))
    async with asking(upstream, replace(QUICK, window=0.1, rate=10_000)) as source:
        with pytest.raises(SourceFailed, match="slower"):
            await source.index(demo, None)


async def test_an_upstream_that_is_not_there_is_a_failure(upstream: LyingUpstream, demo: Project) -> None:
    await upstream.stop()
    async with asking(upstream, PATIENT) as source:
        with pytest.raises(SourceFailed, match="can't be reached"):
            await source.index(demo, None)


async def test_a_document_over_the_limit_names_the_setting(
    upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    async with asking(
        upstream, replace(PATIENT, document_bytes=100, document_setting="the_setting")
    ) as source:
        with pytest.raises(SourceFailed, match="100 bytes; raise the_setting"):
            await source.index(demo, None)


async def test_a_document_of_just_the_limit_is_fine(
    upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    size = len(simple_json("demo", [wheel], upstream.origin, bare=False))
    async with asking(upstream, replace(PATIENT, document_bytes=size)) as source:
        assert len(body_of(await source.index(demo, None))) == size
    async with asking(upstream, replace(PATIENT, document_bytes=size - 1)) as source:
        with pytest.raises(SourceFailed):
            await source.index(demo, None)


async def test_a_gzip_bomb_is_stopped_with_little_memory(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    upstream.lie(faults.gzip_bomb(100 * MIB))
    tracemalloc.start()
    with pytest.raises(SourceFailed, match="unpacks to"):
        await source.index(demo, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 48 * MIB


async def test_a_large_document_that_is_no_bomb_arrives_whole(
    source: RegistrySource, upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    filler = b"x" * 200
    words = b"".join(b'{"integrity": "sha512-%032x", "%b"},' % (n * 7919**5, filler) for n in range(80_000))
    assert len(words) > SUSPICIOUS
    upstream.lie(faults.body(gzip.compress(words, 1)))
    assert body_of(await source.index(demo, None)) == words


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (faults.status(429, retry_after="120"), 120),
        (faults.status(503, retry_after="Sat, 21 Nov 2026 12:01:00 GMT"), 60),
        (faults.status(429), 30),
        (faults.status(429, retry_after="99999999999999"), 3600),
        (faults.status(429, retry_after="soon"), 30),
        (faults.status(503, retry_after="Sat, 21 Nov 2020 12:00:00 GMT"), 1),
    ],
    ids=["seconds", "date", "none", "absurd", "words", "past"],
)
async def test_a_pause_that_the_upstream_asks_for_is_kept_by_all_requests(
    upstream: LyingUpstream, wheel: Distribution, demo: Project, fault: Fault, seconds: int
) -> None:
    clock = FixedClock()
    upstream.lie(fault, times=1)
    async with asking(upstream, PATIENT, clock) as source:
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await source.index(demo, None)
            assert caught.value.retry_after == seconds
        assert len(upstream.requests) == 1
        clock.advance(seconds=seconds)
        assert body_of(await source.index(demo, None))


async def test_an_upstream_that_keeps_failing_is_left_alone_and_then_probed_once(
    upstream: LyingUpstream, wheel: Distribution, demo: Project
) -> None:
    clock = FixedClock()
    upstream.lie(faults.status(504))
    async with asking(upstream, replace(PATIENT, failures=3), clock) as source:
        for _ in range(3):
            with pytest.raises(SourceFailed):
                await source.index(demo, None)
        with pytest.raises(Unavailable):
            await source.index(demo, None)
        upstream.heal()
        upstream.lie(faults.late(0.05))
        clock.advance(seconds=10)
        crowd = await asyncio.gather(*(source.index(demo, None) for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(one, Document) for one in crowd) == 1
        assert sum(isinstance(one, Unavailable) for one in crowd) == 19
    assert len(upstream.requests) == 4


async def test_cookies_are_never_sent_back(upstream: LyingUpstream, demo: Project) -> None:
    upstream.lie(faults.with_header("Set-Cookie", "track=me; Path=/"))
    # Through a proxy, for a host with a name: a cookie of an address is ignored in any case.
    client = make_client("http://mirror.lan/", proxies=Proxies.read({"HTTP_PROXY": upstream.origin}))
    for _ in range(2):
        await make_source(PYPI, client).index(demo, None)
    await client.close()
    assert [seen.headers.get("cookie") for seen in upstream.requests] == [None, None]


async def test_a_probe_says_nothing_of_an_upstream_that_answers(
    source: RegistrySource, upstream: LyingUpstream
) -> None:
    assert await source.probe() is None
    upstream.lie(faults.status(404))
    assert await source.probe() is None


@pytest.mark.parametrize(
    ("fault", "says"), [(faults.status(503), "503"), (faults.status(401), "credentials")], ids=["503", "401"]
)
async def test_a_probe_says_what_fails(
    source: RegistrySource, upstream: LyingUpstream, fault: Fault, says: str
) -> None:
    upstream.lie(fault)
    assert says in (await source.probe() or "")


async def test_a_probe_of_nothing_says_so(source: RegistrySource, upstream: LyingUpstream) -> None:
    await upstream.stop()
    assert "can't be reached" in (await source.probe() or "")
