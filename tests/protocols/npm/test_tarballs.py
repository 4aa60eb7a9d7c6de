"""N7, N8 and N17 to N19: tarballs, lockfile installs, and how npm's clients are told no."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocols.npm.world import POLICY, Answer, Appliance, BackEnds, appliance
from tests.upstream import make_tarball
from tests.upstream.faults import reset_before_headers, status, truncated, wrong_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")

REASON = "Blocked: 'denied' is on the denylist"


async def test_n7_a_lockfile_install_needs_no_packument_first(gateway: Appliance) -> None:
    tarball = make_tarball("locked", "1.0.0")
    gateway.upstream.add(tarball)
    answer = await gateway.npm("locked/-/locked-1.0.0.tgz")
    assert (answer.status, answer.raw) == (200, tarball.data)
    assert (await gateway.log("delivery", "locked"))[0]["version"] == "1.0.0"


async def test_n7_a_lockfile_install_is_decided_by_the_same_rules(back_end: BackEnds, tmp_path: Path) -> None:
    policy = POLICY.replace('deny = ["denied"]', 'deny = ["denied", "partly@<2"]')
    async with appliance(tmp_path, back_end, policy=policy) as gateway:
        for version in ("1.0.0", "2.0.0"):
            gateway.upstream.add(make_tarball("partly", version))
        assert (await gateway.npm("partly/-/partly-1.0.0.tgz")).status == 403
        assert (await gateway.npm("partly/-/partly-2.0.0.tgz")).status == 200
        assert (await gateway.npm("denied/-/denied-1.0.0.tgz")).status == 403
        assert not gateway.upstream.asked("/npm/denied*")
        assert not gateway.upstream.asked("/npm/partly/-/partly-1*")


async def test_n8_tarballs_have_an_etag_and_answer_conditions(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("conditional", "1.0.0"))
    first = await gateway.npm("conditional/-/conditional-1.0.0.tgz")
    assert first.headers["Content-Type"] == "application/octet-stream"
    assert "Content-Encoding" not in first.headers
    again = await gateway.npm(
        "conditional/-/conditional-1.0.0.tgz", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status, again.raw) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "code", "start", "stop"),
    [("bytes=0-9", 206, 0, 10), ("bytes=10-", 206, 10, None), ("bytes=-5", 206, -5, None)],
)
async def test_n8_parts_of_a_tarball(
    gateway: Appliance, asked: str, code: int, start: int, stop: int | None
) -> None:
    tarball = make_tarball("parted", "1.0.0")
    gateway.upstream.add(tarball)
    answer = await gateway.npm("parted/-/parted-1.0.0.tgz", headers={"Range": asked})
    assert (answer.status, answer.raw) == (code, tarball.data[start:stop])


async def test_n8_head_is_get_without_the_body(gateway: Appliance) -> None:
    tarball = make_tarball("headed", "1.0.0")
    gateway.upstream.add(tarball)
    await gateway.npm("headed/-/headed-1.0.0.tgz")
    head = await gateway.npm("headed/-/headed-1.0.0.tgz", method="HEAD")
    assert (head.status, head.raw, head.headers["Content-Length"]) == (200, b"", str(len(tarball.data)))


@pytest.mark.parametrize("fault", [wrong_bytes, truncated])
async def test_n8_bytes_that_do_not_fit_the_integrity_never_arrive_whole(
    gateway: Appliance, fault: object
) -> None:
    name = f"unfit-{fault.__name__.replace('_', '-')}"  # type: ignore[attr-defined]
    tarball = make_tarball(name, "1.0.0")
    gateway.upstream.add(tarball)
    gateway.upstream.lie(fault, f"/npm/{name}/-/*")  # type: ignore[arg-type]
    answer = await gateway.npm(f"{name}/-/{name}-1.0.0.tgz")
    assert answer.status == 502
    assert not await gateway.log("ingest", name)


@pytest.mark.parametrize(
    "path", ["here/-/here-9.9.9.tgz", "here/-/other-1.0.0.tgz", "nowhere/-/nowhere-1.0.0.tgz"]
)
async def test_n8_what_upstream_does_not_have_is_404(gateway: Appliance, path: str) -> None:
    gateway.upstream.add(make_tarball("here", "1.0.0"))
    assert (await gateway.npm(path)).status == 404


async def refused(gateway: Appliance, path: str) -> Answer:
    answer = await gateway.npm(path)
    assert answer.status == 403
    return answer


@pytest.mark.parametrize("path", ["denied", "denied/1.0.0", "denied/-/denied-1.0.0.tgz"])
async def test_n17_n18_the_reason_is_in_phrase_body_and_notice(gateway: Appliance, path: str) -> None:
    answer = await refused(gateway, path)
    why = answer.headers["X-Registry-Why"]
    assert REASON in answer.json["error"]
    assert why in answer.json["error"]
    assert answer.reason.startswith(REASON)
    assert why in answer.reason
    assert answer.headers["npm-notice"] == answer.json["error"]
    assert answer.headers["Cache-Control"] == "no-store"
    page = await gateway.ask(why.removeprefix(f"{gateway.url}/"))
    assert page.status == 200
    assert b"denied" in page.body


async def test_n17_a_success_carries_no_notice(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("fine", "1.0.0"))
    for path in ("fine", "fine/-/fine-1.0.0.tgz"):
        assert "npm-notice" not in (await gateway.npm(path)).headers


async def test_n19_a_refusal_is_4xx_and_an_outage_is_5xx_never_404(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("broken", "1.0.0"), make_tarball("reset", "1.0.0"))
    gateway.upstream.lie(status(500), "/npm/broken")
    gateway.upstream.lie(reset_before_headers, "/npm/reset")
    for name in ("broken", "reset"):
        answer = await gateway.npm(name)
        assert answer.status in {502, 503, 504}
        assert answer.json["error"]


async def test_n19_an_overloaded_upstream_says_when_to_come_back(back_end: BackEnds, tmp_path: Path) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        gateway.upstream.add(make_tarball("busy", "1.0.0"))
        gateway.upstream.lie(status(429, retry_after="7"), "/npm/busy")
        answer = await gateway.npm("busy")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
