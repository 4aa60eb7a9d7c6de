"""Several processes on one port are one appliance: one fetch, one policy, one log, whoever answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.guarantees.crew import Crew, open_crew
from tests.guarantees.house import House, path_of
from tests.policy.worlds import GUARDED
from tests.upstream import LyingUpstream, faults, make_wheel

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="workers are found in /proc")
OLD, NEW = make_wheel("ours", "1.0"), make_wheel("ours", "1.1")


@pytest.fixture
async def crew(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[Crew]:
    async with open_crew(tmp_path, upstream) as opened:
        yield opened


async def call(house: House, method: str, path: str, body: str = "", status: int = 200) -> object:
    headers = {**house.admin, "Content-Type": "application/json"}
    got = await house.ask(f"/api/v1/{path}", method=method, headers=headers, data=body or None)
    assert got.status == status, got.body
    return got.json


async def intact(house: House) -> bool:
    found = await call(house, "GET", "audit/verify")
    assert isinstance(found, dict)
    return bool(found["intact"])


@pytest.mark.parametrize(
    ("clients", "size", "workers"),
    [
        (100, 2_000_000, 2),
        pytest.param(500, 50_000_000, 1, marks=pytest.mark.long),
        pytest.param(500, 50_000_000, 2, marks=pytest.mark.long),
    ],
    ids=["a hundred", "five hundred for 50 MB at one worker", "five hundred for 50 MB at two"],
)
async def test_a_crowd_at_all_workers_for_one_cold_wheel_makes_one_request(
    tmp_path: Path, upstream: LyingUpstream, clients: int, size: int, workers: int
) -> None:
    """L1, as it is written with `--long`."""
    wheel = make_wheel("heavy", "1.0", padding=size)
    upstream.add(wheel)
    async with open_crew(tmp_path, upstream, workers=workers) as crew:
        path = await crew.learn(wheel)
        upstream.lie(faults.late(0.5), "/files/*")
        got = await asyncio.gather(*(_digest(crew, path) for _ in range(clients)))
        assert set(got) == {hashlib.sha256(wheel.data).hexdigest()}
        assert len(upstream.asked("/files/*")) == 1
        assert len(crew.rows("delivery")) == clients
        assert len(crew.rows("ingest")) == 1
        assert await intact(crew)


async def _digest(crew: Crew, path: str) -> str:
    """What one of a crowd receives."""
    response = await crew.begin(path)
    received = hashlib.sha256()
    async with response:
        async for piece in response.content.iter_any():
            received.update(piece)
    return received.hexdigest()


async def test_what_one_worker_was_told_counts_in_the_other_with_the_next_request(
    crew: Crew, upstream: LyingUpstream
) -> None:
    wheel, good = make_wheel("demo", "1.0"), make_wheel("demo", "0.9")
    upstream.add(wheel, good)
    for worker in (0, 1):
        async with crew.only(worker):
            for package in (wheel, good):
                assert (await crew.fetch(package)).is_whole(package.data)
    async with crew.only(0):
        entry = await call(
            crew,
            "POST",
            "recalls",
            '{"ecosystem":"pypi","name":"demo","version":"1.0","reason":"steals"}',
            201,
        )
        assert isinstance(entry, dict)
    async with crew.only(1):
        for path in (path_of(wheel), f"{path_of(wheel)}.metadata"):
            assert (await crew.ask(path)).status == 403
        files = {file["filename"]: file for file in (await crew.index("demo"))["files"]}
        assert "steals" in files[wheel.filename]["yanked"]
        number = entry["entry"]["id"]
        await call(crew, "DELETE", f"recalls/{number}?reason=no")
    async with crew.only(0):
        assert (await crew.ask(path_of(wheel))).is_whole(wheel.data)


async def test_what_is_published_and_yanked_at_one_worker_is_so_at_the_other(
    crew: Crew, upstream: LyingUpstream
) -> None:
    for worker, wheel in ((0, OLD), (1, NEW)):
        async with crew.only(worker):
            assert (await crew.upload(wheel)).status == 200
        async with crew.only(1 - worker):
            assert (await crew.fetch(wheel)).is_whole(wheel.data)
    async with crew.only(0):
        await call(crew, "POST", "private/yank", '{"name":"ours","version":"1.0","reason":"broken"}')
    async with crew.only(1):
        files = {file["filename"]: file for file in (await crew.index("ours"))["files"]}
        assert files[OLD.filename]["yanked"] == "broken"
    assert not upstream.asked("*ours*")


async def test_a_revoked_token_opens_no_worker(crew: Crew) -> None:
    async with crew.only(0):
        made = await call(crew, "POST", "tokens", '{"account":"admin","scope":"admin"}', 201)
    assert isinstance(made, dict)
    headers = {"Authorization": f"Bearer {made['text']}"}
    for worker in (0, 1):
        async with crew.only(worker):
            assert (await crew.ask("/api/v1/users", headers=headers)).status == 200
    async with crew.only(0):
        await call(crew, "DELETE", f"tokens/{made['token']['id']}")
    async with crew.only(1):
        assert (await crew.ask("/api/v1/users", headers=headers)).status == 401


AGED = f"{GUARDED}[age]\ndays = 3\n"
DENIED = GUARDED.replace('guarded"\n', 'guarded"\ndeny = [{ name = "demo", reason = "no" }]\n', 1)


async def test_an_edited_policy_file_counts_in_every_worker(crew: Crew, upstream: LyingUpstream) -> None:
    """The worker that sees it first tells the others, before it answers by it."""
    wheel = make_wheel("demo", "1.0")
    upstream.add(wheel)
    for worker in (0, 1):
        async with crew.only(worker):
            assert (await crew.fetch(wheel)).is_whole(wheel.data)
    rewrite(crew, DENIED)
    async with crew.only(0):
        while (await crew.ask(path_of(wheel))).status == 200:  # noqa: ASYNC110  it looks at the file every second
            await asyncio.sleep(0.02)
    async with crew.only(1):
        assert (await crew.ask(path_of(wheel))).status == 403
        assert (await crew.ask(f"{path_of(wheel)}.metadata")).status == 403


async def test_an_exemption_that_one_worker_grants_and_another_revokes_counts_in_both(
    crew: Crew, upstream: LyingUpstream
) -> None:
    wheel = make_wheel("demo", "1.0")
    wheel.published = datetime.now(UTC).isoformat()
    upstream.add(wheel)
    rewrite(crew, AGED)
    for worker in (0, 1):
        async with crew.only(worker):
            while (await crew.fetch(wheel)).status != 403:  # noqa: ASYNC110  likewise
                await asyncio.sleep(0.02)
    entry = {
        "kind": "exempt",
        "rule": "age",
        "ecosystem": "pypi",
        "pattern": "demo",
        "days": 1,
        "reason": "known",
    }
    async with crew.only(0):
        made = await call(crew, "POST", "policy/entries", json.dumps(entry), 201)
        assert isinstance(made, dict)
    async with crew.only(1):
        assert (await crew.fetch(wheel)).is_whole(wheel.data)
        await call(crew, "DELETE", f"policy/entries/{made['entry']['id']}?reason=no")
    async with crew.only(0):
        assert (await crew.ask(path_of(wheel))).status == 403


async def test_a_policy_that_is_swapped_under_load_is_one_or_the_other(
    crew: Crew, upstream: LyingUpstream
) -> None:
    """P12: every answer is by a whole policy, every delivery names the one that let it pass."""
    wheel = make_wheel("demo", "1.0")
    upstream.add(wheel)
    path = await crew.learn(wheel)
    assert (await crew.ask(path)).is_whole(wheel.data)
    allowing = crew.rows("delivery")[0]["detail"]["policy"]
    swapping, seen = True, set()

    async def load() -> None:
        while swapping:
            got = await crew.ask(path)
            assert got.is_whole(wheel.data) or got.status == 403, got.reason
            seen.add(got.status)

    async with asyncio.TaskGroup() as clients:
        for _ in range(4):
            clients.create_task(load())
        for number in range(100):
            rewrite(crew, (DENIED, GUARDED)[number % 2])
            crew.parent.send_signal(signal.SIGHUP)
            await crew.ask(path)
        rewrite(crew, DENIED)
        crew.parent.send_signal(signal.SIGHUP)
        while 200 in [(await crew.ask(path)).status for _ in range(5)]:
            pass
        swapping = False
    assert seen == {200, 403}
    for worker in (0, 1):
        async with crew.only(worker):
            while (await crew.ask(path)).status == 200:
                pass  # it was held up before the last swap came to its turn
            assert [(await crew.ask(path)).status for _ in range(3)] == [403] * 3
    assert {row["detail"]["policy"] for row in crew.rows("delivery")} == {allowing}
    assert await intact(crew)


def rewrite(crew: Crew, text: str) -> None:
    """Put another policy file in place, at once, as editors do."""
    other = crew.policy_file.with_suffix(".new")
    other.write_text(text)
    other.rename(crew.policy_file)


async def test_a_killed_worker_is_replaced_and_what_it_fetched_is_fetched_by_another(
    crew: Crew, upstream: LyingUpstream
) -> None:
    wheel, other = make_wheel("heavy", "1.0", padding=2_000_000), make_wheel("light", "1.0")
    upstream.add(wheel, other)
    path = await crew.learn(wheel)
    upstream.lie(faults.drip(1_000, 0.05), "/files/heavy*", times=1)
    victim = crew.pids[0]
    async with crew.only(0):
        leading = await _opened(crew, path)
        while not upstream.asked("/files/*"):  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.01)
    async with crew.only(1, in_the_middle=True):
        following = asyncio.create_task(crew.ask(path))
        await asyncio.sleep(0)
        os.kill(victim, signal.SIGKILL)
        leading.close()
        assert (await following).is_whole(wheel.data)
        assert (await crew.fetch(other)).is_whole(other.data)
    await leading.wait_closed()
    await crew.all_serve()
    assert victim not in crew.pids
    for worker in (0, 1):
        async with crew.only(worker):
            assert (await crew.ask(path)).is_whole(wheel.data)
    crew.require_sound()
    assert await intact(crew)


async def _opened(crew: Crew, path: str) -> asyncio.StreamWriter:
    """A request whose answer nobody waits for."""
    _, writer = await asyncio.open_connection(*crew.address)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await writer.drain()
    return writer


async def test_metrics_are_those_of_all_workers(crew: Crew) -> None:
    for worker in (0, 1):
        async with crew.only(worker):
            for _ in range(5):
                await crew.ask("/npm/-/ping")
    for worker in (0, 1):
        async with crew.only(worker):
            text = (await crew.ask("/metrics", headers=crew.admin)).body.decode()
            pings = [line for line in text.splitlines() if line.startswith("registry_requests_total")]
            assert sum(float(line.rpartition(" ")[2]) for line in pings) == 10, text
            assert "registry_offline 0.0" in text


async def test_nothing_is_left_when_the_parent_is_killed(crew: Crew) -> None:
    workers = crew.pids
    crew.parent.kill()
    crew.parent.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in workers):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.01)


async def test_mistakes_are_told_once_and_nothing_is_started_again(
    tmp_path: Path, upstream: LyingUpstream
) -> None:
    crew = Crew(tmp_path, upstream)
    crew.policy_file.write_text("this is no policy")
    with pytest.raises(AssertionError, match="these settings can't be used"):
        await crew.start()
    assert crew.parent.wait() == 2
    await crew.stop()
    for back_end in (crew.pypiserver, crew.verdaccio):
        back_end.socket.close()
